use super::*;
use crate::{
    How,
    test::{close, probe::network},
};
use framework_base::Sequence;
use framework_sdk::prelude::json;
use std::collections::BTreeMap;

fn sequence(ids: &[u32]) -> Sequence {
    Sequence { ids: ids.to_vec(), labels: ids.iter().map(|&id| id as i32).collect() }
}

fn batch(rows: &[&[u32]]) -> Batch {
    let sequences: Vec<_> = rows.iter().map(|ids| sequence(ids)).collect();
    Batch::new(&sequences, 0)
}

type Gradients = BTreeMap<String, Vec<f32>>;

fn gradients(network: &Arc<Network>, batch: &Batch, objective: &Objective, factor: f64) -> (f64, Gradients) {
    let how = How { factor, count: 1.0, seed: 3, checkpointing: false };
    let (loss, grads) = network.gradients_of(batch, objective, how).unwrap();
    (loss, grads.0.into_iter().map(|(name, grad)| (name, grad.to_f32().unwrap())).collect())
}

/// Half of the square of all losses' sum: its derivative by each is the sum.
struct Squared;

impl Likelihoods for Squared {
    fn loss(&self, _: &Batch, losses: &[f32]) -> Result<(f64, Vec<f32>)> {
        let sum: f32 = losses.iter().sum();
        Ok((f64::from(sum).powi(2) / 2.0, vec![sum; losses.len()]))
    }
}

/// With a frozen projection to the vocabulary, and with a trained one, whose gradient is a sum over rows.
#[test]
fn functions_of_likelihoods_follow_the_chain_rule() {
    let batch = batch(&[&[1, 5, 2, 3], &[4, 0]]);
    for trained in [json!(["blocks.1.scale"]), json!(["out.weight", "out.bias", "embed.weight"])] {
        let network = network(json!({}), json!({ "trained": trained }));
        let (sum, plain) = gradients(&network, &batch, &Objective::default(), 1.0);
        let (half, found) = gradients(&network, &batch, &Objective::Likelihoods(&Squared), 0.25);
        assert!((half - sum * sum / 2.0).abs() < 1e-4 * half, "{half} and {sum}");
        assert_eq!(found.len(), plain.len());
        for (name, grad) in &found {
            let expected: Vec<f32> = plain[name].iter().map(|x| 0.25 * x * sum as f32).collect();
            close(grad, &expected, 1e-5);
        }
        let again = network.loss(&batch, &Objective::Likelihoods(&Squared)).unwrap();
        assert!((again - half).abs() < 1e-5 * half);
    }
}

#[test]
fn rows_count_what_they_weigh() {
    let network = network(json!({}), json!({ "trained": ["out.weight", "blocks.0.scale"] }));
    let rows: [&[u32]; 2] = [&[1, 5, 2, 3], &[4, 0, 1]];
    let weighed = Batch { weights: vec![0.5, 3.0], ..batch(&rows) };
    let (sum, grads) = gradients(&network, &weighed, &Objective::default(), 1.0);
    let parts = rows.map(|row| gradients(&network, &batch(&[row]), &Objective::default(), 1.0));
    assert!((sum - 0.5 * parts[0].0 - 3.0 * parts[1].0).abs() < 1e-5 * sum);
    for (name, grad) in &grads {
        let both = parts[0].1[name].iter().zip(&parts[1].1[name]);
        let expected: Vec<f32> = both.map(|(a, b)| 0.5 * a + 3.0 * b).collect();
        close(grad, &expected, 1e-5);
    }
}

