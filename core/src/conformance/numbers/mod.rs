//! What a model or an adapter computes, in numbers: each check compares two ways to one result, on the reference run of
//! [`crate::reference`]. Networks are small and their weights random, the sequences short.

mod compare;
mod gradient;
mod start;

use super::{Finding, toy};
use crate::{
    About, Kind, ModelSpec, Needs, Param, Result,
    ffi::{AdapterObject, Build, ModelObject},
    reference::Reference,
};
use compare::{cached, merged, packed, same_start, twice};
use gradient::gradients;
use serde_json::Value;
use start::{started, vary};

/// Logits with a cache and with padding against those of each sequence alone.
pub const CACHED: &str = "cache and padding change nothing";
/// Several sequences in a row against each in a row of its own.
pub const PACKED: &str = "packing changes nothing";
/// Blocks that are computed twice against blocks that are computed once.
pub const CHECKPOINTED: &str = "checkpointing changes nothing";
/// Derivatives against differences of the loss.
pub const GRADIENTS: &str = "gradients are those of finite differences";
/// An adapter that is not trained yet against the base model.
pub const STARTED: &str = "its start changes nothing";
/// The adapter folded into the weights against the adapter beside them.
pub const MERGED: &str = "merging changes nothing";

/// Sizes that show as much as larger ones, where a configuration can have them.
const SMALLER: [(&str, u64); 3] = [("vocab_size", 96), ("num_hidden_layers", 2), ("n_layer", 2)];

/// Parameters that are not too many to compute with here.
const MOST: usize = 8_000_000;

/// Checks a model or an adapter in numbers; nothing for other kinds, and nothing if it cannot be built.
pub fn numbers(about: &About, build: &Build, label: &str, options: &Value) -> Vec<Finding> {
    match about.kind {
        Kind::Model => smaller(options, |options| build.model(label, options)).map_or(Vec::new(), of_model),
        Kind::Adapter => build.adapter(label, options).map_or(Vec::new(), of_adapter),
        _ => Vec::new(),
    }
}

/// A model of this configuration with fewer tokens and blocks, if it can be had, and what it declares.
pub fn smaller(options: &Value, build: impl Fn(&Value) -> Result<ModelObject>) -> Option<(ModelObject, ModelSpec)> {
    let mut small = options.clone();
    for (key, size) in SMALLER {
        if options[key].as_u64().is_some_and(|given| given > size) {
            small[key] = size.into();
        }
    }
    let built = |options: &Value| build(options).and_then(|model| Ok((model.spec()?, model)));
    built(&small).or_else(|_| built(options)).ok().map(|(spec, model)| (model, spec))
}

/// Why a network is never run behind a cache, if its plugins say so.
pub fn why_uncached(spec: &ModelSpec, of_adapter: &Needs) -> Option<&'static str> {
    let cached = spec.is_cacheable() && !of_adapter.uncached;
    (!cached).then_some("it computes whole sequences only, as it says")
}

/// Why a network never sees several sequences in a row, if its plugins say so.
pub fn why_unpacked(spec: &ModelSpec, of_adapter: &Needs) -> Option<&'static str> {
    (spec.needs.unpacked || of_adapter.unpacked).then_some("it needs each sequence in a row of its own, as it says")
}

fn of_model((model, spec): (ModelObject, ModelSpec)) -> Vec<Finding> {
    if spec.params.iter().map(Param::len).sum::<usize>() > MOST {
        let why = "the example is too large to compute with here; `framework check-plugin` does";
        return vec![Finding::skipped("numbers", why)];
    }
    let network = match Reference::new(model, None).and_then(|network| started(&network).map(|()| network)) {
        Ok(network) => network,
        Err(e) => return vec![Finding::of::<()>("numbers", Err(e))],
    };
    let needs = Needs::default();
    vec![
        Finding::unless(CACHED, why_uncached(&spec, &needs), || cached(&network)),
        Finding::unless(PACKED, why_unpacked(&spec, &needs), || packed(&network)),
        Finding::of(CHECKPOINTED, twice(&network)),
        Finding::of(GRADIENTS, gradients(&network)),
    ]
}

fn of_adapter(adapter: AdapterObject) -> Vec<Finding> {
    let attached = || {
        let network = Reference::new(toy()?, Some(adapter))?;
        started(&network).map(|()| network)
    };
    let network = match attached() {
        Ok(network) => network,
        // Whether it may refuse the made-up model is told by another check.
        Err(e) => return vec![Finding::skipped("numbers", format!("not on the made-up model: {}", e.message))],
    };
    let plan = network.adapter().map(|adapter| adapter.plan().clone()).unwrap_or_default();
    let virtual_tokens = (plan.prompt + plan.prefix > 0).then_some("virtual tokens change the model");
    let mut findings = vec![Finding::unless(STARTED, virtual_tokens, || same_start(&network))];
    for param in &plan.params {
        if let Err(e) = vary(&network, param) {
            return vec![Finding::of::<()>("numbers", Err(e))];
        }
    }
    findings.extend([
        Finding::unless(CACHED, why_uncached(&network.spec, &plan.needs), || cached(&network)),
        Finding::unless(PACKED, why_unpacked(&network.spec, &plan.needs), || packed(&network)),
        Finding::of(CHECKPOINTED, twice(&network)),
        virtual_tokens.map_or_else(|| merged(&network), |why| Finding::skipped(MERGED, why)),
    ]);
    findings
}
