//! Attention with grouped heads, a cache, padding, packing and a sliding window (Vaswani et al., 2017, arXiv:1706.03762).
//!
//! The scores `[queries, keys]` are never held whole: queries are taken some at a time, and again on the way back
//! (Rabe and Staats, 2021, arXiv:2112.05682). What each query sees is given by spans of keys, not by a mask.

mod few;
mod heads;
mod native;
mod ops;
mod spans;
mod tiles;

use super::{backend::on_processor, precision::Half, random::Draw, value::Value};
use framework_core::{AttentionSpec, PluginError, Result, ffi::HostTensor};
pub(super) use spans::Spans;

/// What the weights of the values are made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scores {
    scale: f64,
    softcap: Option<f64>,
    /// Random factors on the weights.
    drop: Option<Draw>,
    reach: Reach,
    half: Half,
    /// Elements of scores that are held at a time; none: those of some queries of a head on each core.
    budget: Option<usize>,
}

/// Where the keys of a query are, whatever its row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// Keys in front of all, which belong to every sequence.
    prefix: usize,
    /// The number of the first query among the keys behind those.
    offset: usize,
    causal: bool,
    window: Option<usize>,
}

/// Queries and keys that are looked at together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tile {
    /// The first query, and how many.
    query: (usize, usize),
    /// The first key, and how many.
    key: (usize, usize),
    /// All queries and keys.
    whole: [usize; 2],
}

/// Scores that are held at a time on other devices than the processor: 256 MiB.
const ELSEWHERE: usize = 1 << 26;

/// Bytes that an attention takes on the processor while it works, for so many heads of all rows.
pub(super) fn working(heads: usize, keys: usize) -> u64 {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    (3 * 4 * cores.min(heads) * heads::BLOCK * keys) as u64
}

/// `softmax(cap(q · kᵀ * scale)) · v` over the keys that a query sees, where `cap(x)` is `softcap · tanh(x / softcap)` if
/// there is one, and `drop` are factors on the weights. Zeros for a query that sees nothing.
///
/// Queries `[batch, heads, time, size]`, keys and values `[batch, kv heads, all, size]`; keys may go on behind those that
/// are seen.
pub(super) fn attention(
    q: Value,
    k: Value,
    v: Value,
    how: &AttentionSpec,
    spans: &Spans,
    drop: Option<Draw>,
) -> Result<Value> {
    let budget = (!on_processor(&q.device())).then_some(ELSEWHERE);
    in_tiles(budget, [q, k, v], how, spans, drop)
}

/// The same, with at most so many scores at a time.
fn in_tiles(
    budget: Option<usize>,
    [q, k, v]: [Value; 3],
    how: &AttentionSpec,
    spans: &Spans,
    drop: Option<Draw>,
) -> Result<Value> {
    let (queries, keys, values) = (q.shape(), k.shape(), v.shape());
    let fits = match (&queries[..], &keys[..], &values[..]) {
        ([batch, heads, time, size], [rows, kv_heads, all, width], [.., kv, n, _]) => {
            let grouped = *kv_heads > 0 && heads.is_multiple_of(*kv_heads);
            grouped && batch == rows && size == width && kv == kv_heads && n == all && *time == spans.time()
        }
        _ => false,
    };
    if !fits {
        return Err(PluginError::new(format!(
            "attention of {queries:?}, {keys:?}, {values:?}: expected [batch, heads, time, size] each, with heads a multiple \
             of the key heads",
        )));
    }
    let scale = how.scale.unwrap_or(1.0 / (queries[3] as f64).sqrt());
    // The processor's products of 16-bit numbers are for matrices that are larger.
    let half = spans.half.filter(|_| !on_processor(&q.device()));
    let scores = Scores { scale, softcap: how.softcap, drop, reach: spans.reach, half, budget };
    let out = ops::attend(q.into_float()?, k.into_float()?, v.into_float()?, spans.numbers.clone(), scores);
    Ok(Value::float(out, 4))
}

#[cfg(test)]
mod tests;
