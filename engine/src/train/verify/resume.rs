//! Whether a run that is interrupted and resumed is the run without interruption.

use super::{
    super::{again::Start, prepare},
    Report, Scratch, VerifyEvent, Watcher, checkpoints,
    compare::{losses, metrics},
    train_to,
};
use crate::session::Session;
use framework_base::{Error, Problem, Result};

/// Trains a recipe's first steps twice, the second time interrupted halfway and resumed from a checkpoint, and compares
/// everything. None if `stop` said so.
///
/// The learning rate is that of the whole run. Data and weights are read once; before a training is resumed, the trained
/// parameters are put back to their start, so that what a checkpoint lacks is noticed.
///
/// # Errors
/// Whatever is wrong with the recipe; a run with fewer than two steps.
pub fn resume(mut session: Session, steps: u64, stop: &dyn Fn() -> bool, observe: Watcher) -> Result<Option<Report>> {
    let scratch = Scratch::new()?;
    scratch.redirect(&mut session);
    // So that there is a line of metrics, which also sums up what came before the interruption.
    let log_every = &mut session.recipe.train.log_every;
    *log_every = (steps / 2 + 1).min(*log_every);
    let prepared = prepare(session, &mut |at| observe(&VerifyEvent::Preparing(at)))?;
    let start = Start::of(&prepared.network)?;
    let [straight, resumed] = [scratch.run("straight")?, scratch.run("resumed")?];

    observe(&VerifyEvent::Phase(format!("training {steps} steps without interruption")));
    let mut steps_per_epoch = 0;
    let whole = train_to(&prepared, &straight, (0, steps), stop, observe, &mut |train| {
        steps_per_epoch = train.steps_per_epoch;
        Ok(())
    })?;
    let Some(whole) = whole else { return Ok(None) };
    let half = whole.step / 2;
    if half == 0 {
        let message = format!("a run of {} step cannot be interrupted", whole.step);
        let help = "Give --steps 2 or more, and a recipe whose `train.epochs` and `train.max_steps` make so many.";
        return Err(Error::invalid(Problem::new(message).key("--steps").help(help)));
    }

    observe(&VerifyEvent::Phase(format!("training {half} of these steps")));
    start.restore(&prepared.network)?;
    let Some(before) = train_to(&prepared, &resumed, (0, half), stop, observe, &mut |_| Ok(()))? else {
        return Ok(None);
    };
    observe(&VerifyEvent::Interrupted(&resumed));
    start.restore(&prepared.network)?;
    let Some(after) = train_to(&prepared, &resumed, (half, whole.step), stop, observe, &mut |_| Ok(()))? else {
        return Ok(None);
    };

    let (first, second) = whole.losses.split_at(half as usize);
    let seed = prepared.session.recipe.seed;
    let mut compared = checkpoints::compare(&straight, &resumed, whole.step, (seed, steps_per_epoch))?;
    compared.push(losses("losses before".into(), 1, first, &before.losses));
    compared.push(losses("losses after".into(), half + 1, second, &after.losses));
    compared.push(metrics(&straight, &resumed, whole.step)?);
    Ok(Some(Report {
        equal: compared.iter().all(|part| part.difference.is_none()),
        steps: whole.step,
        total: whole.total,
        interrupted: Some(half),
        changes: Vec::new(),
        notes: Vec::new(),
        compared,
    }))
}
