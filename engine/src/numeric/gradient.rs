//! Gradients against differences of the loss.

use super::{compare::gradients, failed, random, sequences, value};
use crate::build::put;
use framework_core::{Param, PluginError, Result};
use framework_executor::Network;
use framework_text::data::Batch;
use std::{collections::BTreeMap, sync::Arc};

/// The length of the step to either side.
const STEP: f64 = 4e-3;

/// The derivative of the loss along directions in which parameters of one name, in all blocks, move together: half along
/// their gradient and half at random.
pub(super) fn finite_differences(network: &Arc<Network>) -> Result<()> {
    let batch = Batch::new(&sequences(network, [5, 3]), 0);
    let (loss, grads) = gradients(network, &batch, false)?;
    for (name, params) in groups(&network.spec().params) {
        let directions = params.iter().map(|param| direction(param, grads.get(&param.name)));
        let directions = directions.collect::<Result<Vec<_>>>()?;
        let length = directions.iter().flatten().map(|n| n * n).sum::<f64>().sqrt();
        if length == 0.0 {
            continue;
        }
        let along = |(param, direction): (&&Param, &Vec<f64>)| {
            let grad = grads.get(&param.name).into_iter().flatten();
            grad.zip(direction).map(|(g, d)| f64::from(*g) * d / length).sum::<f64>()
        };
        let expected: f64 = params.iter().zip(&directions).map(along).sum();
        let at = |sign: f64| moved(network, &params, &directions, sign * STEP / length, &batch);
        let found = (at(1.0)? - at(-1.0)?) / (2.0 * STEP);
        // What 32 bits leave of a difference of two losses, and the curve between them.
        let limit = 2e-3 * (1.0 + loss.abs() / 20.0) + 0.05 * expected.abs();
        // A number that is none is wrong, too.
        let apart = (found - expected).abs();
        if apart.is_nan() || apart > limit {
            let message = format!("the loss moves by {found:.5} along `{name}`, and its gradient says {expected:.5}");
            return Err(PluginError::new(message));
        }
    }
    Ok(())
}

/// Parameters by their names without numbers.
fn groups(params: &[Param]) -> BTreeMap<String, Vec<&Param>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for param in params {
        let parts = param.name.split('.').map(|part| if part.parse::<usize>().is_ok() { "*" } else { part });
        groups.entry(parts.collect::<Vec<_>>().join(".")).or_default().push(param);
    }
    groups
}

fn direction(param: &Param, grad: Option<&Vec<f32>>) -> Result<Vec<f64>> {
    let random = random(param, 0.5, 4)?;
    let length = |numbers: &[f32]| numbers.iter().map(|n| f64::from(*n).powi(2)).sum::<f64>().sqrt();
    let of_grad = grad.map_or(0.0, |grad| length(grad));
    let scale = of_grad / length(&random).max(1e-12);
    Ok(match grad.filter(|_| of_grad > 0.0) {
        Some(grad) => grad.iter().zip(random).map(|(g, r)| f64::from(*g) + f64::from(r) * scale).collect(),
        None => random.into_iter().map(f64::from).collect(),
    })
}

/// The loss with parameters moved.
fn moved(network: &Arc<Network>, params: &[&Param], directions: &[Vec<f64>], by: f64, batch: &Batch) -> Result<f64> {
    let mut before = Vec::new();
    for (param, direction) in params.iter().zip(directions) {
        let value = value(network, param)?;
        let numbers = value.to_f32()?.into_iter().zip(direction).map(|(n, d)| (f64::from(n) + by * d) as f32).collect();
        put(network, param, numbers).map_err(failed)?;
        before.push(value);
    }
    let loss = gradients(network, batch, false).map(|(loss, _)| loss);
    for (param, value) in params.iter().zip(before) {
        network.set(&param.name, value)?;
    }
    loss
}
