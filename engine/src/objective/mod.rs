//! What a run minimises: the recipe's `[objective]`, opened for its data.

mod judged;
mod likeliest;
mod pairs;
mod reference;
mod rewards;
mod step;
pub(crate) mod teacher;

pub(crate) use rewards::Rewards;

use crate::{build::Placement, run::RunFolder, session::Session};
use framework_base::{Result, Sequence};
use framework_executor::{self as executor, Divergence, Network, Tokens};
use framework_recipe::{DivergenceName, Objective as Options, ObjectiveName, Recipe, Rows, Split};
use framework_text::data::{Batch, Corpus, IGNORE};
use likeliest::Told;
use reference::Reference;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// An objective with what it needs beside the model.
pub(crate) struct Objective<'a> {
    options: &'a Options,
    corpus: &'a Corpus,
    network: &'a Arc<Network>,
    pad: u32,
    /// Whether chosen sequences are trained with their tasks.
    tasks: bool,
    needs: Needs,
}

/// What an objective needs beside the model.
enum Needs {
    Nothing(Tokens),
    Teacher { network: Arc<Network>, bare: bool, divergence: Divergence },
    Told(Told),
    Reference(Box<Reference>),
}

/// Where an objective keeps what it has found out once.
pub(crate) struct Files {
    /// Log-likelihoods of the reference.
    pub reference: PathBuf,
    /// The likeliest tokens of the teacher.
    pub teacher: PathBuf,
}

impl Files {
    /// Those of a run.
    pub fn of(run: &RunFolder) -> Self {
        Self { reference: run.reference(), teacher: run.teacher() }
    }
}

/// What an objective is opened with.
pub(crate) struct With<'a> {
    pub session: &'a Session,
    pub corpus: &'a Corpus,
    pub network: &'a Arc<Network>,
    pub pad: u32,
    /// The teacher, if it has been loaded.
    pub teacher: Option<&'a Arc<Network>>,
}

impl<'a> Objective<'a> {
    /// Opens a recipe's objective. What a reference or a teacher has to say is computed unless the files have it; `begun`:
    /// the network has been trained.
    pub fn open(with: &With<'a>, files: Option<&Files>, begun: bool) -> Result<Self> {
        let With { session, corpus, network, pad, teacher } = *with;
        let recipe = &session.recipe;
        let options = &recipe.objective;
        let needs = match options.name {
            ObjectiveName::Sft => {
                let label_smoothing = options.label_smoothing.unwrap_or(0.0);
                Needs::Nothing(Tokens { label_smoothing, z_loss: options.z_loss.unwrap_or(0.0) })
            }
            ObjectiveName::Orpo | ObjectiveName::Simpo => Needs::Nothing(Tokens::default()),
            ObjectiveName::Dpo | ObjectiveName::Kto => {
                let file = files.map(|files| files.reference.as_path());
                Needs::Reference(Box::new(Reference::open(file, recipe, corpus, (network, pad), begun)?))
            }
            ObjectiveName::Distillation => {
                let bare = teacher::folder(recipe).is_none();
                match (teacher::file(recipe), options.top_k.zip(files)) {
                    (Some(file), _) => {
                        Needs::Told(Told::read(file, &corpus.train, options.temperature.unwrap_or(1.0))?)
                    }
                    (None, Some((k, files))) => Needs::Told(told(with, &files.teacher, k)?),
                    (None, None) => {
                        let network = teacher.unwrap_or(network).clone();
                        Needs::Teacher { network, bare, divergence: divergence(options) }
                    }
                }
            }
        };
        let tasks = recipe.prompt.train_on_prompt && options.name == ObjectiveName::Orpo;
        Ok(Self { options, corpus, network, pad, tasks, needs })
    }

    /// The sequences of a set.
    fn sequences(&self, set: Split) -> &'a [Sequence] {
        if set == Split::Train { &self.corpus.train } else { &self.corpus.validation }
    }

    /// What rows it reads.
    pub fn rows(&self) -> Rows {
        self.options.name.rows()
    }

    /// The network, what it is evaluated on, and the token that batches are filled up with.
    pub fn evaluated(&self) -> (&'a Arc<Network>, &'a [Sequence], u32) {
        (self.network, &self.corpus.validation, self.pad)
    }

    /// So many sequences for validation, from a number on.
    pub fn validation_batch(&self, start: usize, most: usize) -> Batch {
        let all = &self.corpus.validation;
        let numbers: Vec<usize> = (start..(start + most).min(all.len())).collect();
        let mut batch = Batch::new(numbers.iter().map(|i| &all[*i]), self.network.padding(self.pad));
        if !self.corpus.validation_weights.is_empty() {
            batch.weights = numbers.iter().map(|i| self.corpus.validation_weights[*i]).collect();
        }
        batch.numbers = numbers;
        batch
    }

    /// What a reference knows of a set.
    fn known(&self, set: Split) -> Option<&reference::Set> {
        match &self.needs {
            Needs::Reference(reference) if set == Split::Train => Some(&reference.train),
            Needs::Reference(reference) => Some(&reference.validation),
            _ => None,
        }
    }
}

/// What the teacher says of the training data; it is loaded only if it has not been asked yet.
fn told(with: &With, file: &Path, k: usize) -> Result<Told> {
    let With { session, corpus, network, pad, .. } = *with;
    let recipe = &session.recipe;
    let temperature = recipe.objective.temperature.unwrap_or(1.0);
    Told::open(file, &corpus.train, (k, temperature), || {
        let loaded = teacher::load(session, &Placement::open(&recipe.backend)?)?;
        loaded.as_ref().map_or(Ok(()), |loaded| teacher::fits(session, loaded, corpus))?;
        let (teacher, bare) = loaded.as_ref().map_or((network, true), |loaded| (loaded, false));
        likeliest::ask(teacher, &corpus.train, (recipe.train.batch_size, teacher.padding(pad), bare), (k, temperature))
    })
}

fn divergence(options: &Options) -> Divergence {
    match options.divergence.unwrap_or_default() {
        DivergenceName::Forward => Divergence::Forward,
        DivergenceName::Reverse => Divergence::Reverse,
        DivergenceName::JensenShannon => Divergence::JensenShannon { beta: options.beta() },
    }
}

/// Sequences with answers that are to be given: not those of rejected ones.
pub(crate) fn wanted(recipe: &Recipe, sequences: &[Sequence], weights: &[f32]) -> Vec<Sequence> {
    match recipe.objective.name.rows() {
        Rows::Answers => sequences.to_vec(),
        Rows::Pairs => sequences.iter().step_by(2).cloned().collect(),
        Rows::Judged => {
            let all = sequences.iter().zip(weights);
            all.filter(|(_, weight)| **weight > 0.0).map(|(sequence, _)| sequence.clone()).collect()
        }
    }
}
