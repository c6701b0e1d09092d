//! Checks of models, adapters and optimizers, on shapes without data.

use super::wrong;
use crate::{
    AdapterPlan, DType, Init, ModelSpec, Param, Result, Role, Update,
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
    let mut spec = ModelSpec {
        blocks: 2,
        hidden_size: 8,
        vocab_size: 32,
        output: "lm_head.weight".into(),
        ..ModelSpec::default()
    };
    spec.param("embed.weight", &[32, 8], Init::Normal(0.02), Role::Embedding);
    for i in 0..2 {
        for (module, out, bias) in [("attn.q_proj", 8, true), ("attn.v_proj", 8, false), ("mlp.up_proj", 16, false)] {
            spec.linear(&format!("layers.{i}.{module}"), out, 8, bias, Init::Normal(0.02));
        }
    }
    spec.param("lm_head.weight", &[32, 8], Init::Normal(0.02), Role::Output);
    spec
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
        let param = Param { name: "w".into(), shape: shape.clone(), init: Init::Zeros, role: Role::Other, block: None };
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
