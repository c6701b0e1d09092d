//! Checks of models, adapters and optimizers, on shapes without data.

use super::toy::toy;
use super::wrong;
use crate::{
    AdapterPlan, DType, Init, ModelSpec, Param, Result, Role,
    ffi::{AdaptedObject, Build, ModelObject},
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
    let step = MetaHost::cached(&spec, None, BATCH, 1, TIME)?;
    forward(&model, &step, &spec).map_err(|e| e.in_plugin(label))?;
    Ok(spec)
}

/// Attaches an adapter to a model and runs it on shapes, once over whole sequences and once for one more token: what it
/// names must exist, what it adds must be used, shapes must stay, and so must those of merged weights. Returns its
/// plan.
pub fn adapter(build: &Build, label: &str, options: &Value, model: &ModelObject) -> Result<AdapterPlan> {
    let (built, spec) = (|| build.adapter(label, options), model.spec()?);
    let plan = built()?.plan(&spec)?;
    if let Some(name) = plan.trained.iter().find(|name| spec.get(name).is_none()) {
        return Err(wrong(label, format!("it trains `{name}`, which the model does not have")));
    }
    let host = MetaHost::new(&spec, Some(built()?), BATCH, TIME)?;
    forward(model, &host, &spec).map_err(|e| e.in_plugin(label))?;
    let used = host.cost().used;
    if let Some(param) = plan.params.iter().find(|p| !used.contains(&p.name)) {
        return Err(wrong(label, format!("it adds `{}` and does not use it", param.name)));
    }
    let step = MetaHost::cached(&spec, Some(built()?), BATCH, 1, TIME)?;
    forward(model, &step, &spec).map_err(|e| e.in_plugin(label))?;
    let attached = built()?.open(&spec)?;
    merge(&attached, label, &spec, &host)?;
    made(&attached, label, &host)?;
    if let Some(config) = &plan.peft_config {
        let read = build.adapter_options(label, config)?;
        let again = build.adapter(label, &read)?.plan(&spec)?;
        let tensors = |plan: &AdapterPlan| match plan.saved.is_empty() {
            true => plan.own_trained().map(|p| (p.name.clone(), p.shape.clone())).collect(),
            false => plan.saved.clone(),
        };
        if tensors(&again) != tensors(&plan) {
            return Err(wrong(label, "it does not read its own PEFT config back"));
        }
    }
    Ok(plan)
}

/// Computes what is declared to be computed: initial values, and tensors for PEFT's file.
fn made(adapter: &AdaptedObject, label: &str, host: &Arc<MetaHost>) -> Result<()> {
    let (cx, plan) = (host.context(), adapter.plan());
    for index in &plan.initial {
        let (param, shape) = (&plan.params[*index], adapter.initial(&cx, *index)?.shape());
        if shape != param.shape {
            return Err(wrong(label, format!("`{}` of {:?} starts as {shape:?}", param.name, param.shape)));
        }
    }
    if plan.saved.is_empty() {
        return Ok(());
    }
    let found: Vec<_> = adapter.saved(&cx)?.iter().map(crate::Tensor::shape).collect();
    let expected: Vec<_> = plan.saved.iter().map(|(_, shape)| shape.clone()).collect();
    match found == expected {
        true => Ok(()),
        false => Err(wrong(label, format!("it declares saved tensors of {expected:?} and gives {found:?}"))),
    }
}

/// Merges every site, unless the adapter cannot be merged at all.
fn merge(adapter: &AdaptedObject, label: &str, spec: &ModelSpec, host: &Arc<MetaHost>) -> Result<()> {
    let cx = host.context();
    for (site, module) in adapter.plan().sites.iter().enumerate() {
        let Some(weight) = spec.params.iter().find(|p| p.module() == module) else {
            return Err(wrong(label, format!("it names `{module}`, which the model does not have")));
        };
        let bias = spec.get(&format!("{module}.bias")).map(|bias| host.tensor(&bias.shape, DType::F32));
        let Ok((merged, _)) = adapter.merge(&cx, site, host.tensor(&weight.shape, DType::F32), bias) else { continue };
        if merged.shape() != weight.shape {
            let shape = merged.shape();
            return Err(wrong(label, format!("merging changes the shape of `{module}` to {shape:?}")));
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
    let host = MetaHost::new(&toy()?.spec()?, None, 1, 1)?;
    let zeros = |shape: &[usize]| host.tensor(shape, DType::F32);
    for shape in [vec![4, 3], vec![5]] {
        let param = Param::new("w", &shape, Init::Zeros, Role::Other);
        let opened = optimizer.open(std::slice::from_ref(&param))?;
        let shapes: Vec<_> = opened.states()[0].iter().map(|s| s.shape.clone()).collect();
        let mut state: Vec<_> = shapes.iter().map(|s| zeros(s)).collect();
        for step in 1..=2 {
            let (_, next) = opened.update(rate, step, 0, (zeros(&shape), zeros(&shape)), state)?;
            let after: Vec<_> = next.iter().map(|s| s.shape()).collect();
            if after != shapes {
                return Err(wrong(label, format!("it declares state {shapes:?} and returns {after:?}")));
            }
            state = next;
        }
    }
    Ok(())
}
