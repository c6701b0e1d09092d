//! A run without data: its answers to requests.

use super::{MetaHost, MetaTensor, TOO_EARLY, infer};
use crate::{
    CtxOp, DType, Op, Param, PluginError, Result, Tensor,
    ffi::{self, Host, HostTensor},
};
use std::sync::atomic::Ordering;

impl MetaHost {
    fn project(&self, weight: &Param, x: Tensor) -> Result<Tensor> {
        let bias = format!("{}.bias", weight.module());
        if let Some(bias) = self.spec.get(&bias) {
            self.param(bias);
        }
        let out = MetaTensor::execute(Op::Linear, vec![ffi::unwrap(x)?, self.param(weight)]);
        out.map(ffi::wrap).map_err(|e| PluginError::new(format!("linear `{}`: {}", weight.module(), e.message)))
    }

    fn adapted(&self, weight: &Param, x: Tensor) -> Result<Tensor> {
        match self.adapter.as_ref().and_then(|adapter| Some((adapter, adapter.site(weight)?))) {
            Some((adapter, site)) => adapter.linear(&self.own_context()?, site, x),
            None => self.project(weight, x),
        }
    }

    fn attend(&self, id: u64, [q, mut k, mut v]: [MetaTensor; 3]) -> Result<MetaTensor> {
        let entry = self.spec.index(id, self.spec.attentions.len())?;
        let heads = &self.spec.attentions[entry];
        let found = [q.shape.get(1), k.shape.get(1), q.shape.get(3)].map(|n| n.copied().unwrap_or(0));
        let declared = [heads.queries, heads.keys, heads.size];
        if found != declared {
            let message =
                format!("an attention declared with {declared:?} query heads, key heads and elements has {found:?}");
            return Err(PluginError::new(message));
        }
        if let Some(adapter) = self.adapter.as_ref().filter(|adapter| adapter.plan().prefix > 0 && self.cached == 0) {
            let (keys, values) = adapter.prefix(&self.own_context()?, entry)?;
            // They are trained.
            (k.tracked, v.tracked) = (true, true);
            let expected = [heads.keys, adapter.plan().prefix, heads.size];
            if keys.shape() != expected || values.shape() != expected {
                let message = format!("the prefix of attention {entry} is {:?}, not {expected:?}", keys.shape());
                return Err(PluginError::new(message));
            }
        }
        for shape in [&mut k.shape, &mut v.shape].into_iter().filter(|shape| shape.len() == 4) {
            shape[2] = self.length();
        }
        infer::attention(q, k, v)
    }

    /// A convolution of `a` with the weight `b`, or a recurrence of the decay `a` and the input `b`.
    fn recur(&self, id: u64, a: MetaTensor, b: MetaTensor, conv: bool) -> Result<MetaTensor> {
        let state = &self.spec.states[self.spec.index(id, self.spec.states.len())?];
        let mut expected = vec![self.batch, self.computed()];
        let (found, weight) = (a.shape.clone(), b.shape.clone());
        let fits = match (conv, &state.shape[..]) {
            (true, [before, channels]) => {
                expected.push(*channels);
                weight == [*channels, before + 1]
            }
            (true, _) => false,
            (false, shape) => {
                expected.extend(shape);
                weight == expected
            }
        };
        if !fits || found != expected {
            let message = format!("a state of {:?} is used with {found:?} and {weight:?}", state.shape);
            return Err(PluginError::new(message));
        }
        let flops = 2 * expected.iter().product::<usize>() as u64 * if conv { weight[1] as u64 } else { 1 };
        let mut out = a.like(expected, a.dtype, flops);
        out.tracked = a.tracked || b.tracked;
        if out.tracked {
            // A convolution keeps its input; a recurrence three tensors a round, of which there are log₂(time).
            let rounds = self.computed().next_power_of_two().ilog2() as usize;
            out.more_kept(if conv { 1 } else { 3 * rounds }, DType::F32);
        }
        Ok(out)
    }

    /// Puts an adapter's virtual tokens before embedded sequences.
    pub(super) fn extend(&self, embedded: Tensor) -> Result<Tensor> {
        let prompt = self.virtual_tokens().0;
        let expected = [prompt, self.spec.hidden_size];
        if let Some(adapter) = self.adapter.as_ref().filter(|_| prompt > 0 && self.cached == 0) {
            let given = adapter.prompt(&self.own_context()?)?.shape();
            if given != expected {
                return Err(PluginError::new(format!("the prompt is {given:?}, not {expected:?}")));
            }
        }
        self.extended.store(true, Ordering::Relaxed);
        let x: MetaTensor = ffi::unwrap(embedded)?;
        let shape = vec![self.batch, self.computed(), self.spec.hidden_size];
        let mut out = x.like(shape, x.dtype, 0);
        out.tracked |= prompt > 0;
        Ok(ffi::wrap(out))
    }
}

impl Host for MetaHost {
    fn request(&self, op: CtxOp, operands: Vec<Tensor>) -> Result<Tensor> {
        let mut operands = operands.into_iter();
        let mut next = || operands.next().ok_or_else(|| PluginError::new("an operand is missing"));
        match op {
            CtxOp::Weight { id } => Ok(ffi::wrap(self.param(self.layer(id)?))),
            CtxOp::Project { id } => self.adapted(self.layer(id)?, next()?),
            CtxOp::Base { id } => self.project(self.layer(id)?, next()?),
            CtxOp::Attend { id } => {
                let (q, k, v) = (next()?, next()?, next()?);
                self.attend(id, [ffi::unwrap(q)?, ffi::unwrap(k)?, ffi::unwrap(v)?]).map(ffi::wrap)
            }
            CtxOp::Conv { id } => self.recur(id, ffi::unwrap(next()?)?, ffi::unwrap(next()?)?, true).map(ffi::wrap),
            CtxOp::Scan { id } => self.recur(id, ffi::unwrap(next()?)?, ffi::unwrap(next()?)?, false).map(ffi::wrap),
            CtxOp::Rotate(_) | CtxOp::Positions if self.embedding.load(Ordering::Relaxed) => {
                Err(PluginError::new(TOO_EARLY))
            }
            CtxOp::Rotate(rotary) => {
                let positions = ffi::unwrap(self.tensor(&[self.batch, self.computed()], DType::Int))?;
                MetaTensor::execute(Op::Rotary(rotary), vec![ffi::unwrap(next()?)?, positions]).map(ffi::wrap)
            }
            CtxOp::Positions => Ok(self.tensor(&[self.batch, self.computed()], DType::Int)),
            CtxOp::Length => Ok(self.tensor(&[self.length()], DType::Int)),
            CtxOp::Dropout { p } if p > 0.0 => {
                let x: MetaTensor = ffi::unwrap(next()?)?;
                Ok(ffi::wrap(x.like(x.shape.clone(), x.dtype, 0)))
            }
            CtxOp::Dropout { .. } | CtxOp::Noise { .. } | CtxOp::AddLoss { .. } => next(),
            CtxOp::Balance { name, .. } => {
                let (chosen, probabilities) = (next()?, next()?);
                let (shape, other) = (chosen.shape(), probabilities.shape());
                if shape.len() == 2 && shape == other && shape[0] == self.batch * self.computed() {
                    return Ok(chosen);
                }
                let message = format!("balance `{name}` of {shape:?} and {other:?}: expected [batch * time, experts]");
                Err(PluginError::new(message))
            }
            other => Err(PluginError::new(format!("request {other:?} is not known here"))),
        }
    }
}
