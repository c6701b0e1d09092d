//! By hand.

use super::*;
use crate::test::close;

#[track_caller]
fn gives(op: Op, operands: &[&Value], shape: &[usize], expected: &[f32]) {
    let out = run(op, operands).unwrap();
    assert_eq!(out.shape(), shape);
    close(&out.to_f32().unwrap(), expected, 1e-5);
}

fn row(data: &[f32]) -> Value {
    value(data.to_vec(), &[data.len()])
}

#[test]
fn gather_takes_along_a_dimension() {
    let x = value(vec![1., 2., 3., 4., 5., 6.], &[2, 3]);
    gives(Op::Gather { dim: 1 }, &[&x, &ints(&[2, 0, 1, 1], &[2, 2])], &[2, 2], &[3., 1., 5., 5.]);
    gives(Op::Gather { dim: 0 }, &[&x, &ints(&[1, 0, 1], &[1, 3])], &[1, 3], &[4., 2., 6.]);
    gives(Op::Gather { dim: -1 }, &[&ints(&[7, 8], &[2]), &ints(&[1], &[1])], &[1], &[8.]);
}

#[test]
fn index_select_and_index_add_are_each_others_reverse() {
    let x = value(vec![1., 2., 3., 4., 5., 6.], &[3, 2]);
    let rows = ints(&[2, 0, 2], &[3]);
    gives(Op::IndexSelect { dim: 0 }, &[&x, &rows], &[3, 2], &[5., 6., 1., 2., 5., 6.]);
    gives(Op::IndexSelect { dim: -1 }, &[&x, &ints(&[1], &[1])], &[3, 1], &[2., 4., 6.]);
    let values = value(vec![10., 20., 30., 40., 50., 60.], &[3, 2]);
    gives(Op::IndexAdd { dim: 0 }, &[&x, &rows, &values], &[3, 2], &[31., 42., 3., 4., 65., 86.]);
    let columns = value(vec![1., 1., 1.], &[3, 1]);
    gives(Op::IndexAdd { dim: 1 }, &[&x, &ints(&[0], &[1]), &columns], &[3, 2], &[2., 2., 4., 4., 6., 6.]);
}

#[test]
fn embedding_looks_rows_up() {
    let table = value(vec![0., 1., 10., 11., 20., 21.], &[3, 2]);
    gives(Op::Embedding, &[&table, &ints(&[2, 0], &[1, 2])], &[1, 2, 2], &[20., 21., 0., 1.]);
}

#[test]
fn top_k_is_sorted() {
    let x = value(vec![1., 5., 3., -1., -2., -3.], &[2, 3]);
    gives(Op::TopK { k: 2 }, &[&x], &[2, 2], &[1., 2., 0., 1.]);
    assert_eq!(run(Op::TopK { k: 1 }, &[&x]).unwrap().dtype(), DType::Int);
    gives(Op::ArgMax { dim: 0 }, &[&x], &[1, 3], &[0., 0., 0.]);
    gives(Op::ArgMax { dim: -1 }, &[&x], &[2, 1], &[1., 0.]);
}

#[test]
fn non_zero_is_as_long_as_there_are() {
    let mask = |data: &[f32]| run(Op::GreaterScalar(0.0), &[&row(data)]).unwrap();
    gives(Op::NonZero, &[&mask(&[0., 1., 0., 2.])], &[2], &[1., 3.]);
    gives(Op::NonZero, &[&mask(&[0., -1.])], &[0], &[]);
    assert!(run(Op::NonZero, &[&run(Op::EqualScalar(0.0), &[&floats(&[2, 2], 1)]).unwrap()]).is_err());
}

/// Experts ask for each of them: only the first answer is waited for.
#[test]
fn a_list_is_read_once_for_all_its_values() {
    let list = ints(&[2, 0, 2, 7, 0, 2], &[6]);
    let places = |list: &Value, value: f64| {
        let mask = Value::execute(Op::EqualScalar(value), vec![list.clone()]).unwrap();
        Value::execute(Op::NonZero, vec![mask]).unwrap()
    };
    let before = Transfers::of_this_thread();
    let found = [0., 1., 2., 7., 0.5].map(|value| places(&list, value));
    // Half an expert is none, and is asked for in another way.
    let after = Transfers::of_this_thread();
    assert_eq!((after.read - before.read, after.sent - before.sent), (2, 1));
    let expected: [&[f32]; 5] = [&[1., 4.], &[], &[0., 2., 5.], &[3.], &[]];
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!((found.to_f32().unwrap().as_slice(), found.shape()), (expected, vec![expected.len()]));
    }
    // What becomes of a mask is another one.
    let mask = Value::execute(Op::EqualScalar(2.0), vec![list.clone()]).unwrap();
    let both = Value::execute(Op::Mul, vec![mask.clone(), mask]).unwrap();
    gives(Op::NonZero, &[&both], &[3], &[0., 2., 5.]);
}

