//! Whether a run comes out again as it is recorded.

use super::{
    super::{checkpoint, prepare::prepare_with},
    Report, Scratch, VerifyEvent, Watcher, checkpoints,
    compare::{Part, metrics},
    recorded::Recorded,
    train_to,
};
use crate::{
    run::{Change, Facts, Lock, Machine, RunFolder},
    session::{PluginSources, Session},
};
use framework_base::Result;
use framework_recipe as recipe;
use std::path::Path;

/// Trains a run's first steps again and compares them with its checkpoints, where there are some of these steps, and its
/// metrics. None if `stop` said so.
///
/// What the run was made of is compared first. If data, weights, tokenizer or template have changed, nothing is trained;
/// other versions of framework or plugins may give the same.
///
/// # Errors
/// No run in the folder, or one that has recorded nothing; whatever is wrong with its recipe.
pub fn run(
    root: &Path,
    steps: Option<u64>,
    sources: &PluginSources,
    stop: &dyn Fn() -> bool,
    observe: Watcher,
) -> Result<Option<Report>> {
    let run = RunFolder::open(root)?;
    let locked = Lock::read(&run.lock())?;
    let recorded = Recorded::of(&run)?;
    let (steps, saved) = recorded.steps(&run, steps)?;
    let mut session = Session::of(recipe::parse_text(&run.recipe(), recorded.recipe.clone(), &[])?, sources)?;
    let nothing = |changes: Vec<Change>| {
        Ok(Some(Report {
            equal: false,
            steps: 0,
            total: 0,
            interrupted: None,
            changes,
            notes: vec!["nothing was trained: the run was made of something else".into()],
            compared: Vec::new(),
        }))
    };
    let now = Lock::of(&session)?;
    let changes = locked.changes(&now);
    if changes.iter().any(|change| !change.program) {
        return nothing(changes);
    }
    let scratch = Scratch::new()?;
    scratch.redirect(&mut session);
    let prepared = prepare_with(None, Some(now), session, &mut |at| observe(&VerifyEvent::Preparing(at)))?;
    let changes = locked.changes(&prepared.lock);
    if changes.iter().any(|change| !change.program) {
        return nothing(changes);
    }

    observe(&VerifyEvent::Phase(format!("training {steps} steps again")));
    let again = scratch.run("again")?;
    let mut compared = Vec::new();
    let seed = prepared.session.recipe.seed;
    let outcome = train_to(&prepared, &again, (0, steps), stop, observe, &mut |train| {
        let step = train.state.step;
        if saved.contains(&step) {
            train.save_once()?;
            let parts = checkpoints::compare(&run, &again, step, (seed, train.steps_per_epoch))?;
            compared.extend(parts.into_iter().map(|part| Part { what: format!("step {step}: {}", part.what), ..part }));
            checkpoint::prune(&again, &train.state, 1)?;
        }
        Ok(())
    })?;
    let Some(outcome) = outcome else { return Ok(None) };
    compared.push(metrics(&run, &again, outcome.step.max(steps))?);
    let equal = compared.iter().all(|part| part.difference.is_none());
    let mut notes = Vec::new();
    if let Some(until) = recorded.until.filter(|until| *until <= steps) {
        notes.push(format!(
            "after step {until} the run went on with other settings; only the steps before are compared"
        ));
    }
    if !equal {
        notes.extend(other_machine(&run, &Machine::of(&prepared.session)));
    }
    let (steps, total) = (outcome.step, outcome.total);
    Ok(Some(Report { equal, steps, total, interrupted: None, changes, notes, compared }))
}

/// That the run was computed elsewhere: processors may differ in the last bits.
fn other_machine(run: &RunFolder, now: &Machine) -> Option<String> {
    let then = Facts::read(run)?.machine;
    let shown = |machine: &Machine| {
        format!("{} on {}", machine.backend, machine.processor.as_deref().unwrap_or(&machine.system))
    };
    (shown(&then) != shown(now)).then(|| format!("the run was computed by {}, and now by {}", shown(&then), shown(now)))
}
