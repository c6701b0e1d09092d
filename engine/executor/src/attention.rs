//! Causal attention with grouped heads, a cache, padding and a sliding window (Vaswani et al., 2017, arXiv:1706.03762).

use super::{
    Device,
    value::{R, Value},
};
use burn::tensor::{Tensor as Burn, TensorData, activation};
use framework_core::{AttentionSpec, PluginError, Result, ffi::HostTensor};

/// Added to the scores of keys that a query must not see.
const HIDDEN: f32 = -1e30;

/// `softmax(cap(q · kᵀ * scale) + mask) · v`, where `cap(x)` is `softcap · tanh(x / softcap)` if there is one.
///
/// `drop` is what becomes of the weights while training: dropout, or nothing. Queries `[batch, heads, time, size]`,
/// keys and values `[batch, kv heads, all, size]`, mask `[batch or 1, 1, time, all]`.
pub(super) fn attention(
    q: Value,
    k: Value,
    v: Value,
    how: &AttentionSpec,
    mask: Option<Value>,
    drop: impl FnOnce(Value) -> Result<Value>,
) -> Result<Value> {
    let ([_, batch, heads, time, size], [_, _, kv_heads, all, _]) = (q.dims(), k.dims());
    if q.rank != 4 || kv_heads == 0 || !heads.is_multiple_of(kv_heads) || k.dims()[R - 1] != size {
        return Err(PluginError::new(format!(
            "attention of {:?}, {:?}, {:?}: expected [batch, heads, time, size] each, with heads a multiple of the key heads",
            q.shape(),
            k.shape(),
            v.shape()
        )));
    }
    // Heads that share a key are laid out as one longer run of queries, so that keys are not repeated.
    let group = heads / kv_heads;
    let width = v.dims()[R - 1];
    let (q, k, v) = (q.into_float()?, k.into_float()?, v.into_float()?);
    let q = q.mul_scalar(how.scale.unwrap_or(1.0 / (size as f64).sqrt()));
    let q = q.reshape([batch, kv_heads, group, time, size]);
    let k = k.reshape([batch, kv_heads, 1, all, size]).swap_dims(3, 4);
    let v = v.reshape([batch, kv_heads, 1, all, width]);
    let mut scores = q.matmul(k);
    if let Some(cap) = how.softcap {
        scores = scores.div_scalar(cap).tanh().mul_scalar(cap);
    }
    if let Some(mask) = mask {
        let rows = mask.dims()[1];
        scores = scores + mask.into_float()?.reshape([rows, 1, 1, time, all]);
    }
    let weights = drop(Value::float(activation::softmax(scores, 4), 5))?.into_float()?;
    let out = weights.matmul(v);
    Ok(Value::float(out.reshape([1, batch, heads, time, width]), 4))
}

/// What queries, the last of `all` positions, must not see: the future, what lies before the first key that each may
/// see (`first_seen`, a row for each row of the batch or one for all), and what lies `window` or more behind. Every
/// query sees the `prefix` keys in front of those that its window reaches. None if everything is seen.
pub(super) fn mask(
    first_seen: &[Vec<usize>],
    prefix: usize,
    all: usize,
    window: Option<usize>,
    device: &Device,
) -> Option<Value> {
    let time = first_seen.first().map_or(0, Vec::len);
    if time == 1 && first_seen.iter().all(|row| row[0] == 0) && window.is_none_or(|w| prefix + all <= w) {
        return None;
    }
    let mut bias = Vec::with_capacity(first_seen.len() * time * (prefix + all));
    for row in first_seen {
        for (query, &first) in (all - time..).zip(row) {
            let near = |distance: usize| window.is_none_or(|w| distance < w);
            let seen = |key: usize| key <= query && key >= first && near(query - key);
            let hidden = |seen: bool| if seen { 0.0 } else { HIDDEN };
            let at = prefix + query.saturating_sub(first);
            bias.extend((0..prefix).map(|key| hidden(near(at - key))));
            bias.extend((0..all).map(|key| hidden(seen(key))));
        }
    }
    let data = TensorData::new(bias, [1, first_seen.len(), 1, time, prefix + all]);
    Some(Value::float(Burn::from_data(data, &device.0), 4))
}

#[cfg(test)]
#[path = "attention_tests.rs"]
mod tests;
