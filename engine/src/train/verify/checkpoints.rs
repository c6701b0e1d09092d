//! Two checkpoints of one step, compared file by file.

use super::{
    compare::{Difference, Part, values},
    tensors,
};
use crate::run::{OPTIMIZER, RunFolder, STATE, TRAINED};
use framework_base::{Error, Result};
use serde_json::{Map, Value};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The counts that say where a run is in its data.
const POSITION: [&str; 3] = ["step", "tokens", "seen"];

/// Compares everything in the checkpoints of a step but times. `seed` is the recipe's, `steps_per_epoch` the run's.
pub(super) fn compare(
    expected: &RunFolder,
    found: &RunFolder,
    step: u64,
    (seed, steps_per_epoch): (u64, u64),
) -> Result<Vec<Part>> {
    let folders = [expected, found].map(|run| run.checkpoint(step));
    let names: BTreeSet<String> =
        folders.iter().map(|folder| files(folder)).collect::<Result<Vec<_>>>()?.concat().into_iter().collect();
    let mut parts = Vec::new();
    // In the order of importance.
    let known = [TRAINED, OPTIMIZER, STATE].into_iter().filter(|name| names.contains(*name));
    let more = names.iter().map(String::as_str).filter(|name| ![TRAINED, OPTIMIZER, STATE].contains(name));
    for name in known.chain(more) {
        let paths = folders.each_ref().map(|folder| folder.join(name));
        let what = match name {
            TRAINED => "weights",
            OPTIMIZER => "optimizer state",
            other => other,
        };
        if let Some(missing) = missing(&paths) {
            parts.push(Part::new(what, name, Some(missing)));
        } else if name == STATE {
            parts.extend(state(&paths, seed, steps_per_epoch)?);
        } else if name.ends_with(".safetensors") {
            let (amount, difference) = tensors::compare(&paths[0], &paths[1])?;
            parts.push(Part::new(what, amount, difference));
        } else {
            parts.push(bytes(what, &paths)?);
        }
    }
    Ok(parts)
}

fn files(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).map_err(|e| Error::io("read", folder, e))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

fn missing(paths: &[PathBuf; 2]) -> Option<Difference> {
    let [a, b] = paths.each_ref().map(|path| if path.is_file() { "a file" } else { "missing" });
    let name = paths[0].file_name().unwrap_or_default().to_string_lossy();
    (a != b).then(|| Difference::new(name, a, b))
}

fn bytes(what: &str, paths: &[PathBuf; 2]) -> Result<Part> {
    let read = |path: &PathBuf| fs::read(path).map_err(|e| Error::io("read", path, e));
    let [a, b] = [read(&paths[0])?, read(&paths[1])?];
    let shown = |bytes: &[u8], at: usize| bytes.get(at).map_or("the end".to_owned(), |byte| format!("0x{byte:02x}"));
    let differs = (0..a.len().max(b.len())).find(|&at| a.get(at) != b.get(at));
    let difference = differs.map(|at| Difference::new(format!("byte {at}"), shown(&a, at), shown(&b, at)));
    Ok(Part::new(what, format!("{} bytes", a.len()), difference))
}

/// Where the runs stand: what random numbers and the order of the data follow from, and all that is counted besides.
fn state(paths: &[PathBuf; 2], seed: u64, steps_per_epoch: u64) -> Result<Vec<Part>> {
    let read = |path: &PathBuf| -> Result<Map<String, Value>> {
        let bytes = fs::read(path).map_err(|e| Error::io("read", path, e))?;
        serde_json::from_slice(&bytes).map_err(|e| Error::failed(format!("{}: {e}", path.display())))
    };
    let states = [read(&paths[0])?, read(&paths[1])?];
    let number = |state: &Map<String, Value>, key: &str| state.get(key).and_then(Value::as_u64).unwrap_or(0);
    let random = |state: &Map<String, Value>| format!("seed {seed}, step {}", number(state, "step"));
    let position = |state: &Map<String, Value>| {
        let (step, per_epoch) = (number(state, "step"), steps_per_epoch.max(1));
        let (epochs, within) = (step / per_epoch, step % per_epoch);
        let [tokens, seen] = ["tokens", "seen"].map(|key| number(state, key));
        format!("{epochs} epochs and {within} of {per_epoch} steps, {seen} tokens, {tokens} of them supervised")
    };
    // What the checkpoint is made of is the lock's matter.
    let others = |state: &Map<String, Value>| -> Value {
        let other = |key: &str| !POSITION.contains(&key) && key != "fingerprint";
        let kept = state.iter().filter(|(key, _)| other(key));
        Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
    };
    let [a, b] = states.each_ref().map(others);
    let [expected, found] = &states;
    Ok(vec![
        Part::of("random numbers", &random(expected), &random(found)),
        Part::of("data position", &position(expected), &position(found)),
        Part::new("other state", format!("the rest of {STATE}"), values(STATE, &a, &b)),
    ])
}