#[test]
fn where_broadcasts() {
    let mask = run(Op::GreaterScalar(0.0), &[&value(vec![1., -1.], &[2, 1])]).unwrap();
    gives(Op::Where, &[&mask, &row(&[1., 2., 3.]), &row(&[0.])], &[2, 3], &[1., 2., 3., 0., 0., 0.]);
    gives(Op::Where, &[&mask, &ints(&[1, 2], &[2]), &ints(&[9], &[1])], &[2, 2], &[1., 2., 9., 9.]);
    assert!(run(Op::Where, &[&mask, &row(&[1.]), &ints(&[9], &[1])]).is_err());
}

#[test]
fn integers_are_compared_with_fractions() {
    let list = ints(&[-1, 0, 1], &[3]);
    let found = |op: Op| run(op, &[&list]).unwrap().to_f32().unwrap();
    assert_eq!(found(Op::EqualScalar(0.5)), [0., 0., 0.]);
    assert_eq!(found(Op::GreaterScalar(-0.5)), [0., 1., 1.]);
    assert_eq!(found(Op::GreaterScalar(0.5)), [0., 0., 1.]);
    assert_eq!(found(Op::LessScalar(0.5)), [1., 1., 0.]);
    assert_eq!(found(Op::LessScalar(-0.5)), [1., 0., 0.]);
}

#[test]
fn comparisons_and_masks() {
    let (a, b) = (row(&[1., 2., 3.]), row(&[3., 2., 1.]));
    gives(Op::Greater, &[&a, &b], &[3], &[0., 0., 1.]);
    gives(Op::Less, &[&a, &b], &[3], &[1., 0., 0.]);
    gives(Op::Equal, &[&a, &b], &[3], &[0., 1., 0.]);
    gives(Op::LessScalar(2.0), &[&ints(&[1, 2], &[2])], &[2], &[1., 0.]);
    let either = run(Op::Maximum, &[&run(Op::Less, &[&a, &b]).unwrap(), &run(Op::Equal, &[&a, &b]).unwrap()]).unwrap();
    assert_eq!((either.dtype(), either.to_f32().unwrap()), (DType::Bool, vec![1., 1., 0.]));
}

#[test]
fn norms_and_gates() {
    let x = value(vec![3., 4., 0., 5.], &[2, 2]);
    let root = (12.5f32 + 0.5).sqrt();
    let normed = [3. / root * 2., 4. / root, 0., 5. / root];
    gives(Op::RmsNorm { eps: 0.5 }, &[&x, &row(&[2., 1.])], &[2, 2], &normed);
    let (d, e) = (1.0 / 0.75f32.sqrt(), 1.0 / 6.75f32.sqrt());
    let normed = [1. - d, 1. + d / 2., 1. - 5. * e, 1. + 2.5 * e];
    gives(Op::LayerNorm { eps: 0.5 }, &[&x, &row(&[2., 1.]), &row(&[1., 1.])], &[2, 2], &normed);
    gives(Op::GatedActivate(Activation::Relu), &[&row(&[-1., 2.]), &row(&[5., 5.])], &[2], &[0., 10.]);
    let silu = |x: f32| x / (1. + (-x).exp());
    let gated = [5. * silu(-1.), 5. * silu(2.)];
    gives(Op::GatedActivate(Activation::Silu), &[&row(&[-1., 2.]), &row(&[5., 5.])], &[2], &gated);
    gives(Op::Activate(Activation::Gelu), &[&row(&[1., -1.])], &[2], &[0.841_344_7, -0.158_655_26]);
    gives(Op::Activate(Activation::GeluTanh), &[&row(&[1., -1.])], &[2], &[0.841_192, -0.158_808]);
}

/// Each pair `(a, b)` turned by its angle, pass-through elements aside.
fn turned(x: &[f32], positions: &[i32], rotary: &Rotary) -> Vec<f32> {
    let (heads, time, size, half) = (2, 3, 6, rotary.inv_freq.len());
    let mut out = x.to_vec();
    for (row, vector) in out.chunks_mut(size).enumerate() {
        let position = positions[row / (heads * time) * time + row % time];
        for i in 0..half {
            let (a, b) = if rotary.interleaved { (2 * i, 2 * i + 1) } else { (i, i + half) };
            let angle = f64::from(position) * rotary.inv_freq[i];
            let (cos, sin) = ((angle.cos() * rotary.scale) as f32, (angle.sin() * rotary.scale) as f32);
            (vector[a], vector[b]) = (vector[a] * cos - vector[b] * sin, vector[b] * cos + vector[a] * sin);
        }
    }
    out
}

#[test]
fn rotary_turns_pairs() {
    let x = floats(&[2, 2, 3, 6], 5);
    let positions = [0, 1, 2, 7, 5, 9];
    for interleaved in [false, true] {
        for (inv_freq, scale) in [(vec![1.0, 0.1], 1.0), (vec![1.0, 0.5, 0.01], 1.25)] {
            let rotary = Rotary { inv_freq: inv_freq.into(), scale, interleaved };
            let expected = turned(&x.to_f32().unwrap(), &positions, &rotary);
            gives(Op::Rotary(rotary), &[&x, &ints(&positions, &[2, 3])], &[2, 2, 3, 6], &expected);
        }
    }
}

