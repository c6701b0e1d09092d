//! Checks of models, adapters and optimizers, on shapes without data.

use super::{expect, options, plugin};
use crate::{Kind, ModelSpec, Result, conformance};

pub use conformance::toy_spec;

/// Runs a model of this `config.json` over 2 sequences of 7 tokens: every parameter that is used must be declared,
/// every declared one used, and the stages must pass on `[2, 7, hidden]`.
pub fn model(name: &str, config: &serde_json::Value) -> ModelSpec {
    let (build, label) = plugin(Kind::Model, name);
    expect(conformance::model(&build, &label, config))
}

/// Attaches an adapter to [`toy_spec`]: what it names must exist, what it adds must be used, and projections must keep
/// their shape, merged or not. Returns its plan.
pub fn adapter(name: &str, table: &str) -> Result<crate::AdapterPlan> {
    let (build, label) = plugin(Kind::Adapter, name);
    conformance::adapter(&build, &label, &options(table), &conformance::toy()?)
}

/// Updates a matrix and a vector twice: shapes and states must stay.
pub fn optimizer(name: &str, table: &str) -> Result<()> {
    let (build, label) = plugin(Kind::Optimizer, name);
    conformance::optimizer(&build, &label, &options(table))
}
