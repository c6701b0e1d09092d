//! Derivatives against differences of the loss.

use super::start::{random, sequences, size};
use crate::{
    Param, PluginError, Result,
    reference::{Array, Dual, Place, Reference},
};
use std::{collections::BTreeMap, slice::from_ref};

/// The sum of cross-entropies of a sequence's tokens.
fn loss(network: &Reference) -> Result<Dual> {
    let [row, _] = sequences(&network.spec);
    network.forget();
    let logits = network.logits(from_ref(&row), false)?;
    let label = |place: &Place| if let Place::Token { id, .. } = place { *id } else { 0 };
    let mut sum = Dual::default();
    for (logits, next) in logits.iter().zip(&row[1..]) {
        let shift = logits.iter().fold(f64::NEG_INFINITY, |most, x| most.max(x.value));
        let all = logits.iter().fold(Dual::default(), |sum, x| sum + (*x - Dual::from(shift)).exp());
        sum = sum + all.ln() + Dual::from(shift) - logits[label(next)];
    }
    Ok(sum)
}

/// Moves parameters of these names along a random direction and compares the loss with its derivative.
fn along(network: &Reference, params: &[&Param]) -> Result<[f64; 2]> {
    const STEP: f64 = 1e-6;
    let before: Vec<_> = params.iter().map(|param| network.get(&param.name)).collect::<Result<_>>()?;
    let set = |at: f64, slope: f64| {
        for (param, value) in params.iter().zip(&before) {
            let moved = value.data.iter().zip(random(&param.name, 4)).map(|(number, direction)| {
                let direction = direction * size(param);
                Dual { value: number.value + at * direction, slope: slope * direction }
            });
            network.set(&param.name, Array::new(&param.shape, moved.collect(), value.dtype));
        }
    };
    set(0.0, 1.0);
    let slope = loss(network)?.slope;
    set(STEP, 0.0);
    let ahead = loss(network)?.value;
    set(-STEP, 0.0);
    let behind = loss(network)?.value;
    params.iter().zip(before).for_each(|(param, value)| network.set(&param.name, value));
    Ok([(ahead - behind) / (2.0 * STEP), slope])
}

/// All parameters at once; if that is wrong, those of each name by themselves, to say which.
pub(super) fn gradients(network: &Reference) -> Result<()> {
    let limit = |found: f64| 1e-6 + 1e-4 * found.abs();
    // Written so that a number that is none is wrong, too.
    let right = |[found, slope]: [f64; 2]| (found - slope).abs() <= limit(found);
    let all: Vec<_> = network.spec.params.iter().collect();
    let whole = along(network, &all)?;
    if right(whole) {
        return Ok(());
    }
    let mut groups: BTreeMap<String, Vec<&Param>> = BTreeMap::new();
    for param in all {
        let parts = param.name.split('.').map(|part| if part.parse::<usize>().is_ok() { "*" } else { part });
        groups.entry(parts.collect::<Vec<_>>().join(".")).or_default().push(param);
    }
    for (name, params) in groups {
        let both = along(network, &params)?;
        if !right(both) {
            let [found, slope] = both;
            let message = format!("the loss moves by {found:.6} along `{name}`, and its gradient says {slope:.6}");
            return Err(PluginError::new(message));
        }
    }
    let [found, slope] = whole;
    let message = format!("the loss moves by {found:.6} along all parameters, and its gradient says {slope:.6}");
    Err(PluginError::new(message))
}
