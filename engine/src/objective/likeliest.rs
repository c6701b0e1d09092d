//! What a teacher said of the training data, in a file of the run: the likeliest tokens for each label.

use framework_base::{Batch, Error, Result, Sequence};
use framework_executor::{Network, TopK};
use framework_text::data::Batch as Rows;
use framework_weights::{Dtype, TensorFile, TensorShape, write_mixed};
use std::{borrow::Cow, path::Path, sync::Arc};

/// Names of the file's tensors, `[labels, k]` both.
const IDS: &str = "ids";
const LOG_PROBS: &str = "log_probs";

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
        k: usize,
        ask: impl FnOnce() -> Result<Vec<TopK>>,
    ) -> Result<Self> {
        if !file.exists() {
            write(file, ask()?)?;
        }
        let mut starts = vec![0];
        sequences.iter().for_each(|sequence| starts.push(starts[starts.len() - 1] + sequence.supervised()));
        let tensors = TensorFile::open(file)?;
        let shape = tensors.info(IDS).map(|info| info.shape.clone()).unwrap_or_default();
        let labels = starts.last().copied().unwrap_or(0);
        match shape[..] {
            [all, known] if all == labels && known <= k => Ok(Self { file: tensors, k: known, starts }),
            _ => {
                let message = format!("{} is of {shape:?} labels, not of {labels} with {k} each", file.display());
                Err(Error::failed(message + "; remove it, and the teacher is asked again"))
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

fn write(file: &Path, told: Vec<TopK>) -> Result<()> {
    let k = told.first().map_or(0, |part| part.k);
    let labels = told.iter().map(|part| part.ids.len()).sum::<usize>() / k.max(1);
    let shape = |name: &str| TensorShape { name: name.to_owned(), shape: vec![labels, k] };
    let tensors = [(shape(IDS), Dtype::I32), (shape(LOG_PROBS), Dtype::F32)];
    write_mixed(file, &tensors, |name| {
        let bytes: Vec<u8> = match name {
            IDS => told.iter().flat_map(|part| &part.ids).flat_map(|id| id.to_le_bytes()).collect(),
            _ => told.iter().flat_map(|part| &part.log_probs).flat_map(|number| number.to_le_bytes()).collect(),
        };
        Ok(Cow::Owned(bytes))
    })
}
