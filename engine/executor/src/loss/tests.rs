use super::*;
use crate::{
    kernels::squash::Squash,
    test::{close, floats, random},
};
use burn::tensor::activation;
use framework_core::ffi::HostTensor;

const ALL: Want = Want { hidden: true, weight: true, bias: true, below: false };
const TARGETS: [i32; 5] = [3, 0, 6, 3, 2];
const FACTOR: f64 = 0.3;

fn total(loss: &Loss) -> f64 {
    f64::from(loss.sum.scalar().unwrap())
}

fn cross_entropy_of(hidden: Value, head: Head, targets: &[i32], factor: f64, want: Want) -> Result<Loss> {
    projected_loss(hidden, head, &Cost::plain(targets, factor), want)
}

fn parts_of(at_once: usize, hidden: Value, head: Head, targets: &[i32], factor: f64, want: Want) -> Result<Loss> {
    in_parts(at_once, &Projection::new(hidden, head, targets.len())?, &Cost::plain(targets, factor), want)
}

fn head(weight: Value, bias: Option<Value>) -> Head {
    Head { weight, bias, added: None, squash: Squash::default(), half: None }
}

fn inputs() -> [Value; 3] {
    [floats(&[5, 4], 1), floats(&[7, 4], 2), floats(&[7], 3)]
}

/// Sum and gradients of hidden, weight and bias, by burn's own softmax and backward pass.
fn naive(squash: Squash) -> (f64, [Vec<f32>; 3]) {
    let leaves = inputs().map(|v| v.leaf().unwrap().into_float().unwrap());
    let [hidden, weight, bias] = leaves.clone();
    let logits = hidden.reshape([5, 4]).matmul(weight.reshape([7, 4]).transpose()) + bias.reshape([1, 7]);
    let logits = logits.mul_scalar(squash.scale.unwrap_or(1.0));
    let logits = match squash.softcap {
        Some(cap) => logits.div_scalar(cap).tanh().mul_scalar(cap),
        None => logits,
    };
    let targets = Burn::<2, Int>::from_data(burn::tensor::TensorData::new(TARGETS.to_vec(), [5, 1]), &logits.device());
    let loss = activation::log_softmax(logits, 1).gather(1, targets.autodiff()).sum().neg();
    let mut grads = loss.clone().mul_scalar(FACTOR).backward();
    let grads = leaves.map(|leaf| Value::float(leaf.grad_remove(&mut grads).unwrap(), 2).to_f32().unwrap());
    (f64::from(loss.into_scalar::<f32>()), grads)
}

#[test]
fn is_the_naive_loss_however_many_rows_at_once() {
    let squashes = [(None, None), (Some(0.5), None), (None, Some(0.7)), (Some(3.0), Some(1.5))];
    let squashes = squashes.map(|(scale, softcap)| Squash { scale, softcap });
    for (squash, at_once) in squashes.iter().flat_map(|squash| [1, 2, 3, 5, 100].map(|n| (*squash, n))) {
        let (sum, [hidden, weight, bias]) = naive(squash);
        let [h, w, b] = inputs();
        let loss = parts_of(at_once, h, Head { squash, ..head(w, Some(b)) }, &TARGETS, FACTOR, ALL).unwrap();
        assert!((total(&loss) - sum).abs() < 1e-5, "{} and {sum}", total(&loss));
        let [h, w, b] = inputs();
        let want = Want { hidden: true, ..Want::default() };
        let frozen = parts_of(at_once, h, Head { squash, ..head(w, Some(b)) }, &TARGETS, FACTOR, want).unwrap();
        assert!((total(&frozen) - sum).abs() < 1e-5, "{} and {sum}", total(&frozen));
        close(&frozen.hidden.unwrap().to_f32().unwrap(), &hidden, 1e-6);
        let found = [loss.hidden, loss.weight, loss.bias].map(Option::unwrap);
        assert_eq!(found.each_ref().map(HostTensor::shape), [vec![5, 4], vec![7, 4], vec![7]]);
        for (found, expected) in found.iter().zip([&hidden, &weight, &bias]) {
            close(&found.to_f32().unwrap(), expected, 1e-6);
        }
    }
}