/// Left vectors, values and right vectors, row by row.
fn parts(x: &Value, k: u64) -> Vec<(Vec<f32>, f32, Vec<f32>)> {
    let m = x.shape()[0];
    let out = run(Op::Svd { k }, &[x]).unwrap();
    let rows = out.to_f32().unwrap();
    rows.chunks(out.shape()[1]).map(|row| (row[..m].to_vec(), row[m], row[m + 1..].to_vec())).collect()
}

#[test]
fn singular_values_and_vectors_make_up_the_matrix() {
    for shape in [[3, 5], [5, 3], [4, 4], [1, 6], [6, 1]] {
        let (x, most) = (floats(&shape, 3), shape[0].min(shape[1]));
        let parts = parts(&x, most as u64);
        let sum = (0..shape[0] * shape[1]).map(|at| {
            let (i, j) = (at / shape[1], at % shape[1]);
            parts.iter().map(|(left, value, right)| left[i] * value * right[j]).sum::<f32>()
        });
        close(&sum.collect::<Vec<_>>(), &x.to_f32().unwrap(), 1e-6);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        for (i, (left, value, right)) in parts.iter().enumerate() {
            assert!(*value > 0.0 && parts.get(i + 1).is_none_or(|next| next.1 <= *value), "{shape:?}");
            for (j, other) in parts.iter().enumerate() {
                let one = f32::from(u8::from(i == j));
                close(&[dot(left, &other.0), dot(right, &other.2)], &[one, one], 1e-5);
            }
        }
    }
    // Of a matrix of rank 1: (1, 2) and (2, 1, 2).
    let parts = parts(&value(vec![2., 1., 2., 4., 2., 4.], &[2, 3]), 2);
    close(&[parts[0].1, parts[1].1], &[45f32.sqrt(), 0.0], 1e-5);
    let sign = parts[0].0[0].signum();
    close(&parts[0].0, &[sign / 5f32.sqrt(), sign * 2. / 5f32.sqrt()], 1e-5);
    close(&parts[0].2, &[sign * 2. / 3., sign / 3., sign * 2. / 3.], 1e-5);
    let e = run(Op::Svd { k: 1 }, &[&value(vec![1., f32::NAN], &[1, 2])]).err().unwrap();
    assert!(e.message.contains("NaN"), "{e}");
}

#[test]
fn what_cannot_be_is_refused() {
    let (x, narrow) = (floats(&[2, 3], 1), floats(&[3, 2], 1));
    for (op, operands) in [
        (Op::Sum { dim: 2 }, vec![&x]),
        (Op::Slice { dim: 1, start: 1, end: 4 }, vec![&x]),
        (Op::Reshape { shape: vec![4, -1].into() }, vec![&x]),
        (Op::Reshape { shape: vec![5].into() }, vec![&x]),
        (Op::Linear, vec![&x, &narrow]),
        (Op::Add, vec![&x]),
        (Op::Add, vec![&x, &ints(&[1], &[1])]),
        (Op::Exp, vec![&ints(&[1], &[1])]),
        (Op::Svd { k: 3 }, vec![&x]),
        (Op::Svd { k: 1 }, vec![&ints(&[1, 2], &[1, 2])]),
        (Op::Custom { name: "sort".into(), args: "".into() }, vec![&x]),
    ] {
        assert!(run(op.clone(), &operands).is_err(), "{op:?}");
    }
}

/// Results beyond all memory are errors that name operator and shapes; none is allocated.
#[test]
fn what_fits_into_no_memory_is_refused() {
    let x = floats(&[2, 3], 1);
    let tall = run(Op::Expand { shape: vec![1 << 21, 1].into() }, &[&floats(&[1, 1], 1)]).unwrap();
    let wide = run(Op::Reshape { shape: vec![1, -1].into() }, &[&tall]).unwrap();
    let zeros = run(Op::Full { shape: vec![1 << 21].into(), value: 0.0, dtype: DType::Int }, &[&x]).unwrap();
    for (op, operands) in [
        (Op::Full { shape: vec![1 << 30, 1 << 30].into(), value: 0.0, dtype: DType::F32 }, vec![&x]),
        (Op::Expand { shape: vec![1 << 60, 2, 3].into() }, vec![&x]),
        (Op::Arange { start: i64::MIN, end: i64::MAX }, vec![&x]),
        (Op::Add, vec![&tall, &wide]),
        (Op::Matmul, vec![&tall, &wide]),
        (Op::Linear, vec![&tall, &tall]),
        (Op::IndexSelect { dim: 1 }, vec![&tall, &zeros]),
    ] {
        let e = run(op.clone(), &operands).err().unwrap_or_else(|| panic!("{op:?}"));
        assert!(e.message.contains("GiB, more than this machine has"), "{e}");
    }
}
