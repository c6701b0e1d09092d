//! A pass: embeddings, blocks, vocabulary projection.

use super::{
    Array, Dual, Place, Reference,
    host::{lock, missing},
    layout::{Layout, Source},
};
use crate::{
    Ctx, DType, Op, Result, Role,
    ffi::{self, HostTensor},
};

impl Reference {
    /// The logits that follow each token of these rows, behind what the run remembers of their sequences. With `again`,
    /// each block is computed twice, as activation checkpointing does.
    pub fn logits(&self, rows: &[Vec<Place>], again: bool) -> Result<Vec<Vec<Dual>>> {
        let cx = self.context()?;
        let (prompt, prefix) = self.virtual_tokens();
        {
            let run = &mut *lock(&self.run);
            run.layout = Layout::new(rows, &mut run.lengths, prompt, prefix);
            run.embedding = true;
        }
        let embedded = self.embedded(&cx, rows);
        lock(&self.run).embedding = false;
        let mut hidden = self.model.start(&cx, ffi::wrap(self.extended(&cx, embedded?)?))?;
        for index in 0..self.spec.blocks {
            if again {
                self.model.block(&cx, index, hidden.clone())?;
            }
            hidden = self.model.block(&cx, index, hidden)?;
        }
        let hidden: Array = ffi::unwrap(self.model.head(&cx, hidden)?)?;
        let logits = self.projected(&cx, hidden)?;
        let of_tokens = lock(&self.run).layout.sources.clone();
        let rows = logits.rows().zip(of_tokens).filter(|(_, source)| matches!(source, Source::Embedded(_)));
        Ok(rows.map(|(row, _)| row.to_vec()).collect())
    }

    /// Embeddings of all places; padding is some token.
    fn embedded(&self, cx: &Ctx, rows: &[Vec<Place>]) -> Result<Array> {
        let time = rows.first().map_or(0, Vec::len);
        let id = |place: &Place| if let Place::Token { id, .. } = place { *id } else { 0 };
        let ids = ffi::wrap(Array::ints(&[rows.len(), time], rows.iter().flatten().map(id)));
        let mut hidden = self.model.embed(cx, ids.clone())?;
        if let Some(adapter) = &self.adapter {
            let tables = self.spec.params.iter().filter(|param| param.role == Role::Embedding);
            for site in tables.flat_map(|param| adapter.sites(param)) {
                hidden = adapter.embed(cx, site, ids.clone(), hidden)?;
            }
        }
        ffi::unwrap(hidden)
    }

    /// Embeddings with those of virtual tokens between them.
    fn extended(&self, cx: &Ctx, embedded: Array) -> Result<Array> {
        let layout = lock(&self.run).layout.clone();
        let prompt = match self.adapter.as_ref().filter(|adapter| adapter.plan().prompt > 0) {
            Some(adapter) => ffi::unwrap(adapter.prompt(cx)?)?,
            None => Array::floats(&[0, self.spec.hidden_size], []),
        };
        let width = self.spec.hidden_size;
        let row = |x: &Array, i: usize| x.data[i * width..(i + 1) * width].to_vec();
        let from = |source: &Source| match source {
            Source::Embedded(place) => row(&embedded, *place),
            Source::Virtual(token) => row(&prompt, *token),
            Source::Nothing => vec![Dual::default(); width],
        };
        let data = layout.sources.iter().flat_map(from).collect();
        Ok(Array::new(&[layout.rows, layout.time, width], data, DType::F32))
    }

    /// The vocabulary projection with its scale and softcap.
    fn projected(&self, cx: &Ctx, hidden: Array) -> Result<Array> {
        let spec = &self.spec;
        let weight = spec.get(&spec.output).ok_or_else(|| missing(&spec.output))?;
        let mut logits = Array::execute(Op::Linear, vec![hidden.clone(), self.get(&weight.name)?])?;
        let adapter = self.adapter.as_ref().filter(|_| weight.role == Role::Output);
        if let Some((adapter, site)) = adapter.and_then(|adapter| Some((adapter, adapter.site(weight)?))) {
            let rows = hidden.shape[0] * hidden.shape[1];
            let flat = Array::new(&[rows, spec.hidden_size], hidden.data.to_vec(), DType::F32);
            let (features, matrix) = adapter.output(cx, site, ffi::wrap(flat))?;
            let added = Array::execute(Op::Linear, vec![ffi::unwrap(features)?, ffi::unwrap(matrix)?])?;
            logits = Array::execute(Op::Add, vec![logits.clone(), Array { shape: logits.shape, ..added }])?;
        }
        if let Some(bias) = &spec.output_bias {
            logits = Array::execute(Op::Add, vec![logits, self.get(bias)?])?;
        }
        if let Some(scale) = spec.output_scale {
            logits = Array::execute(Op::MulScalar(scale), vec![logits])?;
        }
        let Some(limit) = spec.output_softcap else { return Ok(logits) };
        let part = Array::execute(Op::Tanh, vec![Array::execute(Op::MulScalar(1.0 / limit), vec![logits])?])?;
        Array::execute(Op::MulScalar(limit), vec![part])
    }
}
