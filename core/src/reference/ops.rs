//! The operators by their definitions.

use super::{
    Array, Dual,
    array::positions,
    lanes::{along, axis, dot, flat, largest, matmul, norm, rotate, softmax, sum},
    number::sign,
    svd,
};
use crate::{DType, Op, PluginError, Result, meta};

/// Executes an operator. The shape is the one that the meta pass infers.
pub(super) fn execute(op: &Op, operands: &[Array]) -> Result<Array> {
    let given: Vec<_> = operands.iter().map(|x| (x.shape.clone(), x.dtype)).collect();
    let (shape, dtype) = meta::inferred(op, &given)?;
    let x = &operands[0];
    let data = match op {
        Op::Add
        | Op::Sub
        | Op::Mul
        | Op::Div
        | Op::Maximum
        | Op::Minimum
        | Op::GatedActivate(_)
        | Op::Equal
        | Op::Greater
        | Op::Less => pairs(op, x, &operands[1], &shape)?,
        Op::Where => {
            let [mask, a, b] = [0, 1, 2].map(|i| operands[i].expanded(&shape));
            let chosen = mask.iter().zip(a.into_iter().zip(b));
            chosen.map(|(mask, (a, b))| if mask.value == 0.0 { b } else { a }).collect()
        }
        Op::Softmax { dim } => along(x, *dim, |lane| softmax(lane, false)),
        Op::LogSoftmax { dim } => along(x, *dim, |lane| softmax(lane, true)),
        Op::Sum { dim } => along(x, *dim, |lane| vec![sum(lane)]),
        Op::Mean { dim } => along(x, *dim, |lane| vec![sum(lane) * Dual::from(1.0 / lane.len() as f64)]),
        Op::Max { dim } => along(x, *dim, |lane| vec![lane[largest(lane)[0]]]),
        Op::ArgMax { dim } => along(x, *dim, |lane| vec![Dual::from(largest(lane)[0] as f64)]),
        Op::TopK { k } => {
            along(x, -1, |lane| largest(lane).into_iter().take(*k as usize).map(|i| Dual::from(i as f64)).collect())
        }
        Op::Matmul => matmul(x, &operands[1], &shape),
        Op::Linear => {
            let product = |row: &[Dual]| operands[1].rows().map(|weights| dot(row, weights)).collect::<Vec<_>>();
            x.rows().flat_map(product).collect()
        }
        Op::LayerNorm { eps } => norm(x, &operands[1], Some(&operands[2]), *eps),
        Op::RmsNorm { eps } => norm(x, &operands[1], None, *eps),
        Op::Rotary(rotary) => rotate(x, &operands[1], rotary),
        Op::Embedding => {
            let row = |id: usize| x.data[id * shape[2]..(id + 1) * shape[2]].iter().copied();
            let ids = operands[1].indices();
            if let Some(id) = ids.iter().find(|id| **id >= x.shape[0]) {
                return Err(PluginError::new(format!("id {id} of a table with {} rows", x.shape[0])));
            }
            ids.into_iter().flat_map(row).collect()
        }
        Op::Reshape { .. } => x.data.to_vec(),
        Op::SwapDims { a, b } => {
            let [a, b] = [*a, *b].map(|dim| axis(dim, x));
            let swapped = |mut at: Vec<usize>| {
                at.swap(a, b);
                x.data[flat(&at, &x.shape)]
            };
            positions(&shape).map(swapped).collect()
        }
        Op::Slice { dim, start, end } => along(x, *dim, |lane| lane[*start as usize..*end as usize].to_vec()),
        Op::Concat { dim } => {
            let dim = axis(*dim, x);
            let inner = |x: &Array| x.shape[dim..].iter().product::<usize>();
            let outer: usize = shape[..dim].iter().product();
            let part = |o: usize| operands.iter().flat_map(move |x| x.data[o * inner(x)..(o + 1) * inner(x)].to_vec());
            (0..outer).flat_map(part).collect()
        }
        Op::Expand { .. } => x.expanded(&shape),
        Op::Gather { dim } => {
            let (dim, indices) = (axis(*dim, x), operands[1].indices());
            let gathered = |(mut at, index): (Vec<usize>, usize)| {
                at[dim] = index;
                x.data[flat(&at, &x.shape)]
            };
            positions(&shape).zip(indices).map(gathered).collect()
        }
        Op::IndexSelect { dim } => {
            let indices = operands[1].indices();
            along(x, *dim, |lane| indices.iter().map(|&i| lane[i]).collect())
        }
        Op::IndexAdd { dim } => {
            let (dim, indices, values) = (axis(*dim, x), operands[1].indices(), &operands[2]);
            let mut out = x.data.to_vec();
            for (mut at, value) in positions(&values.shape).zip(values.data.iter()) {
                at[dim] = indices[at[dim]];
                let place = &mut out[flat(&at, &x.shape)];
                *place = *place + *value;
            }
            out
        }
        Op::NonZero => {
            let found: Vec<_> = (0..x.data.len()).filter(|&i| x.data[i].value != 0.0).collect();
            // How many there are is known here alone.
            return Ok(Array::ints(&[found.len()], found));
        }
        Op::Full { value, .. } => vec![Dual::from(*value); shape.iter().product()],
        Op::Arange { start, .. } => (0..shape[0]).map(|i| Dual::from((*start + i as i64) as f64)).collect(),
        Op::Svd { k } => svd::largest(x, *k as usize),
        _ => x.data.iter().map(|&number| single(op, number)).collect::<Result<_>>()?,
    };
    Ok(Array::new(&shape, data, dtype))
}

