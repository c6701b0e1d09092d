//! The shape that each operator gives.

use super::{MetaTensor, keep};
use crate::{DType, Op, PluginError, Result};

/// The most elements of a tensor: 16 TiB of 32-bit numbers. More is a mistake, and would end the program.
pub const MOST_ELEMENTS: u64 = 1 << 42;

pub(super) fn count(shape: &[usize]) -> u64 {
    shape.iter().fold(1, |count, n| count.saturating_mul(*n as u64))
}

fn axis(dim: i64, shape: &[usize]) -> Result<usize> {
    let rank = shape.len() as i64;
    let index = if dim < 0 { rank + dim } else { dim };
    if (0..rank).contains(&index) {
        Ok(index as usize)
    } else {
        Err(PluginError::new(format!("dimension {dim} does not exist in {shape:?}")))
    }
}

fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |s: &[usize], i: usize| if i + s.len() >= rank { s[i + s.len() - rank] } else { 1 };
    let joined = (0..rank).map(|i| match (at(a, i), at(b, i)) {
        (x, y) if x == y => Some(x),
        (1, n) | (n, 1) => Some(n),
        _ => None,
    });
    joined.collect::<Option<_>>().ok_or_else(|| PluginError::new(format!("{a:?} and {b:?} do not broadcast")))
}

fn reshape(from: &[usize], to: &[i64]) -> Result<Vec<usize>> {
    let wrong = || PluginError::new(format!("{from:?} cannot be reshaped to {to:?}"));
    let known: u64 = to.iter().filter(|&&n| n >= 0).map(|&n| n as u64).product();
    let free = to.iter().filter(|&&n| n < 0).count();
    if free > 1 || (free == 1 && (known == 0 || !count(from).is_multiple_of(known))) {
        return Err(wrong());
    }
    let shape: Vec<usize> =
        to.iter().map(|&n| if n < 0 { (count(from) / known) as usize } else { n as usize }).collect();
    if count(&shape) == count(from) { Ok(shape) } else { Err(wrong()) }
}

/// Queries `[batch, heads, time, size]`; keys and values with a divisor of the heads.
pub(super) fn attention(q: MetaTensor, k: MetaTensor, v: MetaTensor) -> Result<MetaTensor> {
    let fits = q.shape.len() == 4
        && k.shape.len() == 4
        && v.shape.len() == 4
        && k.shape[..3] == v.shape[..3]
        && q.shape[0] == k.shape[0]
        && q.shape[3] == k.shape[3]
        && k.shape[1] > 0
        && q.shape[1].is_multiple_of(k.shape[1]);
    if !fits {
        let shapes = format!("{:?}, {:?}, {:?}", q.shape, k.shape, v.shape);
        return Err(PluginError::new(format!("attention of {shapes}: expected [batch, heads, time, size] each")));
    }
    // Causal: half of the scores are needed.
    let flops = count(&q.shape).saturating_mul(2 * k.shape[2] as u64);
    let mut shape = q.shape.clone();
    shape[3] = v.shape[3];
    let mut out = q.like(shape, q.dtype, flops);
    out.tracked = q.tracked || k.tracked || v.tracked;
    if out.tracked {
        [q, k, v].iter().for_each(|x| x.more_kept(1, DType::F32));
    }
    Ok(out)
}

/// What is known about the values of an operator's result: see [`MetaTensor::choices`].
fn choices(op: &Op, operands: &[MetaTensor]) -> Option<usize> {
    let x = operands.first()?;
    match op {
        Op::ArgMax { dim } => axis(*dim, &x.shape).ok().map(|dim| x.shape[dim]),
        Op::TopK { .. } => x.shape.last().copied(),
        Op::EqualScalar(_)
        | Op::Reshape { .. }
        | Op::SwapDims { .. }
        | Op::Slice { .. }
        | Op::Expand { .. }
        | Op::IndexSelect { .. }
        | Op::Detach => x.choices,
        _ => None,
    }
}

