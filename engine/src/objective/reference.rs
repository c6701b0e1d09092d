//! Log-likelihoods that a reference gives to sequences, computed once and kept with the run.

use super::judged::mismatched;
use framework_base::{Error, Float, Result, Sequence};
use framework_executor::Network;
use framework_recipe::{ObjectiveName, Recipe, Reference as Which};
use framework_text::data::{Batch, Corpus};
use framework_weights::{TensorFile, TensorShape, write_tensors};
use std::{borrow::Cow, path::Path, sync::Arc};

/// What a reference knows of a set of sequences.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Set {
    /// The log-likelihood of each sequence's labels.
    pub known: Vec<f32>,
    /// Tasks with the answers of others, and their log-likelihoods; for `kto`.
    pub mismatched: (Vec<Sequence>, Vec<f32>),
}

/// What a reference knows of the data.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Reference {
    pub train: Set,
    pub validation: Set,
}

impl Set {
    fn new(recipe: &Recipe, sequences: &[Sequence]) -> Self {
        let mismatched = match recipe.objective.name {
            ObjectiveName::Kto => mismatched(sequences, together(recipe), recipe.prompt.max_length),
            _ => Vec::new(),
        };
        Self { known: Vec::new(), mismatched: (mismatched, Vec::new()) }
    }

    fn ask(&mut self, ask: &mut dyn FnMut(&[Sequence]) -> Result<Vec<f32>>, sequences: &[Sequence]) -> Result<()> {
        self.known = ask(sequences)?;
        self.mismatched.1 = ask(&self.mismatched.0)?;
        Ok(())
    }
}

/// Rows of a step.
fn together(recipe: &Recipe) -> usize {
    recipe.train.batch_size * recipe.train.gradient_accumulation
}

/// Of a sequence whose labels have these losses.
pub(super) fn log_likelihood(losses: &[f32]) -> f64 {
    losses.iter().map(|loss| -f64::from(*loss)).sum()
}

/// Log-likelihoods of sequences' labels, so many at a time; `bare`: without the network's adapter.
pub(super) fn log_likelihoods(
    network: &Arc<Network>,
    sequences: &[Sequence],
    (size, pad, bare): (usize, u32, bool),
) -> Result<Vec<f32>> {
    let mut all = Vec::with_capacity(sequences.len());
    for rows in sequences.chunks(size.max(1)) {
        let batch = Batch::new(rows, pad);
        let losses = network.label_losses(&batch, bare)?;
        all.extend(batch.by_sequence(&losses).into_iter().map(|losses| log_likelihood(losses) as f32));
    }
    Ok(all)
}

const NAMES: [&str; 4] = ["train", "train_mismatched", "validation", "validation_mismatched"];

impl Reference {
    /// From the run's file, if it is there; otherwise computed with the network as it is, and written there.
    ///
    /// # Errors
    /// Steps have been done, and the file is not there: the network is not the reference any more.
    pub fn open(
        file: Option<&Path>,
        recipe: &Recipe,
        corpus: &Corpus,
        (network, pad): (&Arc<Network>, u32),
        begun: bool,
    ) -> Result<Self> {
        let (train, validation) = (Set::new(recipe, &corpus.train), Set::new(recipe, &corpus.validation));
        let mut reference = Self { train, validation };
        if let Some(file) = file.filter(|file| file.exists()) {
            reference.read(file)?;
            return Ok(reference);
        }
        let bare = recipe.objective.reference == Some(Which::Base);
        if let Some(file) = file.filter(|_| begun && !(bare && network.keeps_base())) {
            return Err(Error::failed(format!(
                "{} is missing, which has what the reference says of the data; put it back, or train without --resume: \
                 the earlier run is then kept under another name",
                file.display()
            )));
        }
        let how = (recipe.train.batch_size, network.padding(pad), bare);
        let mut ask = |sequences: &[Sequence]| log_likelihoods(network, sequences, how);
        reference.train.ask(&mut ask, &corpus.train)?;
        reference.validation.ask(&mut ask, &corpus.validation)?;
        if let Some(file) = file {
            reference.write(file)?;
        }
        Ok(reference)
    }

    fn parts(&self) -> [&Vec<f32>; 4] {
        let Self { train, validation } = self;
        [&train.known, &train.mismatched.1, &validation.known, &validation.mismatched.1]
    }

    fn write(&self, file: &Path) -> Result<()> {
        let tensors: Vec<(_, _)> = NAMES.into_iter().zip(self.parts()).filter(|(_, part)| !part.is_empty()).collect();
        let shape =
            |(name, part): &(&str, &Vec<f32>)| TensorShape { name: (*name).to_owned(), shape: vec![part.len()] };
        let shapes: Vec<_> = tensors.iter().map(shape).collect();
        write_tensors(file, Float::F32, &shapes, |name| {
            let part = tensors.iter().find(|(known, _)| *known == name).map(|(_, part)| part.as_slice());
            Ok(Cow::Borrowed(part.unwrap_or_default()))
        })
    }

    /// Reads what [`Reference::write`] wrote of as many sequences.
    fn read(&mut self, file: &Path) -> Result<()> {
        let tensors = TensorFile::open(file)?;
        let read = |name: &str| match tensors.info(name) {
            Some(_) => tensors.tensor(name),
            None => Ok(Vec::new()),
        };
        let [train, train_mismatched, validation, validation_mismatched] = NAMES.map(read);
        (self.train.known, self.train.mismatched.1) = (train?, train_mismatched?);
        (self.validation.known, self.validation.mismatched.1) = (validation?, validation_mismatched?);
        for set in [&self.train, &self.validation] {
            if set.mismatched.0.len() != set.mismatched.1.len() {
                return Err(Error::failed(format!("{} is of other data", file.display())));
            }
        }
        Ok(())
    }
}
