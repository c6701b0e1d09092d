//! Shapes without data: runs any architecture before anything is allocated.
//!
//! The planner counts parameters, operations and activations with it; the test kit finds undeclared or misshapen
//! parameters.

mod infer;

use crate::{
    Ctx, CtxOp, DType, ModelSpec, Op, Param, PluginError, Result, Tensor,
    ffi::{self, AdapterObject, Host, HostTensor, ModelObject},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// What a pass would cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations, a multiplication and an addition counted as two.
    pub flops: u64,
    /// Elements of all tensors that were made.
    pub elements: u64,
    /// Names of the parameters that were used.
    pub used: BTreeSet<String>,
}

/// A tensor's shape and type.
#[derive(Clone)]
pub struct MetaTensor {
    shape: Vec<usize>,
    dtype: DType,
    /// Each element is one of this many values, assumed to be equally likely; a mask is true once in this many.
    choices: Option<usize>,
    cost: Arc<Mutex<Cost>>,
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MetaTensor {
    fn like(&self, shape: Vec<usize>, dtype: DType, flops: u64) -> Self {
        let mut cost = lock(&self.cost);
        cost.flops += flops;
        cost.elements += shape.iter().product::<usize>() as u64;
        Self { shape, dtype, choices: None, cost: self.cost.clone() }
    }
}

impl HostTensor for MetaTensor {
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }
    fn dtype(&self) -> DType {
        self.dtype
    }
    fn execute(op: Op, operands: Vec<Self>) -> Result<Self> {
        infer::infer(&op, &operands)
    }
}

/// A run without data.
pub struct MetaHost {
    spec: ModelSpec,
    params: BTreeMap<String, Vec<usize>>,
    adapter: Option<(AdapterObject, BTreeSet<String>)>,
    sequence: (usize, usize),
    cost: Arc<Mutex<Cost>>,
    this: Weak<MetaHost>,
}

impl MetaHost {
    /// A run of `model`, with an adapter's hooks and parameters if there is one, over ids `[batch, time]`.
    pub fn new(model: &ModelSpec, adapter: Option<AdapterObject>, batch: usize, time: usize) -> Result<Arc<Self>> {
        let mut params: BTreeMap<_, _> = model.params.iter().map(|p| (p.name.clone(), p.shape.clone())).collect();
        let adapter = match adapter {
            None => None,
            Some(adapter) => {
                let plan = adapter.plan(model)?;
                params.extend(plan.params.into_iter().map(|p| (p.name, p.shape)));
                Some((adapter, plan.linears.into_iter().collect()))
            }
        };
        Ok(Arc::new_cyclic(|this| Self {
            spec: model.clone(),
            params,
            adapter,
            sequence: (batch, time),
            cost: Arc::default(),
            this: this.clone(),
        }))
    }

    /// What the pass has cost so far.
    pub fn cost(&self) -> Cost {
        lock(&self.cost).clone()
    }

    /// The context to hand to plugins.
    pub fn context(self: &Arc<Self>) -> Ctx {
        ffi::context(self.clone())
    }

    /// A tensor of this shape.
    pub fn tensor(&self, shape: &[usize], dtype: DType) -> Tensor {
        ffi::wrap(MetaTensor { shape: shape.to_vec(), dtype, choices: None, cost: self.cost.clone() })
    }

    fn param(&self, name: &str) -> Result<MetaTensor> {
        let shape = self.params.get(name).ok_or_else(|| undeclared(name, self.params.keys()))?;
        lock(&self.cost).used.insert(name.to_owned());
        Ok(MetaTensor { shape: shape.clone(), dtype: DType::F32, choices: None, cost: self.cost.clone() })
    }

    /// The parameter that a layer stands for.
    fn layer(&self, id: u64) -> Result<&Param> {
        Ok(&self.spec.params[self.spec.index(id, self.spec.params.len())?])
    }

    fn attend(&self, id: u64, q: MetaTensor, k: MetaTensor, v: MetaTensor) -> Result<MetaTensor> {
        let heads = &self.spec.attentions[self.spec.index(id, self.spec.attentions.len())?];
        let found = [q.shape.get(1), k.shape.get(1), q.shape.get(3)].map(|n| n.copied().unwrap_or(0));
        let declared = [heads.queries, heads.keys, heads.size];
        if found != declared {
            let message =
                format!("an attention declared with {declared:?} query heads, key heads and elements has {found:?}");
            return Err(PluginError::new(message));
        }
        infer::attention(q, k, v)
    }

