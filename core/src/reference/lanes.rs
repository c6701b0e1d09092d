//! Sums, products and norms along dimensions.

use super::{Array, Dual};
use crate::Rotary;

/// The dimension, which the meta pass has found to exist.
pub(super) fn axis(dim: i64, x: &Array) -> usize {
    if dim < 0 { (x.shape.len() as i64 + dim) as usize } else { dim as usize }
}

pub(super) fn flat(at: &[usize], shape: &[usize]) -> usize {
    at.iter().zip(shape).fold(0, |flat, (i, size)| flat * size + i)
}

/// What `f` makes of each lane of a dimension.
pub(super) fn along(x: &Array, dim: i64, f: impl Fn(&[Dual]) -> Vec<Dual>) -> Vec<Dual> {
    let dim = axis(dim, x);
    let (count, inner) = (x.shape[dim], x.shape[dim + 1..].iter().product::<usize>());
    let mut out = Vec::new();
    for outer in x.data.chunks_exact((count * inner).max(1)) {
        let lanes = (0..inner).map(|i| f(&(0..count).map(|n| outer[n * inner + i]).collect::<Vec<_>>()));
        let lanes: Vec<_> = lanes.collect();
        let length = lanes.first().map_or(0, Vec::len);
        out.extend((0..length).flat_map(|n| lanes.iter().map(move |lane| lane[n])));
    }
    out
}

pub(super) fn sum(lane: &[Dual]) -> Dual {
    lane.iter().fold(Dual::default(), |sum, number| sum + *number)
}

pub(super) fn dot(a: &[Dual], b: &[Dual]) -> Dual {
    let (mut value, mut slope) = (0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        value += a.value * b.value;
        slope += a.slope * b.value + a.value * b.slope;
    }
    Dual { value, slope }
}

/// Softmax, or its logarithm.
pub(super) fn softmax(lane: &[Dual], log: bool) -> Vec<Dual> {
    let most = lane.iter().fold(f64::NEG_INFINITY, |most, x| most.max(x.value));
    let shifted: Vec<_> = lane.iter().map(|x| *x - Dual::from(most)).collect();
    let powers: Vec<_> = shifted.iter().map(|x| x.exp()).collect();
    let all = sum(&powers);
    match log {
        true => shifted.into_iter().map(|x| x - all.ln()).collect(),
        false => powers.into_iter().map(|x| x / all).collect(),
    }
}

/// Indices, that of the largest number first, the earlier one first among equals.
pub(super) fn largest(lane: &[Dual]) -> Vec<usize> {
    let mut order: Vec<_> = (0..lane.len()).collect();
    order.sort_by(|a, b| lane[*b].value.total_cmp(&lane[*a].value));
    order
}

pub(super) fn matmul(a: &Array, b: &Array, shape: &[usize]) -> Vec<Dual> {
    let rank = shape.len();
    let (rows, columns, inner) = (shape[rank - 2], shape[rank - 1], a.shape[a.shape.len() - 1]);
    let batch = &shape[..rank - 2];
    let [left, right] =
        [(a, [rows, inner]), (b, [inner, columns])].map(|(x, matrix)| x.expanded(&[batch, &matrix].concat()));
    let mut out = Vec::with_capacity(shape.iter().product());
    for (left, right) in left.chunks_exact((rows * inner).max(1)).zip(right.chunks_exact((inner * columns).max(1))) {
        for row in left.chunks_exact(inner.max(1)) {
            out.extend(
                (0..columns).map(|c| (0..inner).fold(Dual::default(), |sum, i| sum + row[i] * right[i * columns + c])),
            );
        }
    }
    out
}

/// Normalised rows, times `weight`, plus `bias`. With a bias the mean is taken off before.
pub(super) fn norm(x: &Array, weight: &Array, bias: Option<&Array>, eps: f64) -> Vec<Dual> {
    let mut out = Vec::with_capacity(x.data.len());
    for row in x.rows() {
        let part = Dual::from(1.0 / row.len() as f64);
        let mean = if bias.is_some() { sum(row) * part } else { Dual::default() };
        let centred: Vec<_> = row.iter().map(|x| *x - mean).collect();
        let scale = (dot(&centred, &centred) * part + Dual::from(eps)).sqrt().recip();
        let scaled = centred.into_iter().zip(weight.data.iter()).map(|(x, w)| x * scale * *w);
        match bias {
            Some(bias) => out.extend(scaled.zip(bias.data.iter()).map(|(x, b)| x + *b)),
            None => out.extend(scaled),
        }
    }
    out
}

/// `[batch, heads, time, size]` at positions `[batch, time]`.
pub(super) fn rotate(x: &Array, positions: &Array, rotary: &Rotary) -> Vec<Dual> {
    let [_, heads, time, size] = x.shape[..] else { return Vec::new() };
    let (pairs, mut out) = (rotary.inv_freq.len(), x.data.to_vec());
    for (index, row) in out.chunks_exact_mut(size.max(1)).enumerate() {
        let position = positions.data[index / (heads * time) * time + index % time].value;
        for (i, frequency) in rotary.inv_freq.iter().enumerate() {
            let (first, second) = if rotary.interleaved { (2 * i, 2 * i + 1) } else { (i, i + pairs) };
            let (sin, cos) = (position * frequency).sin_cos();
            let [sin, cos] = [sin, cos].map(|part| Dual::from(part * rotary.scale));
            (row[first], row[second]) = (row[first] * cos - row[second] * sin, row[second] * cos + row[first] * sin);
        }
    }
    out
}