/// The loss with a frozen head, over several panels of the vocabulary, in 64 bits.
#[test]
fn a_frozen_head_gives_the_numbers_of_64_bits() {
    let (n, width, vocab) = (2100, 6, 1301);
    let targets: Vec<i32> = (0..n as i32).map(|i| i * 577 % vocab as i32).collect();
    let numbers = |shape: &[usize], seed, factor: f32| {
        crate::test::value(random(shape.iter().product(), seed).iter().map(|x| factor * x).collect(), shape)
    };
    let (h, w, b) = (numbers(&[n, width], 1, 3.0), numbers(&[vocab, width], 2, 2.0), numbers(&[vocab], 3, 1.0));
    let [hs, ws, bs] = [&h, &w, &b].map(|x| x.to_f32().unwrap().into_iter().map(f64::from).collect::<Vec<_>>());
    for (scale, softcap) in [(None, None), (Some(0.5), None), (Some(2.0), Some(4.0))] {
        let squash = Squash { scale, softcap };
        let squashed = |x: f64| match (scale.unwrap_or(1.0), softcap) {
            (scale, Some(cap)) => (cap * (scale * x / cap).tanh(), scale * (1.0 - (scale * x / cap).tanh().powi(2))),
            (scale, None) => (scale * x, scale),
        };
        let (mut sum, mut grad) = (0.0, Vec::new());
        for (h, target) in hs.chunks(width).zip(&targets) {
            let dot = |w: &[f64]| h.iter().zip(w).map(|(h, w)| h * w).sum::<f64>();
            let logits: Vec<_> = ws.chunks(width).zip(&bs).map(|(w, b)| squashed(dot(w) + b)).collect();
            let total = logits.iter().map(|(l, _)| l.exp()).sum::<f64>();
            sum += total.ln() - logits[*target as usize].0;
            let share = |(i, (l, slope)): (usize, &(f64, f64))| {
                FACTOR * slope * (l.exp() / total - f64::from(u8::from(i as i32 == *target)))
            };
            let shares: Vec<f64> = logits.iter().enumerate().map(share).collect();
            grad.extend(
                (0..width).map(|j| shares.iter().zip(ws.chunks(width)).map(|(s, w)| s * w[j]).sum::<f64>() as f32),
            );
        }
        let want = Want { hidden: true, ..Want::default() };
        let head = Head { squash, ..head(w.clone(), Some(b.clone())) };
        let loss = cross_entropy_of(h.clone(), head, &targets, FACTOR, want).unwrap();
        assert!((total(&loss) / sum - 1.0).abs() < 1e-6, "{} and {sum}", total(&loss));
        close(&loss.hidden.unwrap().to_f32().unwrap(), &grad, 1e-6);
    }
}

#[test]
fn gives_only_what_is_wanted() {
    let [h, w, _] = inputs();
    let loss = cross_entropy_of(h.clone(), head(w.clone(), None), &TARGETS, 1.0, Want::default()).unwrap();
    assert!(loss.hidden.is_none() && loss.weight.is_none() && loss.bias.is_none());
    let want = Want { hidden: true, ..Want::default() };
    let again = cross_entropy_of(h, head(w, None), &TARGETS, 1.0, want).unwrap();
    assert!(again.hidden.is_some() && again.weight.is_none() && again.bias.is_none());
    assert_eq!(total(&again), total(&loss));
}

#[test]
fn large_logits_do_not_overflow() {
    let hidden = crate::test::value(random(4, 1).iter().map(|x| 1e4 * x).collect(), &[1, 4]);
    let loss = cross_entropy_of(hidden, head(floats(&[7, 4], 2), None), &[3], 1.0, ALL).unwrap();
    let sum = total(&loss);
    assert!(sum.is_finite() && sum >= 0.0, "{sum}");
    assert!(loss.hidden.unwrap().to_f32().unwrap().iter().all(|x| x.is_finite()));
}

#[test]
fn tokens_outside_of_the_vocabulary_are_refused() {
    for bad in [7, -1] {
        let [h, w, b] = inputs();
        let error = cross_entropy_of(h, head(w, Some(b)), &[0, 1, bad, 2, 3], 1.0, ALL).err().unwrap();
        assert_eq!(error.message, format!("token id {bad} is outside of the model's vocabulary of 7"));
    }
}

#[test]
fn targets_are_so_far_below_the_largest_logits() {
    let [h, w, b] = inputs();
    let more = (floats(&[5, 2], 4), floats(&[7, 2], 5));
    let below = |head: Head, at_once| {
        let want = Want { below: true, ..Want::default() };
        parts_of(at_once, h.clone(), head, &TARGETS, 1.0, want).unwrap().below.unwrap().to_f32().unwrap()
    };
    for added in [None, Some(more)] {
        let head = || Head { added: added.clone(), ..head(w.clone(), Some(b.clone())) };
        let (logits, _) = Projection::new(h.clone(), head(), 5).unwrap().logits(0..5);
        let logits = logits.into_data().try_into_vec::<f32>().unwrap();
        let expected =
            |(row, target): (&[f32], &i32)| row.iter().copied().fold(f32::MIN, f32::max) - row[*target as usize];
        let expected: Vec<f32> = logits.chunks(7).zip(&TARGETS).map(expected).collect();
        assert!(expected.iter().any(|below| *below > 0.0));
        for at_once in [2, 5] {
            close(&below(head(), at_once), &expected, 1e-5);
        }
    }
}
