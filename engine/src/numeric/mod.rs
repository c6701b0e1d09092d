//! What a model or an adapter computes, in numbers: what `framework check-plugin` tries beyond shapes.
//!
//! Networks are small and their weights random, the sequences short. Each check compares two ways to one result.

mod compare;
mod gradient;
mod parity;
#[cfg(test)]
mod tests;

use crate::{
    build::init::{initial, rng},
    build::{put, start},
};
use compare::{cached, checkpointed, merged, packed, same_start};
use framework_core::{
    Init, Kind, Param, PluginError, Result, Role,
    conformance::{self, CACHED, CHECKPOINTED, Finding, GRADIENTS, PACKED, why_uncached, why_unpacked},
    ffi::{AdapterObject, ModelObject},
};
use framework_executor::{Device, Network, Parts, Value};
use framework_registry::Entry;
use framework_text::data::Sequence;
use gradient::finite_differences;
pub use parity::parity;
use rand::Rng;
use serde_json::Value as Json;
use std::sync::Arc;

/// Numbers that are enough to see what is wrong, and not too many to compute with.
const MOST: usize = 100_000_000;

/// Tries a model or an adapter out by its example; nothing for other kinds, and if the example is wrong.
pub fn check(entry: &Entry) -> Vec<Finding> {
    let Ok(options) = conformance::example(&entry.about) else { return Vec::new() };
    match entry.about.kind {
        Kind::Model => model(entry, &options),
        Kind::Adapter => adapter(entry, &options),
        _ => Vec::new(),
    }
}

fn model(entry: &Entry, options: &Json) -> Vec<Finding> {
    let Some((model, spec)) = conformance::smaller(options, |options| entry.model(options)) else { return Vec::new() };
    if spec.params.iter().map(Param::len).sum::<usize>() > MOST {
        return vec![Finding::skipped("numbers", "the example is too large to compute with; give a smaller one")];
    }
    let network = match conformance::everything().and_then(|all| network(model, Some(all))) {
        Ok(network) => network,
        Err(e) => return vec![Finding::of::<()>("numbers", Err(e))],
    };
    vec![
        Finding::unless(CACHED, why_uncached(&spec, &network.plan().needs), || cached(&network)),
        Finding::unless(PACKED, why_unpacked(&spec, &network.plan().needs), || packed(&network)),
        Finding::of(CHECKPOINTED, checkpointed(&network)),
        Finding::of(GRADIENTS, finite_differences(&network)),
    ]
}

fn adapter(entry: &Entry, options: &Json) -> Vec<Finding> {
    let attached = || entry.adapter(options).and_then(|adapter| network(conformance::toy()?, Some(adapter)));
    let network = match attached() {
        Ok(network) => network,
        // It was told already whether that is right.
        Err(e) => return vec![Finding::skipped("numbers", format!("not on the made-up model: {}", e.message))],
    };
    let mut findings = vec![same_start(&network)];
    if let Err(e) = network.plan().params.iter().try_for_each(|param| vary(&network, param)) {
        return vec![Finding::of::<()>("numbers", Err(e))];
    }
    findings.extend([
        Finding::unless(CACHED, why_uncached(network.spec(), &network.plan().needs), || cached(&network)),
        Finding::unless(PACKED, why_unpacked(network.spec(), &network.plan().needs), || packed(&network)),
        Finding::of(CHECKPOINTED, checkpointed(&network)),
        merged(&network),
    ]);
    findings
}

/// A network with random weights and an adapter at its start.
fn network(model: ModelObject, adapter: Option<AdapterObject>) -> Result<Arc<Network>> {
    let network = Arc::new(Network::new(Parts { model, adapter, device: Device::cpu() })?);
    for param in &network.spec().params {
        put(&network, param, start(network.spec(), param, 1).map_err(failed)?).map_err(failed)?;
        vary(&network, param)?;
    }
    for param in &network.plan().params {
        put(&network, param, start(network.spec(), param, 1).map_err(failed)?).map_err(failed)?;
    }
    network.start_adapter()?;
    Ok(network)
}

/// Moves a parameter by random numbers, of a size that its role makes harmless.
fn vary(network: &Network, param: &Param) -> Result<()> {
    let input = param.shape.last().copied().unwrap_or(1).max(1);
    let size = match param.role {
        Role::Linear | Role::Output => 1.5 / (input as f64).sqrt(),
        Role::Embedding => 0.5,
        _ => 0.2,
    };
    let numbers = value(network, param)?.to_f32()?.into_iter().zip(random(param, size, 2)?);
    put(network, param, numbers.map(|(number, noise)| number + noise).collect()).map_err(failed)
}

/// As many numbers as a parameter has, between minus and plus `size`.
fn random(param: &Param, size: f64, seed: u64) -> Result<Vec<f32>> {
    let mut param = param.clone();
    param.init = Init::Uniform(size);
    initial(&param, seed)
}

fn value(network: &Network, param: &Param) -> Result<Value> {
    network.param(&param.name).ok_or_else(|| PluginError::new(format!("`{}` was lost", param.name)))
}

/// By how much numbers differ at most, and the largest that is expected. What is no number stays none.
fn apart(found: &[f32], expected: &[f32]) -> (f32, f32) {
    let most = |most: f32, n: f32| if most.is_nan() || n <= most { most } else { n };
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    (differences.fold(0.0, most), expected.iter().map(|n| n.abs()).fold(0.0, most))
}

/// Two sequences of these lengths. The first ids are left to special tokens.
fn sequences(network: &Network, lengths: [usize; 2]) -> [Sequence; 2] {
    let (mut rng, vocabulary) = (rng(3, "sequences"), network.spec().vocab_size as u32);
    let lowest = 4.min(vocabulary - 1);
    lengths.map(|length| {
        let ids: Vec<u32> = (0..length).map(|_| lowest + rng.next_u32() % (vocabulary - lowest)).collect();
        Sequence { labels: ids.iter().map(|&id| id as i32).collect(), ids }
    })
}

fn failed(e: framework_base::Error) -> PluginError {
    PluginError::new(e.to_string())
}
