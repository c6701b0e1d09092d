use super::*;
use framework_base::Sequence;
use framework_recipe::ObjectiveName::*;

fn batch() -> Batch {
    let sequences = [3, 2, 1, 4].map(|n| Sequence { ids: vec![1; n + 1], labels: vec![1; n + 1] });
    Batch { numbers: vec![0, 1, 2, 3], ..Batch::new(&sequences, 0) }
}

/// Each loss's derivative by each token's loss, by finite differences.
#[test]
fn weights_are_derivatives() {
    let plain = Objective::default();
    let some = |loss| Some(loss);
    let all = [
        Objective { name: Dpo, beta: some(0.3), ..plain.clone() },
        Objective { name: Dpo, beta: some(0.3), label_smoothing: some(0.2), sft_weight: some(0.5), ..plain.clone() },
        Objective { name: Dpo, beta: some(0.3), length_normalized: Some(true), ..plain.clone() },
        Objective { name: Dpo, loss: Some(PreferenceLoss::Ipo), beta: some(0.3), ..plain.clone() },
        Objective { name: Dpo, loss: Some(PreferenceLoss::Hinge), beta: some(0.3), ..plain.clone() },
        Objective {
            name: Dpo,
            loss: Some(PreferenceLoss::Robust),
            label_smoothing: some(0.1),
            beta: some(0.3),
            ..plain.clone()
        },
        Objective { name: Orpo, beta: some(0.7), ..plain.clone() },
        Objective { name: Simpo, gamma: some(0.4), label_smoothing: some(0.1), ..plain },
    ];
    let (batch, reference) = (batch(), [-2.0, -3.0, -1.0, -4.5]);
    let losses = [0.5f32, 1.0, 0.25, 1.5, 2.0, 0.75, 1.25, 0.5, 1.0, 0.3];
    for objective in all {
        let of = |losses: &[f32]| Pairs::new(&objective, Some(&reference), 2.0, 4).loss(&batch, losses).unwrap();
        let (_, weights) = of(&losses);
        assert_eq!(weights.len(), losses.len());
        for i in 0..losses.len() {
            let moved = |by: f32| {
                let mut losses = losses;
                losses[i] += by;
                of(&losses).0
            };
            let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            let message = format!("{objective:?} {i}: {slope} and {}", weights[i]);
            assert!((slope - f64::from(weights[i])).abs() < 2e-4, "{message}");
        }
    }
}

#[test]
fn a_model_that_is_its_reference_has_no_preference() {
    let objective = Objective { name: Dpo, ..Objective::default() };
    let (losses, reference) = ([0.5f32; 10], [-1.5, -1.0, -0.5, -2.0]);
    let pairs = Pairs::new(&objective, Some(&reference), 2.0, 4);
    let (sum, _) = pairs.loss(&batch(), &losses).unwrap();
    assert!((sum - 2.0 * 2f64.ln()).abs() < 1e-12);
    let metrics = pairs.rewards().metrics();
    assert_eq!((metrics["reward_margin"], metrics["reward_accuracy"]), (0.0, 0.0));
}

#[test]
fn large_differences_do_not_overflow() {
    for x in [-1e4, -50.0, 0.0, 50.0, 1e4] {
        let (value, slope) = smoothed(x, 0.1, 1.0);
        assert!(value.is_finite() && slope.is_finite(), "{x}: {value} {slope}");
    }
}
