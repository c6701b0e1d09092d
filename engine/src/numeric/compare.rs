//! Two ways to one result.

use super::{apart, sequences, value};
use framework_core::{
    PluginError, Result,
    conformance::{self, Finding, MERGED, STARTED},
};
use framework_executor::{Network, Parts};
use framework_text::data::Batch;
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

/// Parts of the largest number by which results may differ.
const NEAR: f32 = 2e-4;

fn near(what: &str, found: &[f32], expected: &[f32]) -> Result<()> {
    let (apart, largest) = apart(found, expected);
    let largest = largest.max(1e-3);
    // Written so that a number that is none fails, too.
    if found.len() == expected.len() && apart <= NEAR * largest {
        return Ok(());
    }
    Err(PluginError::new(format!("{what} differ by {apart:e}, where the largest is {largest:e}")))
}

/// Prompts of two lengths side by side, then a token more for each, and the rows exchanged, against each by itself.
pub(super) fn cached(network: &Arc<Network>) -> Result<()> {
    let rows = sequences(network, [6, 4]).map(|sequence| sequence.ids);
    let alone = |row: &[u32]| {
        let logits = network.logits(row.iter().map(|&id| id as i32).collect(), 1)?;
        Ok(logits[logits.len() - network.spec().vocab_size..].to_vec())
    };
    let expected = |more: usize| rows.each_ref().map(|row| alone(&row[..row.len() - 2 + more]));
    let both = |more| expected(more).into_iter().collect::<Result<Vec<_>>>();
    let prompts = rows.each_ref().map(|row| row[..row.len() - 2].to_vec());
    let next = |at: usize| rows.each_ref().map(|row| row[row.len() - 2 + at]);
    let (cache, logits) = network.prefill(&prompts, 0)?;
    near(
        "the logits after prompts of two lengths, filled up on the left, and after each alone",
        &logits,
        &both(0)?.concat(),
    )?;
    let what = "the logits of a token that goes on from the cache, and those of the whole sequence";
    near(what, &network.step(&cache, &next(0))?, &both(1)?.concat())?;
    cache.lock().unwrap_or_else(PoisonError::into_inner).reorder(&[1, 0])?;
    let [first, second] = next(1);
    let mut exchanged = both(2)?;
    exchanged.reverse();
    let what = "the logits of rows that were exchanged, and those of the whole sequences";
    near(what, &network.step(&cache, &[second, first])?, &exchanged.concat())
}

type Gradients = (f64, BTreeMap<String, Vec<f32>>);

pub(super) fn gradients(network: &Arc<Network>, batch: &Batch, checkpointing: bool) -> Result<Gradients> {
    let (loss, grads) = network.gradients(batch, 1.0, 7, checkpointing)?;
    let grads = grads.0.into_iter().map(|(name, grad)| Ok((name, grad.to_f32()?)));
    Ok((loss, grads.collect::<Result<_>>()?))
}

fn same(what: &str, (loss, grads): &Gradients, (other, expected): &Gradients) -> Result<()> {
    near(&format!("the losses {what}"), &[*loss as f32], &[*other as f32])?;
    // A part through which nothing goes may be missing in one and zero in the other.
    let none = Vec::new();
    for name in grads.keys().chain(expected.keys()) {
        let filled = |grads: &BTreeMap<String, Vec<f32>>, length: usize| match grads.get(name).unwrap_or(&none) {
            grad if grad.is_empty() => vec![0.0; length],
            grad => grad.clone(),
        };
        let length = grads.get(name).or(expected.get(name)).map_or(0, Vec::len);
        near(&format!("the gradients of `{name}` {what}"), &filled(grads, length), &filled(expected, length))?;
    }
    Ok(())
}

/// Sequences one after the other in a row, against a row each. Gradients only where nothing is dropped: what is depends
/// on where a token stands.
pub(super) fn packed(network: &Arc<Network>) -> Result<()> {
    let [first, second] = sequences(network, [5, 3]);
    let (apart, together) = (Batch::new([&first, &second], 0), Batch::packed([vec![&second, &first]], 0));
    let what = "of packed sequences and of each in its row";
    let loss = |batch| network.evaluate(batch).map(|(loss, _)| loss as f32);
    near(&format!("the losses {what}"), &[loss(&together)?], &[loss(&apart)?])?;
    let dropping = network.gradients(&apart, 1.0, 7, false)?.0 != network.gradients(&apart, 1.0, 8, false)?.0;
    match dropping {
        true => Ok(()),
        false => same(what, &gradients(network, &together, false)?, &gradients(network, &apart, false)?),
    }
}

/// Blocks that are computed a second time on the way back.
pub(super) fn checkpointed(network: &Arc<Network>) -> Result<()> {
    let batch = Batch::new(&sequences(network, [5, 3]), 0);
    let (kept, again) = (gradients(network, &batch, false)?, gradients(network, &batch, true)?);
    same("with activation checkpointing and without", &again, &kept)
}

/// The toy model without an adapter, its weights still to be set.
fn toy(network: &Network) -> Result<Arc<Network>> {
    let model = conformance::toy()?;
    Ok(Arc::new(Network::new(Parts { model, adapter: None, device: network.device().clone() })?))
}

/// The toy model with the base weights of `network`.
fn base(network: &Network) -> Result<Arc<Network>> {
    let base = toy(network)?;
    for param in &network.spec().params {
        base.set(&param.name, value(network, param)?)?;
    }
    Ok(base)
}

fn logits(network: &Arc<Network>) -> Result<Vec<f32>> {
    let [row, _] = sequences(network, [6, 1]);
    network.logits(row.ids.iter().map(|&id| id as i32).collect(), 1)
}

/// An adapter that has not been trained leaves the model as it is, unless it puts virtual tokens before sequences.
pub(super) fn same_start(network: &Arc<Network>) -> Finding {
    if network.plan().prompt + network.plan().prefix > 0 {
        return Finding::skipped(STARTED, "virtual tokens change the model");
    }
    let compare = || {
        near("the logits with the adapter at its start and without it", &logits(network)?, &logits(&base(network)?)?)
    };
    Finding::of(STARTED, compare())
}

/// The adapter folded into the weights, against the adapter beside them.
pub(super) fn merged(network: &Arc<Network>) -> Finding {
    let compare = || {
        let folded = toy(network)?;
        for param in &network.spec().params {
            match network.merged(&param.name) {
                Ok(Some(value)) => folded.set(&param.name, value)?,
                Ok(None) => return Err(PluginError::new(format!("`{}` was lost", param.name))),
                Err(e) => return Ok(Some(e.message)),
            }
        }
        near("the logits of the merged model, and those with the adapter", &logits(&folded)?, &logits(network)?)?;
        Ok(None)
    };
    match compare() {
        Ok(Some(why)) => Finding::skipped(MERGED, why),
        Ok(None) => Finding::of(MERGED, Ok(())),
        Err(e) => Finding::of::<()>(MERGED, Err(e)),
    }
}