pub(super) fn infer(op: &Op, operands: &[MetaTensor]) -> Result<MetaTensor> {
    let result = shaped(op, operands)?;
    if count(&result.shape) > MOST_ELEMENTS {
        let of: Vec<_> = operands.iter().map(|x| format!("{:?}", x.shape)).collect();
        let (of, shape) = (of.join(" and "), &result.shape);
        return Err(PluginError::new(format!(
            "{op:?} of {of} would have the shape {shape:?}, which fits into no memory"
        )));
    }
    let mut result = MetaTensor { choices: choices(op, operands), ..result };
    result.tracked = keep::is_differentiated(op) && operands.iter().any(|x| x.tracked);
    match operands.first() {
        Some(x) if keep::is_view(op) => result.buffer = x.buffer,
        _ => {
            let mut counting = super::tensor::lock(&result.counting);
            counting.largest = counting.largest.max(4 * count(&result.shape));
        }
    }
    keep::keep(op, operands, &result);
    Ok(result)
}

fn shaped(op: &Op, operands: &[MetaTensor]) -> Result<MetaTensor> {
    let get = |i: usize| operands.get(i).ok_or_else(|| PluginError::new(format!("{op:?} needs operand {}", i + 1)));
    let x = get(0)?;
    let s = &x.shape;
    let n = count(s);
    let reduced = |dim: i64| -> Result<Vec<usize>> {
        let mut shape = s.clone();
        shape[axis(dim, s)?] = 1;
        Ok(shape)
    };
    let last = |other: &MetaTensor| match (s.last(), other.shape.last()) {
        (Some(a), Some(b)) if a == b => Ok(()),
        _ => Err(PluginError::new(format!("{op:?} of {s:?} and {:?}: the last dimensions differ", other.shape))),
    };
    Ok(match op {
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Maximum | Op::Minimum | Op::GatedActivate(_) => {
            let shape = broadcast(s, &get(1)?.shape)?;
            let flops = count(&shape);
            x.like(shape, x.dtype, flops)
        }
        Op::Equal | Op::Greater | Op::Less => x.like(broadcast(s, &get(1)?.shape)?, DType::Bool, n),
        Op::EqualScalar(_) | Op::GreaterScalar(_) | Op::LessScalar(_) => x.like(s.clone(), DType::Bool, n),
        Op::Where => x.like(broadcast(s, &broadcast(&get(1)?.shape, &get(2)?.shape)?)?, get(1)?.dtype, n),
        Op::Softmax { dim } | Op::LogSoftmax { dim } => {
            axis(*dim, s)?;
            x.like(s.clone(), x.dtype, 5 * n)
        }
        Op::Sum { dim } | Op::Mean { dim } | Op::Max { dim } => x.like(reduced(*dim)?, x.dtype, n),
        Op::ArgMax { dim } => x.like(reduced(*dim)?, DType::Int, n),
        Op::TopK { k } => {
            let mut shape = s.clone();
            let dim = axis(-1, s)?;
            if shape[dim] < *k as usize {
                return Err(PluginError::new(format!("top {k} of {} elements", shape[dim])));
            }
            shape[dim] = *k as usize;
            x.like(shape, DType::Int, n)
        }
        Op::Matmul => {
            let b = &get(1)?.shape;
            let (r, rb) = (s.len(), b.len());
            if r < 2 || rb < 2 || s[r - 1] != b[rb - 2] {
                return Err(PluginError::new(format!("matrix product of {s:?} and {b:?}")));
            }
            let mut shape = broadcast(&s[..r - 2], &b[..rb - 2])?;
            shape.extend([s[r - 2], b[rb - 1]]);
            let flops = count(&shape).saturating_mul(2 * s[r - 1] as u64);
            x.like(shape, x.dtype, flops)
        }
        Op::Linear => {
            let w = &get(1)?.shape;
            if w.len() != 2 || s.last() != Some(&w[1]) {
                return Err(PluginError::new(format!("input {s:?} does not fit a weight {w:?} of [out, in]")));
            }
            let mut shape = s.clone();
            *shape.last_mut().expect("not empty") = w[0];
            let flops = count(&shape).saturating_mul(2 * w[1] as u64);
            x.like(shape, x.dtype, flops)
        }
        Op::LayerNorm { .. } => {
            last(get(1)?)?;
            last(get(2)?)?;
            x.like(s.clone(), x.dtype, 8 * n)
        }
        Op::RmsNorm { .. } => {
            last(get(1)?)?;
            x.like(s.clone(), x.dtype, 5 * n)
        }
        Op::Rotary(r) => {
            if s.len() != 4 || 2 * r.inv_freq.len() > s[3] {
                return Err(PluginError::new(format!("rotary of {s:?} with {} frequencies", r.inv_freq.len())));
            }
            x.like(s.clone(), x.dtype, 6 * n)
        }
        Op::Embedding => {
            let ids = &get(1)?.shape;
            if s.len() != 2 || ids.len() != 2 {
                return Err(PluginError::new(format!("embedding of table {s:?} and ids {ids:?}")));
            }
            x.like(vec![ids[0], ids[1], s[1]], x.dtype, 0)
        }
        Op::Reshape { shape } => x.like(reshape(s, shape)?, x.dtype, 0),
        Op::SwapDims { a, b } => {
            let mut shape = s.clone();
            shape.swap(axis(*a, s)?, axis(*b, s)?);
            x.like(shape, x.dtype, 0)
        }
        Op::Slice { dim, start, end } => {
            let dim = axis(*dim, s)?;
            if *start < 0 || start > end || *end as usize > s[dim] {
                return Err(PluginError::new(format!("slice {start}..{end} of dimension {dim} of {s:?}")));
            }
            let mut shape = s.clone();
            shape[dim] = (end - start) as usize;
            x.like(shape, x.dtype, 0)
        }
        Op::Concat { dim } => {
            let dim = axis(*dim, s)?;
            let mut shape = s.clone();
            for other in &operands[1..] {
                let same = other.shape.len() == s.len() && (0..s.len()).all(|i| i == dim || other.shape[i] == s[i]);
                if !same {
                    return Err(PluginError::new(format!("{s:?} and {:?} do not join along {dim}", other.shape)));
                }
                shape[dim] += other.shape[dim];
            }
            x.like(shape, x.dtype, 0)
        }
        Op::Expand { shape } => {
            let target: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
            if broadcast(s, &target)? != target {
                return Err(PluginError::new(format!("{s:?} does not expand to {target:?}")));
            }
            x.like(target, x.dtype, 0)
        }
        Op::Gather { dim } => {
            axis(*dim, s)?;
            x.like(get(1)?.shape.clone(), x.dtype, 0)
        }
        Op::IndexSelect { dim } => {
            let mut shape = s.clone();
            shape[axis(*dim, s)?] = count(&get(1)?.shape) as usize;
            x.like(shape, x.dtype, 0)
        }
        Op::IndexAdd { dim } => {
            axis(*dim, s)?;
            x.like(s.clone(), x.dtype, count(&get(2)?.shape))
        }
        // How many are true is an estimate; all of them if nothing is known.
        Op::NonZero => x.like(vec![(n as usize).div_ceil(x.choices.unwrap_or(1).max(1))], DType::Int, 0),
        Op::Cast { dtype } => x.like(s.clone(), *dtype, 0),
        Op::Detach => x.like(s.clone(), x.dtype, 0),
        Op::Full { shape, dtype, .. } => x.like(shape.iter().map(|&n| n as usize).collect(), *dtype, 0),
        Op::Arange { start, end } => x.like(vec![end.saturating_sub(*start).max(0) as usize], DType::Int, 0),
        Op::Svd { k } => match s[..] {
            [m, n] if *k as usize <= m.min(n) => {
                let (small, large) = (m.min(n) as u64, m.max(n) as u64);
                x.like(vec![*k as usize, m + 1 + n], DType::F32, 2 * small * small * large + 9 * small.pow(3))
            }
            _ => return Err(PluginError::new(format!("{k} singular values of {s:?}: expected a matrix with as many"))),
        },
        Op::Custom { name, .. } => return Err(PluginError::new(format!("operator `{name}` is not known here"))),
        // What is left is point-wise.
        _ => x.like(s.clone(), x.dtype, n),
    })
}
