//! A model against what another program computed with the same weights.

use super::apart;
use crate::build::from_folders_without;
use framework_base::{Error, Problem, Result};
use framework_core::{PluginError, conformance::Finding};
use framework_executor::Device;
use framework_registry::Registry;
use framework_weights::Dtype;
use framework_weights::TensorFile;
use std::path::Path;

/// Parts of the largest logit by which logits may differ.
const NEAR: f32 = 1e-4;

/// Compares the logits of a Hugging Face folder with those in a safetensors file: `input_ids` `[rows, time]` as 64-bit
/// integers, without padding, and `logits` `[rows, time, vocab]`. The folder's architecture is one of `registry`; `ignored`
/// are keys of its configuration that are passed over.
///
/// # Errors
/// The folder or the file cannot be read. What is computed otherwise is a finding.
pub fn parity(registry: &Registry, folder: &Path, ignored: &[String], reference: &Path) -> Result<Finding> {
    let file = TensorFile::open(reference)?;
    let wrong = |what: &str| Error::invalid(Problem::new(format!("{}: {what}", reference.display())));
    let ids = file.info("input_ids").filter(|ids| ids.dtype == Dtype::I64 && ids.shape.len() == 2);
    let shape = ids.ok_or_else(|| wrong("expected `input_ids` [rows, time] as 64-bit integers"))?.shape.clone();
    let ids = file.bytes("input_ids")?.as_chunks::<8>().0.iter().map(|id| i64::from_le_bytes(*id) as i32).collect();
    let network = from_folders_without(registry, folder, None, Device::cpu(), ignored)?;
    let expected = file.tensor_shaped("logits", &[shape[0], shape[1], network.spec().vocab_size])?;
    let compare = || {
        let found = network.logits(ids, shape[0])?;
        let (apart, largest) = apart(&found, &expected);
        if apart <= NEAR * largest {
            return Ok(());
        }
        let differs = |(a, b): (&f32, &f32)| (a - b).is_nan() || (a - b).abs() > NEAR * largest;
        let first = found.iter().zip(&expected).position(differs).unwrap_or(0);
        let (row, token) = (first / expected.len().div_ceil(shape[0]), first / network.spec().vocab_size % shape[1]);
        let message =
            format!("they differ by up to {apart:e}, the largest being {largest}, first at row {row}, token {token}");
        Err(PluginError::new(message))
    };
    Ok(Finding::of("logits are those of the reference", compare()))
}
