//! Checkpoints: everything that going on bit for bit depends on.

use super::{State, Stepper};
use crate::{
    build::{numbers, shapes},
    run::{Change, OPTIMIZER, RunFolder, STATE, TRAINED},
    states,
};
use framework_base::Float;
use framework_base::files::write_bytes;
use framework_base::{Error, Result, files};
use framework_executor::{Network, Value};
use framework_weights::{TensorFile, write_tensors};
use std::{borrow::Cow, fs};

/// The first trained parameter that has a NaN or an infinity, which no training leads out of.
pub fn spoiled(network: &Network) -> Result<Option<String>> {
    for param in network.trained() {
        if !numbers(network, &param.name)?.iter().all(|x| x.is_finite()) {
            return Ok(Some(param.name.clone()));
        }
    }
    Ok(None)
}

/// Writes a checkpoint, then prunes.
pub fn save(run: &RunFolder, network: &Network, stepper: &Stepper, state: &State, keep: usize) -> Result<()> {
    files::write_folder(&run.checkpoint(state.step), |dir| {
        let read = |name: &str| Ok(Cow::Owned(numbers(network, name)?));
        write_tensors(&dir.join(TRAINED), Float::F32, &shapes(network.trained()), read)?;
        states::write(&dir.join(OPTIMIZER), stepper.states())?;
        let json = serde_json::to_vec_pretty(state).map_err(|e| Error::failed(e.to_string()))?;
        write_bytes(&dir.join(STATE), &json)
    })?;
    prune(run, state, keep)
}

/// Removes the oldest checkpoints beyond `keep`, the best one aside.
pub fn prune(run: &RunFolder, state: &State, keep: usize) -> Result<()> {
    let best = state.best.map(|(_, step)| step);
    let others: Vec<u64> = run.checkpoint_steps().into_iter().filter(|&s| Some(s) != best).collect();
    for &old in &others[..others.len().saturating_sub(keep.max(1))] {
        let path = run.checkpoint(old);
        fs::remove_dir_all(&path).map_err(|e| Error::io("remove", &path, e))?;
    }
    Ok(())
}

/// Renames a checkpoint that no run can go on from to `<why>-step-N`, in place of an earlier one of that name.
pub fn set_aside(run: &RunFolder, step: u64, why: &str) -> Result<()> {
    let (from, to) = (run.checkpoint(step), run.checkpoints().join(format!("{why}-step-{step}")));
    let _ = fs::remove_dir_all(&to);
    fs::rename(&from, &to).map_err(|e| Error::io("rename", &from, e))
}

/// Puts the newest checkpoint that can be read into a network and a stepper and returns its state; none if there is no
/// checkpoint. Those that are damaged are set aside; `tell` gets a sentence about each.
///
/// # Errors
/// All checkpoints are damaged, or they are of another run.
pub fn load_newest(
    run: &RunFolder,
    fingerprint: &str,
    network: &Network,
    stepper: &mut Stepper,
    tell: &mut dyn FnMut(String),
) -> Result<Option<State>> {
    let steps = run.checkpoint_steps();
    for &step in steps.iter().rev() {
        let damage = match load(run, step, fingerprint, network, stepper) {
            Ok(state) => return Ok(Some(state)),
            Err(Unusable::Foreign(e)) => return Err(e),
            Err(Unusable::Damaged(e)) => e,
        };
        set_aside(run, step, "damaged")?;
        tell(format!("the checkpoint of step {step} is damaged and was renamed to damaged-step-{step}: {damage}"));
    }
    if steps.is_empty() {
        return Ok(None);
    }
    Err(Error::failed(format!(
        "no checkpoint in {} can be read; train without --resume: the earlier run is then kept under another name",
        run.checkpoints().display()
    )))
}

/// That a run's checkpoints are not of what is there now, as far as is known what has changed.
pub fn foreign(run: &RunFolder, changes: &[Change]) -> Error {
    let changed: String = changes.iter().map(|change| format!("\n    {change}")).collect();
    Error::failed(format!(
        "the checkpoints in {} were made with other data, weights or plugins; restore those, or train without --resume: \
         the earlier run is then kept under another name{changed}",
        run.checkpoints().display()
    ))
}

/// Why a checkpoint cannot be gone on from.
enum Unusable {
    Damaged(Error),
    Foreign(Error),
}

fn load(
    run: &RunFolder,
    step: u64,
    fingerprint: &str,
    network: &Network,
    stepper: &mut Stepper,
) -> Result<State, Unusable> {
    let state = state(run, step).map_err(Unusable::Damaged)?;
    if state.fingerprint != fingerprint {
        return Err(Unusable::Foreign(foreign(run, &[])));
    }
    load_trained(run, step, network).map_err(Unusable::Damaged)?;
    load_optimizer(run, step, network, stepper).map_err(Unusable::Damaged)?;
    Ok(state)
}

fn state(run: &RunFolder, step: u64) -> Result<State> {
    let path = run.checkpoint(step).join(STATE);
    let bytes = fs::read(&path).map_err(|e| Error::io("read", &path, e))?;
    serde_json::from_slice(&bytes).map_err(|e| Error::failed(format!("{}: {e}", path.display())))
}

/// Puts a checkpoint's trained parameters into a network.
pub fn load_trained(run: &RunFolder, step: u64, network: &Network) -> Result<()> {
    let file = TensorFile::open(&run.checkpoint(step).join(TRAINED))?;
    for param in network.trained() {
        let numbers = file.tensor_shaped(&param.name, &param.shape)?;
        network.set(&param.name, Value::from_f32(numbers, &param.shape, network.device())?)?;
    }
    Ok(())
}

fn load_optimizer(run: &RunFolder, step: u64, network: &Network, stepper: &mut Stepper) -> Result<()> {
    let file = TensorFile::open(&run.checkpoint(step).join(OPTIMIZER))?;
    stepper.restore(|name, state| states::read(&file, name, state, network.device()))
}