/// A student that is its teacher is at no distance, whatever the measure, and far from another.
#[test]
fn a_teacher_is_at_no_distance_from_itself() {
    let batch = batch(&[&[1, 5, 2, 3], &[4, 0]]);
    let student = network(json!({}), json!({ "trained": ["blocks.0.scale", "out.weight"] }));
    let other = network(json!({}), json!({ "trained": ["embed.weight"] }));
    let embeddings = other.param("embed.weight").unwrap().times(-2.0).unwrap();
    other.set("embed.weight", embeddings).unwrap();
    let told = |network: &Arc<Network>| network.likeliest(&batch, 3, 1.5, false).unwrap();
    let (own, others) = (told(&student), told(&other));
    let measures = [Divergence::Forward, Divergence::Reverse, Divergence::JensenShannon { beta: 0.3 }];
    let of = |network, divergence| Teacher::Network { network, bare: false, divergence };
    let near = measures.map(|divergence| of(&student, divergence)).into_iter().chain([Teacher::Likeliest(&own)]);
    let far = measures.map(|divergence| of(&other, divergence)).into_iter().chain([Teacher::Likeliest(&others)]);
    for (near, far) in near.zip(far) {
        let objective = |teacher| Objective::Distillation { share: 1.0, temperature: 1.5, teacher };
        let (loss, grads) = gradients(&student, &batch, &objective(near), 1.0);
        assert!(loss.abs() < 1e-5 && grads.values().flatten().all(|x| x.abs() < 1e-5), "{loss} {grads:?}");
        let (loss, grads) = gradients(&student, &batch, &objective(far), 1.0);
        assert!(loss > 1e-2 && grads.values().flatten().any(|x| x.abs() > 1e-3), "{loss}");
    }
}

/// Slopes of all criteria, by finite differences of the projection's bias.
#[test]
fn slopes_are_derivatives() {
    let batch = batch(&[&[1, 5, 2, 3], &[4, 0]]);
    let student = network(json!({}), json!({ "trained": ["out.bias"] }));
    let teacher = network(json!({}), json!({ "trained": [] }));
    let weights = teacher.param("blocks.1.mix.weight").unwrap().times(-1.5).unwrap();
    teacher.set("blocks.1.mix.weight", weights).unwrap();
    let told = teacher.likeliest(&batch, 2, 2.0, false).unwrap();
    let distilled = |teacher| Objective::Distillation { share: 0.7, temperature: 2.0, teacher };
    let of = |divergence| distilled(Teacher::Network { network: &teacher, bare: false, divergence });
    let all = [
        Objective::Tokens(Tokens { label_smoothing: 0.2, z_loss: 0.0 }),
        Objective::Tokens(Tokens { label_smoothing: 0.1, z_loss: 0.05 }),
        of(Divergence::Forward),
        of(Divergence::Reverse),
        of(Divergence::JensenShannon { beta: 0.3 }),
        distilled(Teacher::Likeliest(&told)),
    ];
    let bias = student.param("out.bias").unwrap().to_f32().unwrap();
    for (i, objective) in all.iter().enumerate() {
        let (loss, grads) = gradients(&student, &batch, objective, 1.0);
        let whole = student.loss(&batch, objective).unwrap();
        assert!((loss - whole).abs() < 1e-5 * loss.abs(), "{i}: {loss} and {whole}");
        for (at, slope) in grads["out.bias"].iter().enumerate() {
            let moved = |by: f32| {
                let mut bias = bias.clone();
                bias[at] += by;
                student.set("out.bias", Value::from_f32(bias, &[6], student.device()).unwrap()).unwrap();
                student.loss(&batch, objective).unwrap()
            };
            let by_differences = (moved(0.02) - moved(-0.02)) / 0.04;
            assert!((by_differences - f64::from(*slope)).abs() < 5e-3, "{i}.{at}: {by_differences} and {slope}");
        }
        student.set("out.bias", Value::from_f32(bias.clone(), &[6], student.device()).unwrap()).unwrap();
    }
}

#[test]
fn a_teacher_with_wrong_tokens_is_refused() {
    let (network, batch) = (network(json!({}), json!({ "trained": ["out.bias"] })), batch(&[&[1, 2]]));
    let how = How { factor: 1.0, count: 1.0, seed: 3, checkpointing: false };
    let refused = |told: &TopK| {
        let objective = Objective::Distillation { share: 1.0, temperature: 1.0, teacher: Teacher::Likeliest(told) };
        network.gradients_of(&batch, &objective, how).err().unwrap().message
    };
    let outside = refused(&TopK { k: 1, ids: vec![6], log_probs: vec![-0.5] });
    assert_eq!(outside, "the teacher's token id 6 is outside of the model's vocabulary of 6");
    assert!(refused(&TopK { k: 2, ids: vec![1], log_probs: vec![-0.5] }).contains("not of 1 rows"));
}
