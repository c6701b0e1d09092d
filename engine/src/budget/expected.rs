//! What is expected of a run before it begins, to be held against what it takes.

use super::{Memory, Pass};
use crate::{
    build::blueprint::Blueprint,
    pipeline::{batches, total_steps},
    run::Expected,
    session::Session,
};
use framework_base::Result;
use framework_executor::Device;
use framework_text::data::Corpus;

/// Runs the model on shapes, and measures how fast the device multiplies matrices. Weights that are there already are not
/// counted twice.
pub(crate) fn expected(
    session: &Session,
    blueprint: &Blueprint,
    corpus: &Corpus,
    device: &Device,
    there: bool,
) -> Result<Expected> {
    let batches = batches(corpus, &session.recipe, 0);
    let steps_per_epoch = batches.steps_per_epoch() as u64;
    let steps = total_steps(&session.recipe.train, steps_per_epoch);
    let pass = Pass::largest(session, blueprint, &batches)?;
    let mut memory = Memory::of_parameters(session, blueprint)?;
    if there {
        memory.program = memory.program.saturating_sub(memory.weights);
    }
    let memory_bytes = memory.at_most(&pass).total();
    let flops =
        flops(&pass, corpus.report.train.tokens, batches.padding(), steps as f64 / steps_per_epoch.max(1) as f64);
    let seconds = device.flops_per_second().map(|speed| flops / speed);
    Ok(Expected { memory_bytes, steps, steps_per_epoch, flops, seconds })
}

/// Floating-point operations of so many epochs of so many tokens, with the padding `(padding, all)` of their batches: those
/// of the largest pass by token.
pub(crate) fn flops(pass: &Pass, tokens: usize, (padding, all): (usize, usize), epochs: f64) -> f64 {
    let share = padding as f64 / all.max(1) as f64;
    let computed = tokens as f64 / (1.0 - share).max(0.01);
    pass.flops as f64 / (pass.rows * pass.tokens).max(1) as f64 * computed * epochs
}