    fn adapted(&self, module: &str, x: Tensor) -> Result<Tensor> {
        match &self.adapter {
            Some((adapter, modules)) if modules.contains(module) => {
                let this = self.this.upgrade().ok_or_else(|| PluginError::new("the run is over"))?;
                adapter.linear(&ffi::context(this), module, x)
            }
            _ => self.linear(module, x),
        }
    }

    fn linear(&self, module: &str, x: Tensor) -> Result<Tensor> {
        let weight = self.param(&format!("{module}.weight"))?;
        let bias = format!("{module}.bias");
        if self.params.contains_key(&bias) {
            self.param(&bias)?;
        }
        let out = MetaTensor::execute(Op::Linear, vec![ffi::unwrap(x)?, weight]);
        out.map(ffi::wrap).map_err(|e| PluginError::new(format!("linear `{module}`: {}", e.message)))
    }
}

/// The error for a parameter that was not declared.
pub fn undeclared<'a>(name: &str, declared: impl Iterator<Item = &'a String>) -> PluginError {
    let near = declared.filter(|d| d.rsplit('.').next() == name.rsplit('.').next()).take(3).cloned();
    let near: Vec<_> = near.collect();
    let hint =
        if near.is_empty() { String::new() } else { format!("; declared are, for example, {}", near.join(", ")) };
    PluginError::new(format!("parameter `{name}` is used but not declared{hint}"))
}

impl Host for MetaHost {
    fn request(&self, op: CtxOp, operands: Vec<Tensor>) -> Result<Tensor> {
        let mut operands = operands.into_iter();
        let mut next = || operands.next().ok_or_else(|| PluginError::new("an operand is missing"));
        match op {
            CtxOp::Param { name } => self.param(&name).map(ffi::wrap),
            CtxOp::BaseLinear { module } => self.linear(&module, next()?),
            CtxOp::Linear { module } => self.adapted(&module, next()?),
            CtxOp::Weight { id } => self.param(&self.layer(id)?.name).map(ffi::wrap),
            CtxOp::Project { id } => self.adapted(self.layer(id)?.module(), next()?),
            CtxOp::Attend { id } => {
                let (q, k, v) = (next()?, next()?, next()?);
                self.attend(id, ffi::unwrap(q)?, ffi::unwrap(k)?, ffi::unwrap(v)?).map(ffi::wrap)
            }
            CtxOp::Rotate(rotary) => {
                let positions = self.tensor(&[self.sequence.0, self.sequence.1], DType::Int);
                MetaTensor::execute(Op::Rotary(rotary), vec![ffi::unwrap(next()?)?, ffi::unwrap(positions)?])
                    .map(ffi::wrap)
            }
            CtxOp::Positions => Ok(self.tensor(&[self.sequence.0, self.sequence.1], DType::Int)),
            CtxOp::Length => Ok(self.tensor(&[self.sequence.1], DType::Int)),
            CtxOp::Dropout { .. } | CtxOp::AddLoss { .. } => next(),
            CtxOp::Balance { name, .. } => {
                let (chosen, probabilities) = (next()?, next()?);
                let (shape, other) = (chosen.shape(), probabilities.shape());
                if shape.len() == 2 && shape == other && shape[0] == self.sequence.0 * self.sequence.1 {
                    return Ok(chosen);
                }
                let message = format!("balance `{name}` of {shape:?} and {other:?}: expected [batch * time, experts]");
                Err(PluginError::new(message))
            }
            other => Err(PluginError::new(format!("request {other:?} is not known here"))),
        }
    }
}

/// Runs all stages of a model once over ids `[batch, time]`, checking the shapes between them.
pub fn forward(model: &ModelObject, host: &Arc<MetaHost>, spec: &ModelSpec) -> Result<()> {
    let (batch, time) = host.sequence;
    let cx = host.context();
    let expected = vec![batch, time, spec.hidden_size];
    let check = |stage: &str, hidden: Tensor| match hidden.shape() == expected {
        true => Ok(hidden),
        false => Err(PluginError::new(format!("{stage} returned {:?}, not {expected:?}", hidden.shape()))),
    };
    let mut hidden = check("embed", model.embed(&cx, host.tensor(&[batch, time], DType::Int))?)?;
    for index in 0..spec.blocks {
        hidden = check(&format!("block {index}"), model.block(&cx, index, hidden)?)?;
    }
    let hidden = check("head", model.head(&cx, hidden)?)?;
    let projection = host.param(&spec.output)?;
    MetaTensor::execute(Op::Linear, vec![ffi::unwrap(hidden)?, projection])?;
    if let Some(bias) = &spec.output_bias {
        host.param(bias)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