fn single(op: &Op, x: Dual) -> Result<Dual> {
    let truth = |holds: bool| Dual::from(f64::from(u8::from(holds)));
    Ok(match op {
        Op::AddScalar(number) => x + Dual::from(*number),
        Op::MulScalar(number) => x * Dual::from(*number),
        Op::PowScalar(exponent) => x.pow(*exponent),
        Op::Clamp { min, .. } if x.value < *min => Dual::from(*min),
        Op::Clamp { max, .. } if x.value > *max => Dual::from(*max),
        Op::Clamp { .. } => x,
        Op::Neg => -x,
        Op::Exp => x.exp(),
        Op::Log => x.ln(),
        Op::Sqrt => x.sqrt(),
        Op::Recip => x.recip(),
        Op::Abs => x.abs(),
        Op::Sign => Dual::from(sign(x.value)),
        Op::Tanh => x.tanh(),
        Op::Sigmoid => x.sigmoid(),
        Op::Sin => x.sin(),
        Op::Cos => x.cos(),
        Op::Erf => x.erf(),
        Op::Activate(activation) => x.activate(*activation)?,
        Op::EqualScalar(number) => truth(x.value == *number),
        Op::GreaterScalar(number) => truth(x.value > *number),
        Op::LessScalar(number) => truth(x.value < *number),
        Op::Cast { dtype: DType::Int } => Dual::from(x.value.trunc()),
        Op::Cast { dtype: DType::Bool } => truth(x.value != 0.0),
        // Narrower floating-point numbers are not rounded.
        Op::Cast { .. } => x,
        Op::Detach => x.still(),
        other => return Err(PluginError::new(format!("operator {other:?} is not known here"))),
    })
}

fn pairs(op: &Op, x: &Array, y: &Array, shape: &[usize]) -> Result<Vec<Dual>> {
    let truth = |holds: bool| -> Result<Dual> { Ok(Dual::from(f64::from(u8::from(holds)))) };
    let pair = |(a, b): (Dual, Dual)| -> Result<Dual> {
        match op {
            // Of masks: or.
            Op::Add if x.dtype == DType::Bool => truth(a.value + b.value > 0.0),
            Op::Add => Ok(a + b),
            Op::Sub => Ok(a - b),
            Op::Mul => Ok(a * b),
            Op::Div if x.dtype == DType::Int => Ok(Dual::from((a.value / b.value).trunc())),
            Op::Div => Ok(a / b),
            Op::Maximum => Ok(if a.value >= b.value { a } else { b }),
            Op::Minimum => Ok(if a.value <= b.value { a } else { b }),
            Op::GatedActivate(activation) => Ok(a.activate(*activation)? * b),
            Op::Equal => truth(a.value == b.value),
            Op::Greater => truth(a.value > b.value),
            _ => truth(a.value < b.value),
        }
    };
    x.expanded(shape).into_iter().zip(y.expanded(shape)).map(pair).collect()
}
