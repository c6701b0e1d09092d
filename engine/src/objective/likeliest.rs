//! What a teacher said of the training data, in a file of the run: the likeliest tokens for each label.

use framework_base::{Batch, Error, Problem, Result, Sequence};
use framework_executor::{Network, TopK};
use framework_text::data::Batch as Rows;
use framework_weights::{Dtype, TensorFile, TensorShape, write_mixed};
use std::{borrow::Cow, path::Path, sync::Arc};

/// Names of the file's tensors, `[labels, k]` both, and of the temperature that probabilities are at.
const IDS: &str = "ids";
const LOG_PROBS: &str = "log_probs";
const TEMPERATURE: &str = "temperature";

/// The likeliest tokens for the labels of all sequences.
pub(super) struct Told {
    file: TensorFile,
    k: usize,
    /// For each sequence, the number of its first label.
    starts: Vec<usize>,
}

impl Told {
    /// Writes the file if it is not there, which takes the teacher.
    pub fn open(
        file: &Path,
        sequences: &[Sequence],
        (k, temperature): (usize, f64),
        ask: impl FnOnce() -> Result<Vec<TopK>>,
    ) -> Result<Self> {
        if !file.exists() {
            write(file, ask()?, temperature)?;
        }
        let told = Self::read(file, sequences, temperature)?;
        if told.k > k {
            let message = format!("{} has {} tokens for each label, not {k}", file.display(), told.k);
            return Err(Error::failed(message + "; remove it, and the teacher is asked again"));
        }
        Ok(told)
    }

    /// What is in a file about these sequences.
    ///
    /// # Errors
    /// A file about others: their number of labels is another. One at another temperature.
    pub fn read(file: &Path, sequences: &[Sequence], temperature: f64) -> Result<Self> {
        let mut starts = vec![0];
        sequences.iter().for_each(|sequence| starts.push(starts[starts.len() - 1] + sequence.supervised()));
        let tensors = TensorFile::open(file)?;
        let at = tensors.tensor(TEMPERATURE)?;
        if at != [temperature as f32] {
            let message = format!("{} is at the temperature {at:?}", file.display());
            let help = "Probabilities at one temperature are no others': set `temperature` to it.";
            return Err(Error::invalid(Problem::new(message).key("objective.temperature").help(help)));
        }
        let shape = tensors.info(IDS).map(|info| info.shape.clone()).unwrap_or_default();
        let labels = starts.last().copied().unwrap_or(0);
        match shape[..] {
            [all, k] if all == labels => Ok(Self { file: tensors, k, starts }),
            _ => {
                let message = format!(
                    "{} is about other examples: its shape is {shape:?}, and {labels} labels are trained",
                    file.display()
                );
                let help = "It belongs to a run with the same data, template, tokenizer and seed.";
                Err(Error::invalid(Problem::new(message).key("objective.teacher").help(help)))
            }
        }
    }

    /// The part for a batch.
    pub fn of(&self, batch: &Batch) -> Result<TopK> {
        let (ids, log_probs) = (self.file.bytes(IDS)?, self.file.bytes(LOG_PROBS)?);
        let mut told = TopK { k: self.k, ..TopK::default() };
        for number in &batch.numbers {
            let part = 4 * self.k * self.starts[*number]..4 * self.k * self.starts[number + 1];
            told.ids.extend(ids[part.clone()].as_chunks::<4>().0.iter().map(|word| i32::from_le_bytes(*word)));
            told.log_probs.extend(log_probs[part].as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)));
        }
        Ok(told)
    }
}

/// Asks a teacher about sequences, some at a time, in their order.
pub(super) fn ask(
    teacher: &Arc<Network>,
    sequences: &[Sequence],
    (size, pad, bare): (usize, u32, bool),
    (k, temperature): (usize, f64),
) -> Result<Vec<TopK>> {
    let batch = |rows: &[Sequence]| Ok(teacher.likeliest(&Rows::new(rows, pad), k, temperature, bare)?);
    sequences.chunks(size.max(1)).map(batch).collect()
}

fn write(file: &Path, told: Vec<TopK>, temperature: f64) -> Result<()> {
    let k = told.first().map_or(0, |part| part.k);
    let labels = told.iter().map(|part| part.ids.len()).sum::<usize>() / k.max(1);
    let shape = |name: &str| TensorShape { name: name.to_owned(), shape: vec![labels, k] };
    let at = TensorShape { name: TEMPERATURE.to_owned(), shape: vec![1] };
    let tensors = [(shape(IDS), Dtype::I32), (shape(LOG_PROBS), Dtype::F32), (at, Dtype::F32)];
    write_mixed(file, &tensors, |name| {
        let bytes: Vec<u8> = match name {
            IDS => told.iter().flat_map(|part| &part.ids).flat_map(|id| id.to_le_bytes()).collect(),
            TEMPERATURE => (temperature as f32).to_le_bytes().to_vec(),
            _ => told.iter().flat_map(|part| &part.log_probs).flat_map(|number| number.to_le_bytes()).collect(),
        };
        Ok(Cow::Owned(bytes))
    })
}
