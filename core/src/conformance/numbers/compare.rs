//! Two ways to one result.

use super::{MERGED, start::sequences};
use crate::{
    PluginError, Result,
    conformance::{Finding, toy},
    ffi,
    reference::{Dual, Place, Reference},
};
use std::{slice::from_ref, sync::Arc};

/// Parts of the largest number by which results may differ.
const NEAR: f64 = 1e-9;

/// The logits after each token of these rows, in a run of their own.
fn fresh(network: &Reference, rows: &[Vec<Place>], again: bool) -> Result<Vec<Vec<f64>>> {
    network.forget();
    behind(network, rows, again)
}

/// The same behind what the run remembers.
fn behind(network: &Reference, rows: &[Vec<Place>], again: bool) -> Result<Vec<Vec<f64>>> {
    let values = |row: Vec<Dual>| row.into_iter().map(|number| number.value).collect();
    Ok(network.logits(rows, again)?.into_iter().map(values).collect())
}

fn near(what: &str, found: &[Vec<f64>], expected: &[Vec<f64>]) -> Result<()> {
    let (found, expected) = (found.concat(), expected.concat());
    let most = |most: f64, n: f64| if most.is_nan() || n <= most { most } else { n };
    let apart = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, most);
    let largest = expected.iter().map(|n| n.abs()).fold(1e-3, most);
    // Written so that a number that is none fails, too.
    if found.len() == expected.len() && apart <= NEAR * largest {
        return Ok(());
    }
    Err(PluginError::new(format!("{what} differ by {apart:e}, where the largest is {largest:e}")))
}

/// Prompts of two lengths side by side, a token more for each, and the rows exchanged, against each sequence alone.
pub(super) fn cached(network: &Reference) -> Result<()> {
    let [first, second] = sequences(&network.spec);
    let alone = [fresh(network, from_ref(&first), false)?, fresh(network, from_ref(&second), false)?];
    network.forget();
    let mut padded = vec![Place::Padding; first.len() - second.len()];
    padded.extend(&second[..second.len() - 2]);
    let prompts = behind(network, &[first[..first.len() - 2].to_vec(), padded], false)?;
    let expected = [&alone[0][..first.len() - 2], &alone[1][..second.len() - 2]].concat();
    near("the logits after prompts of two lengths, filled up on the left, and after each alone", &prompts, &expected)?;
    let at = |sequence: &[Place], from_end: usize| sequence[sequence.len() - from_end];
    let step = behind(network, &[vec![at(&first, 2)], vec![at(&second, 2)]], false)?;
    let of = |which: usize, from_end: usize| alone[which][alone[which].len() - from_end].clone();
    let what = "the logits of a token that goes on from the cache, and those of the whole sequence";
    near(what, &step, &[of(0, 2), of(1, 2)])?;
    let step = behind(network, &[vec![at(&second, 1)], vec![at(&first, 1)]], false)?;
    near("the logits of rows that were exchanged, and those of the whole sequences", &step, &[of(1, 1), of(0, 1)])
}

/// Sequences one after the other in a row against a row each.
pub(super) fn packed(network: &Reference) -> Result<()> {
    let [first, second] = sequences(&network.spec);
    let mut together = fresh(network, &[[second.clone(), first.clone()].concat()], false)?;
    together.rotate_left(second.len());
    let mut apart = fresh(network, &[first], false)?;
    apart.extend(fresh(network, &[second], false)?);
    near("the logits of packed sequences and of each in its row", &together, &apart)
}

/// Blocks that are computed a second time.
pub(super) fn twice(network: &Reference) -> Result<()> {
    let [row, _] = sequences(&network.spec);
    let (once, again) = (fresh(network, from_ref(&row), false)?, fresh(network, &[row], true)?);
    near("the logits with blocks that are computed twice, and those with blocks that are computed once", &again, &once)
}

/// The toy model without an adapter, with the base weights of `network`.
fn base(network: &Reference) -> Result<Arc<Reference>> {
    let base = Reference::new(toy()?, None)?;
    for param in &network.spec.params {
        base.set(&param.name, network.get(&param.name)?);
    }
    Ok(base)
}

pub(super) fn same_start(network: &Reference) -> Result<()> {
    let [row, _] = sequences(&network.spec);
    let (with, without) = (fresh(network, from_ref(&row), false)?, fresh(&*base(network)?, &[row], false)?);
    near("the logits with the adapter at its start and without it", &with, &without)
}

pub(super) fn merged(network: &Reference) -> Finding {
    let fold = || -> Result<Option<String>> {
        let (folded, Some(adapter)) = (base(network)?, network.adapter()) else { return Ok(None) };
        let cx = network.context()?;
        for (site, module) in adapter.plan().sites.iter().enumerate() {
            let weight = network.spec.params.iter().find(|param| param.module() == module);
            let weight = weight.ok_or_else(|| PluginError::new(format!("there is no `{module}`")))?;
            let bias = network.spec.get(&format!("{module}.bias"));
            let given = bias.map(|bias| folded.get(&bias.name)).transpose()?.map(ffi::wrap);
            match adapter.merge(&cx, site, ffi::wrap(folded.get(&weight.name)?), given) {
                Ok((new, new_bias)) => {
                    folded.set(&weight.name, ffi::unwrap(new)?);
                    if let (Some(bias), Some(new)) = (bias, new_bias) {
                        folded.set(&bias.name, ffi::unwrap(new)?);
                    }
                }
                Err(e) => return Ok(Some(e.message)),
            }
        }
        let [row, _] = sequences(&network.spec);
        let (merged, beside) = (fresh(&folded, from_ref(&row), false)?, fresh(network, &[row], false)?);
        near("the logits of the merged model, and those with the adapter", &merged, &beside)?;
        Ok(None)
    };
    match fold() {
        Ok(Some(why)) => Finding::skipped(MERGED, why),
        Ok(None) => Finding::of(MERGED, Ok(())),
        Err(e) => Finding::of::<()>(MERGED, Err(e)),
    }
}
