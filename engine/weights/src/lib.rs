//! Weights on disk: Hugging Face model folders and PEFT adapter folders, read by mapping, written whole or not at all.

mod file;
pub mod gguf;
mod hf;
mod mmap;
mod peft;
mod save;
mod stored;
mod write;

pub use file::{TensorFile, TensorInfo, format_of};
pub use hf::{ModelFolder, config, expect_weights};
pub use peft::{AdapterFolder, MERGE_ELSEWHERE, adapter_config, save_adapter};
pub use safetensors::Dtype;
pub use save::{SHARD, save_model};
pub use stored::{for_file, from_file, shape_in_files};
pub use write::{TensorShape, write_mixed, write_tensors};

use framework_base::{Error, Place, Problem, Result};
use serde_json::{Map, Value};
use std::path::Path;

/// A problem with a file.
pub fn at(file: &Path, message: impl Into<String>) -> Problem {
    Problem { place: Some(Place { file: file.to_owned(), position: None }), ..Problem::new(message) }
}

/// Reads a JSON object; `what` is said of a file that is not there.
pub fn read_object(file: &Path, what: &str) -> Result<Map<String, Value>> {
    let bytes = std::fs::read(file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::invalid(at(file, "there is no such file").help(what)),
        _ => Error::invalid(at(file, format!("cannot be read: {e}"))),
    })?;
    framework_base::json::from_slice(&bytes).map_err(|e| {
        let place = Some(Place { file: file.to_owned(), position: Some((e.line(), e.column())) });
        Error::invalid(Problem { place, ..Problem::new(format!("is not a JSON object: {e}")) })
    })
}

/// JSON as people read it, with a newline at the end.
fn pretty(object: &Map<String, Value>) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(object).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
