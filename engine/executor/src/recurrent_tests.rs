use super::*;
use crate::test::{beside, close, differentiates, floats};
use framework_core::ffi::HostTensor;

/// Two rows: one sequence of five tokens; two of three and two.
const POSITIONS: [i32; 10] = [0, 1, 2, 3, 4, 0, 1, 2, 0, 1];

fn steps(device: &Device, graph: bool) -> Steps<'_> {
    Steps { positions: positions(&POSITIONS, 2), rows: 2, time: 5, device, graph }
}

fn positions(data: &[i32], rows: usize) -> Burn<2, Int> {
    Burn::from_data(burn::tensor::TensorData::new(data.to_vec(), [rows, data.len() / rows]), &Device::cpu().burn)
}

fn numbers(value: &Value) -> Vec<f32> {
    value.to_f32().unwrap()
}

#[test]
fn a_convolution_stays_within_its_sequence() {
    let device = Device::cpu();
    let (x, w) = (floats(&[2, 5, 3], 1), floats(&[3, 4], 2));
    let (y, last) = conv(&steps(&device, false), x.clone(), w.clone(), None).unwrap();
    let (x, w, mut expected) = (numbers(&x), numbers(&w), Vec::new());
    for row in 0..2 {
        for t in 0..5 {
            for c in 0..3 {
                let reach = POSITIONS[row * 5 + t].min(3) as usize;
                expected.push((0..=reach).map(|d| w[c * 4 + 3 - d] * x[(row * 5 + t - d) * 3 + c]).sum::<f32>());
            }
        }
    }
    close(&numbers(&y), &expected, 1e-6);
    assert_eq!((last.shape(), &numbers(&last)[..9]), (vec![2, 3, 3], &x[6..15]));
}

#[test]
fn a_recurrence_stays_within_its_sequence() {
    let device = Device::cpu();
    let (a, b) = (floats(&[2, 5, 2, 3], 1), floats(&[2, 5, 2, 3], 2));
    let (h, last) = scan(&steps(&device, false), a.clone(), b.clone(), None).unwrap();
    let (a, b) = (numbers(&a), numbers(&b));
    let mut expected: Vec<f32> = Vec::new();
    for (i, (a, b)) in a.iter().zip(&b).enumerate() {
        let before = if POSITIONS[i / 6] == 0 { 0.0 } else { expected[i - 6] };
        expected.push(a * before + b);
    }
    close(&numbers(&h), &expected, 1e-6);
    assert_eq!((last.shape(), numbers(&last)[..6].to_vec()), (vec![2, 1, 2, 3], numbers(&h)[24..30].to_vec()));
}

/// One token at a time, each behind what the last has left.
#[test]
fn steps_go_on_where_the_last_has_ended() {
    let device = Device::cpu();
    let (x, w) = (floats(&[1, 5, 3], 1), floats(&[3, 4], 2));
    let (a, b) = (floats(&[1, 5, 3, 2], 3), floats(&[1, 5, 3, 2], 4));
    let whole = Steps { positions: positions(&[0, 1, 2, 3, 4], 1), rows: 1, time: 5, device: &device, graph: false };
    let (y, h) =
        (conv(&whole, x.clone(), w.clone(), None).unwrap().0, scan(&whole, a.clone(), b.clone(), None).unwrap().0);
    let (mut inputs, mut state) = (None, None);
    for t in 0..5 {
        let step = Steps { positions: positions(&[t as i32], 1), rows: 1, time: 1, device: &device, graph: false };
        let at = |x: &Value, rank: usize| {
            Value::float(x.clone().into_float().unwrap().slice_dim(R - rank + 1, t..t + 1), rank)
        };
        let (one, last) = conv(&step, at(&x, 3), w.clone(), inputs.take()).unwrap();
        close(&numbers(&one), &numbers(&y)[t * 3..][..3], 1e-6);
        inputs = Some(last);
        let (one, last) = scan(&step, at(&a, 4), at(&b, 4), state.take()).unwrap();
        close(&numbers(&one), &numbers(&h)[t * 6..][..6], 1e-6);
        state = Some(last);
    }
}

#[test]
fn both_are_differentiated() {
    let device = Device::cpu();
    differentiates("conv", &[floats(&[2, 5, 3], 1), floats(&[3, 4], 2)], |inputs| {
        let [x, w] = <[Value; 2]>::try_from(inputs).ok().unwrap();
        let graph = beside(&x, floats(&[1], 1)).is_tracked();
        conv(&steps(&device, graph), x, w, None).unwrap().0
    });
    differentiates("scan", &[floats(&[2, 5, 2], 1), floats(&[2, 5, 2], 2)], |inputs| {
        let [a, b] = <[Value; 2]>::try_from(inputs).ok().unwrap();
        let graph = beside(&a, floats(&[1], 1)).is_tracked();
        scan(&steps(&device, graph), a, b, None).unwrap().0
    });
}
