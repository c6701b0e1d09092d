//! Forward passes, stage by stage.

use super::Network;
use crate::{
    Value,
    kernels::squash::Squash,
    layout::Layout,
    ops,
    pass::{Pass, Setup, Stage},
    train,
};
use framework_core::{PluginError, Result, Role, Tensor, ffi};
use std::sync::Arc;

/// Hidden states, what the adapter adds to their projection, and the tokens of a row in the pass.
pub(crate) struct Picked {
    pub hidden: Value,
    pub added: Option<(Value, Value)>,
    pub time: usize,
}

impl Network {
    /// Runs one stage. Ids go into [`Stage::Embed`], which comes as far as the first block, hidden states into the others.
    pub(crate) fn stage(&self, pass: &Arc<Pass>, stage: Stage, input: Value) -> Result<Value> {
        pass.enter(stage);
        let (cx, input) = (pass.context(), ffi::wrap(input));
        let out = match stage {
            Stage::Embed => {
                let mut embedded = self.model.embed(&cx, input.clone())?;
                for (adapter, site) in self.sites(Role::Embedding).filter(|_| !pass.is_bare()) {
                    embedded = adapter.embed(&cx, site, input.clone(), embedded)?;
                }
                let embedded = self.noised(pass, embedded)?;
                let embedded = self.behind_prompt(pass, embedded)?;
                pass.enter(Stage::Start);
                self.model.start(&cx, embedded)?
            }
            Stage::Start => self.model.start(&cx, input)?,
            Stage::Block(i) => self.model.block(&cx, i, input)?,
            Stage::Head => self.model.head(&cx, input)?,
        };
        ffi::unwrap(out)
    }

    /// Embeddings `[rows, time, hidden]` with an adapter's virtual tokens before each sequence.
    fn behind_prompt(&self, pass: &Arc<Pass>, embedded: Tensor) -> Result<Tensor> {
        let Some((adapter, sources)) = self.adapter.as_ref().zip(pass.layout().sources()) else { return Ok(embedded) };
        let prompt = adapter.prompt(&pass.context())?;
        let width = self.spec.hidden_size as i64;
        let expected = [self.plan.prompt, self.spec.hidden_size];
        if prompt.shape() != expected {
            return Err(PluginError::new(format!("the prompt is {:?}, not {expected:?}", prompt.shape())));
        }
        let all = Tensor::concat([embedded.reshape([-1, width]), prompt], 0);
        let count = sources.len();
        let mut sources = Value::from_ints(sources, &[count], &self.device)?;
        if ffi::unwrap::<Value>(all.clone())?.is_tracked() {
            sources = sources.tracked();
        }
        let rows = pass.layout().rows as i64;
        Ok(all.index_select(0, ffi::wrap(sources)).reshape([rows, -1, width]))
    }

    /// What the adapter adds to the vocabulary projection of `hidden` `[n, hidden]`.
    pub(crate) fn output_added(&self, pass: &Arc<Pass>, hidden: &Value) -> Result<Option<(Value, Value)>> {
        let Some((adapter, site)) = self.sites(Role::Output).next().filter(|_| !pass.is_bare()) else {
            return Ok(None);
        };
        let (features, weight) = adapter.output(&pass.context(), site, ffi::wrap(hidden.clone()))?;
        Ok(Some((ffi::unwrap(features)?, ffi::unwrap(weight)?)))
    }

    /// Token ids `[rows, time]` as a value: the only way for ids into the model.
    ///
    /// # Errors
    /// An id that the embeddings do not have, which kernels would read beyond the table for.
    pub(crate) fn ids(&self, ids: Vec<i32>, rows: usize, time: usize) -> Result<Value> {
        let vocab = self.spec.vocab_size;
        if let Some(bad) = ids.iter().find(|id| usize::try_from(**id).map_or(true, |id| id >= vocab)) {
            return Err(PluginError::new(format!("token id {bad} is outside of the model's vocabulary of {vocab}")));
        }
        Value::from_ints(ids, &[rows, time], &self.device)
    }

    /// The token to fill rows up with: the tokenizer's, or, if the model has no embedding for it, the first. It is
    /// masked.
    pub fn padding(&self, pad: u32) -> u32 {
        if (pad as usize) < self.spec.vocab_size { pad } else { 0 }
    }

    /// The hidden states `[n, hidden]` after the last block, those that `pick` chooses by the numbers of their tokens.
    pub(crate) fn hidden(
        self: &Arc<Self>,
        ids: Vec<i32>,
        setup: Setup,
        pick: impl FnOnce(&Layout) -> Vec<i32>,
    ) -> Result<Picked> {
        let ids = self.ids(ids, setup.rows, setup.time)?;
        let pass = Pass::new(self, setup);
        let mut hidden = self.stage(&pass, Stage::Embed, ids)?;
        for i in 0..self.spec.blocks {
            hidden = self.stage(&pass, Stage::Block(i), hidden)?;
        }
        let hidden = self.stage(&pass, Stage::Head, hidden)?;
        let hidden = train::pick(hidden, pick(pass.layout()), &self.device)?;
        let added = self.output_added(&pass, &hidden)?;
        Ok(Picked { hidden, added, time: pass.layout().time })
    }

    pub(crate) fn output(&self) -> Result<(Value, Option<Value>)> {
        let get = |name: &String| {
            self.param(name)
                .ok_or_else(|| PluginError::new(format!("the vocabulary projection `{name}` has no weights")))
        };
        Ok((get(&self.spec.output)?, self.spec.output_bias.as_ref().map(get).transpose()?))
    }

    pub(crate) fn project(&self, Picked { hidden, added, .. }: Picked) -> Result<Value> {
        let (weight, bias) = self.output()?;
        let half = self.device.half;
        let mut logits = ops::linear(hidden, weight, bias, half)?;
        if let Some((features, weight)) = added {
            logits = logits.plus(ops::linear(features, weight, None, half)?)?;
        }
        let rank = logits.rank;
        Ok(Value::float(self.logits_of().of(logits.into_float()?), rank))
    }

    /// What becomes of the projection's result.
    pub(crate) fn logits_of(&self) -> Squash {
        Squash { scale: self.spec.output_scale, softcap: self.spec.output_softcap }
    }

    /// Logits `[rows, time, vocab]` of ids `[rows, time]`, row-major.
    pub fn logits(self: &Arc<Self>, ids: Vec<i32>, rows: usize) -> Result<Vec<f32>> {
        let time = ids.len() / rows.max(1);
        let hidden = self.hidden(ids, Setup::plain(rows, time), Layout::places)?;
        self.project(hidden)?.to_f32()
    }
}
