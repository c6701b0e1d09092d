//! Checks of models, adapters and optimizers, on shapes without data.

use super::wrong;
use crate::{
    AdapterPlan, DType, Dense, Heads, Init, Logits, ModelSpec, Param, Result, Role, Sizes, Table, Update,
    ffi::{AdapterObject, Build},
    meta::{MetaHost, forward},
};
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};

const BATCH: usize = 2;
const TIME: usize = 7;

/// Runs a model of this `config.json` over 2 sequences of 7 tokens: every parameter that is used must be declared,
/// every declared one used, and the stages must pass on `[2, 7, hidden]`.
pub fn model(build: &Build, label: &str, config: &Value) -> Result<ModelSpec> {
    let model = build.model(label, config)?;
    let spec = model.spec()?;
    let names: BTreeSet<_> = spec.params.iter().map(|p| &p.name).collect();
    if names.len() < spec.params.len() {
        return Err(wrong(label, "it declares a parameter twice"));
    }
    let host = MetaHost::new(&spec, None, BATCH, TIME)?;
    forward(&model, &host, &spec).map_err(|e| e.in_plugin(label))?;
    let used = host.cost().used;
    let unused: Vec<_> = names.into_iter().filter(|n| !used.contains(*n)).map(|n| format!("`{n}`")).collect();
    if !unused.is_empty() {
        return Err(wrong(label, format!("it declares what no stage uses: {}", unused.join(", "))));
    }
    Ok(spec)
}

/// A small model to attach adapters to: two blocks of `attn.q_proj`, `attn.v_proj` and `mlp.up_proj`, width 8.
pub fn toy_spec() -> ModelSpec {
    let spec = ModelSpec::declared(|m| {
        m.sizes(Sizes { hidden: 8, vocab: 32, ..Sizes::default() });
        m.embedding("embed", Table { rows: 32, width: 8, padding: None, init: Init::Normal(0.02) });
        let blocks = m.blocks("layers", 2, |_, m| {
            m.attention(Heads { queries: 2, keys: 2, size: 4, ..Heads::default() });
            for (module, out, bias, layer) in [
                ("attn.q_proj", 8, true, "attention.query"),
                ("attn.v_proj", 8, false, "attention.value"),
                ("mlp.up_proj", 16, false, "mlp.up"),
            ] {
                m.linear(module, Dense { input: 8, out, bias, layer, ..Dense::default() });
            }
            Ok(())
        });
        debug_assert!(blocks.is_ok());
        m.output("lm_head", 8, 32, Logits::default());
    });
    spec.unwrap_or_default()
}

/// Attaches an adapter to a model: what it names must exist, what it adds must be used, and projections must keep
/// their shape, merged or not. Returns its plan.
pub fn adapter(build: &Build, label: &str, options: &Value, spec: &ModelSpec) -> Result<AdapterPlan> {
    let built = || build.adapter(label, options);
    let plan = built()?.plan(spec)?;
    if let Some(name) = plan.trained.iter().find(|name| spec.get(name).is_none()) {
        return Err(wrong(label, format!("it trains `{name}`, which the model does not have")));
    }
    let host = MetaHost::new(spec, Some(built()?), BATCH, TIME)?;
    intercept(&built()?, label, spec, &plan, &host).map_err(|e| e.in_plugin(label))?;
    let used = host.cost().used;
    if let Some(param) = plan.params.iter().find(|p| !used.contains(&p.name)) {
        return Err(wrong(label, format!("it adds `{}` and does not use it", param.name)));
    }
    if let Some(config) = &plan.peft_config {
        let read = build.adapter_options(label, config)?;
        if build.adapter(label, &read)?.plan(spec)?.params != plan.params {
            return Err(wrong(label, "it does not read its own PEFT config back"));
        }
    }
    Ok(plan)
}

/// Calls every hook of an adapter where the engine would.
fn intercept(
    adapter: &AdapterObject,
    label: &str,
    spec: &ModelSpec,
    plan: &AdapterPlan,
    host: &Arc<MetaHost>,
) -> Result<()> {
    let cx = host.context();
    let tensor = |shape: &[usize]| host.tensor(shape, DType::F32);
    for module in &plan.linears {
        let Some(weight) = spec.linears().find(|p| p.module() == module) else {
            return Err(wrong(label, format!("it names `{module}`, which is no projection")));
        };
        let (out, input) = (weight.shape[0], weight.shape[1]);
        let y = adapter.linear(&cx, module, tensor(&[BATCH, TIME, input]))?.shape();
        if y != [BATCH, TIME, out] {
            return Err(wrong(label, format!("it changes what `{module}` gives from [2, 7, {out}] to {y:?}")));
        }
        let merged = adapter.merge(&cx, module, tensor(&weight.shape))?.shape();
        if merged != weight.shape {
            return Err(wrong(label, format!("merging changes the shape of `{module}` to {merged:?}")));
        }
    }
    if plan.hooks {
        let hidden = adapter.embed(&cx, tensor(&[BATCH, TIME, spec.hidden_size]))?.shape();
        if hidden.len() != 3 || hidden[0] != BATCH || hidden[2] != spec.hidden_size {
            return Err(wrong(label, format!("it turns the embeddings into {hidden:?}")));
        }
        let size = spec.hidden_size / 2;
        for block in 0..spec.blocks {
            let states = || tensor(&[BATCH, 2, TIME, size]);
            let (k, v) = adapter.keys_values(&cx, block, states(), states())?;
            if k.shape() != v.shape() {
                return Err(wrong(label, format!("keys {:?} and values {:?} differ", k.shape(), v.shape())));
            }
        }
    }
    Ok(())
}

/// Updates a matrix and a vector twice: shapes and states must stay.
pub fn optimizer(build: &Build, label: &str, options: &Value) -> Result<()> {
    let optimizer = build.optimizer(label, options)?;
    let rate = optimizer.learning_rate()?;
    if rate.is_nan() || rate <= 0.0 {
        return Err(wrong(label, format!("its learning rate is {rate}, not positive")));
    }
    let host = MetaHost::new(&toy_spec(), None, 1, 1)?;
    let zeros = |shape: &[usize]| host.tensor(shape, DType::F32);
    for shape in [vec![4, 3], vec![5]] {
        let param = Param::new("w", &shape, Init::Zeros, Role::Other);
        let declared = optimizer.state(&param)?;
        let shapes: Vec<_> = declared.iter().map(|s| s.shape.clone()).collect();
        let mut state: Vec<_> = shapes.iter().map(|s| zeros(s)).collect();
        for step in 1..=2 {
            let update = Update { learning_rate: rate, step, param: &param };
            let (_, next) = optimizer.update(&update, zeros(&shape), zeros(&shape), state)?;
            let after: Vec<_> = next.iter().map(|s| s.shape()).collect();
            if after != shapes {
                return Err(wrong(label, format!("it declares state {shapes:?} and returns {after:?}")));
            }
            state = next;
        }
    }
    Ok(())
}
