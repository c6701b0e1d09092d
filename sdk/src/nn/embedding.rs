//! Token embeddings.

use crate::{Ctx, Tensor};

/// Rows of the table `name [vocab, width]` for ids `[batch, time]`: `[batch, time, width]`.
///
/// No gradient reaches the row of `padding` from here, as in `torch.nn.Embedding`.
pub fn embed(cx: &Ctx, name: &str, ids: Tensor, padding: Option<usize>) -> Tensor {
    let table = cx.param(name);
    let Some(padding) = padding else { return table.embedding(ids) };
    let (batch, time) = (ids.dim(0) as i64, ids.dim(1) as i64);
    let padded = ids.clone().equal_to(padding as f64).reshape([batch, time, 1]);
    let rows = table.embedding(ids);
    padded.choose(rows.clone().detach(), rows)
}
