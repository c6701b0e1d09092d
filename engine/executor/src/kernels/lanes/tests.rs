use super::*;
use crate::{
    kernels::squash::Squash,
    test::{close, random},
};

/// Against 64 bits: numbers of rows that fill blocks and do not, with bias, scale and cap, over several panels.
#[test]
fn losses_and_gradients_are_those_of_64_bits() {
    if !serve(None) {
        return;
    }
    for (n, width, vocab) in [(1, 3, 5), (50, 20, 301), (700, 50, 140), (20, 300, 70)] {
        for (scale, softcap, biased) in [(None, None, true), (Some(2.0), Some(4.0), false)] {
            let how = How { squash: Squash { scale, softcap }, factor: Some(0.3), half: None };
            let (h, w, bias) = (random(n * width, 1), random(vocab * width, 2), random(vocab, 3));
            let bias: &[f32] = if biased { &bias } else { &[] };
            let ids: Vec<i32> = (0..n as i32).map(|i| i * 577 % vocab as i32).collect();
            let rows = Rows { states: &h, width, targets: Integers::Narrow(&ids), bias, how };
            let panel = |rows: Range<usize>| Panel::Numbers(Cow::Borrowed(&w[rows.start * width..rows.end * width]));
            let wanted = expected(&rows, &w, &ids);
            let found = in_blocks::<3>(rows, vocab, panel);
            close(&found.0, &wanted.losses, 1e-5);
            close(&found.1, &wanted.of_hidden, 1e-5);
            // However many rows lie side by side.
            assert!(in_blocks::<1>(rows, vocab, panel) == found && in_blocks::<2>(rows, vocab, panel) == found);
            let only = Rows { how: How { factor: None, ..how }, ..rows };
            let (losses, below) = head(only, vocab, panel);
            close(&losses, &wanted.losses, 1e-5);
            close(&below, &wanted.below, 1e-5);
        }
    }
}

struct Expected {
    losses: Vec<f32>,
    below: Vec<f32>,
    of_hidden: Vec<f32>,
}

fn expected(rows: &Rows, w: &[f32], ids: &[i32]) -> Expected {
    let (scale, cap) = (rows.how.squash.scale.unwrap_or(1.0), rows.how.squash.softcap.unwrap_or(f64::INFINITY));
    let capped = |x: f64| if cap.is_finite() { cap * (x / cap).tanh() } else { x };
    let mut all = Expected { losses: vec![], below: vec![], of_hidden: vec![] };
    for (h, target) in rows.states.chunks(rows.width).zip(ids) {
        let dot = |w: &[f32]| h.iter().zip(w).map(|(h, w)| f64::from(*h) * f64::from(*w)).sum::<f64>();
        let bias = |i: usize| rows.bias.get(i).map_or(0.0, |b| f64::from(*b));
        let logits: Vec<f64> =
            w.chunks(rows.width).enumerate().map(|(i, w)| capped(scale * (dot(w) + bias(i)))).collect();
        let (total, most) = (logits.iter().map(|l| l.exp()).sum::<f64>(), logits.iter().copied().fold(-1e9, f64::max));
        let of_target = logits[*target as usize];
        all.losses.push((total.ln() - of_target) as f32);
        all.below.push((most - of_target) as f32);
        let mut of_row = vec![0.0; rows.width];
        for (i, (l, w)) in logits.iter().zip(w.chunks(rows.width)).enumerate() {
            let slope = scale * (1.0 - (l / cap).powi(2)) * rows.how.factor.unwrap_or(1.0);
            let share = slope * (l.exp() / total - f64::from(u8::from(i as i32 == *target)));
            of_row.iter_mut().zip(w).for_each(|(sum, w)| *sum += share * f64::from(*w));
        }
        all.of_hidden.extend(of_row.iter().map(|x| *x as f32));
    }
    all
}
