//! Gradients of one batch.

use crate::golden::{Golden, distance, plugins, within};
use framework_core::{Kind, ModelSpec, Stored};
use framework_engine::{
    ModelSource, build,
    data::{Batch, pack},
    executor::{Device, Grads, Network, Transfers},
    load_adapter,
    weights::{AdapterFolder, ModelFolder},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

const GRADIENT: f64 = 5e-5;

type Tensors = BTreeMap<String, Vec<f32>>;

/// The model of a case with an adapter at its start.
fn adapted(golden: &Golden, adapter: &str, options: &Value) -> Arc<Network> {
    let plugins = plugins();
    let adapter = plugins.find(Kind::Adapter, adapter).unwrap().adapter(options).unwrap();
    let source = ModelSource::Folder(Box::new(ModelFolder::open(&golden.path("model")).unwrap()));
    build(&plugins, &golden.plugin(), source, Some(adapter), Device::cpu(), 0).unwrap()
}

/// Mean loss and its gradients.
fn gradients(network: &Arc<Network>, batch: &Batch, checkpointing: bool) -> (f64, Tensors) {
    let tokens = batch.supervised() as f64;
    let (sum, Grads(grads)) = network.gradients(batch, 1.0 / tokens, 7, checkpointing).unwrap();
    let stored = |name: &str, grad: Vec<f32>| as_stored(network.spec(), name, grad);
    (
        sum / tokens,
        grads.into_iter().map(|(name, grad)| (name.clone(), stored(&name, grad.to_f32().unwrap()))).collect(),
    )
}

fn norm(tensors: &Tensors) -> f64 {
    tensors.values().flatten().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
}

/// All tensors together within a tenth of `limit`, and each within `limit`; one that is zero but for rounding is
/// measured against them all.
#[track_caller]
fn same(what: &str, found: &Tensors, expected: &Tensors, limit: f64) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
    let all = |tensors: &Tensors| tensors.values().flatten().copied().collect::<Vec<_>>();
    within(&format!("{what}, all together"), distance(&all(found), &all(expected), 0.0), limit / 10.0);
    let floor = 1e-4 * norm(expected);
    let far = |(name, grad): (&String, &Vec<f32>)| (distance(grad, &expected[name], floor), name.clone());
    let (most, name) = found.iter().map(far).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    within(&format!("{what}, at most in {name}"), most, limit);
}

/// Gradients in the order of the files.
fn stored(network: &Network, grads: Grads) -> Tensors {
    let one = |(name, grad): (String, framework_engine::executor::Value)| {
        let data = as_stored(network.spec(), &name, grad.to_f32().unwrap());
        (name, data)
    };
    grads.0.into_iter().map(one).collect()
}

/// A parameter's numbers in the order of the files, which some weights are turned in.
pub fn as_stored(spec: &ModelSpec, name: &str, data: Vec<f32>) -> Vec<f32> {
    let Some(param) = spec.get(name).filter(|param| param.stored == Stored::InOut) else { return data };
    let (rows, columns) = (param.shape[0], param.shape[1]);
    (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column)).map(|i| data[i]).collect()
}

fn expected(golden: &Golden, prefix: &str) -> Tensors {
    golden.tensors(prefix).into_iter().collect()
}

#[test]
fn of_every_parameter_are_those_of_transformers() {
    Golden::each(|golden| {
        let network = adapted(golden, "full", &json!({}));
        assert_eq!(network.trained().len(), network.spec().params.len());
        for checkpointing in [false, true] {
            let (loss, grads) = gradients(&network, &golden.batch(), checkpointing);
            within(&format!("{} loss", golden.case), (loss / golden.number("loss") - 1.0).abs(), 1e-6);
            same(&format!("{} gradients", golden.case), &grads, &expected(golden, "grads"), GRADIENT);
        }
    });
}

#[test]
fn of_lora_are_those_of_peft() {
    Golden::each(|golden| {
        let batch = Batch::new(&golden.examples()[..4], 0);
        for name in golden.trained_adapters() {
            let network = golden.network("model", Some(name));
            let first = golden.numbers(&format!("{name}_losses"))[0];
            let expected = expected(golden, &format!("{name}_grads"));
            for checkpointing in [false, true] {
                let (loss, grads) = gradients(&network, &batch, checkpointing);
                within(&format!("{} {name} first loss", golden.case), (loss / first - 1.0).abs(), 1e-6);
                same(&format!("{} {name} gradients", golden.case), &grads, &expected, GRADIENT);
            }
        }
    });
}

/// Each mixture of experts waits for the device once, however many experts it has.
#[test]
fn experts_are_found_at_once() {
    Golden::each(|golden| {
        let network = adapted(golden, "full", &json!({}));
        let before = Transfers::of_this_thread().read;
        network.gradients(&golden.batch(), 1.0, 7, false).unwrap();
        let mixtures = if golden.family() == "mixtral" { network.spec().blocks as u64 } else { 0 };
        assert_eq!(Transfers::of_this_thread().read - before, 1 + mixtures, "{}", golden.case);
    });
}

/// Sequences in one row do not see each other: as in rows of their own, and as one by one, but for the balance of
/// experts, which is one of the whole batch.
#[test]
fn of_packed_sequences_are_those_of_each_alone() {
    Golden::each(|golden| {
        let network = adapted(golden, "full", &json!({}));
        let (sequences, tokens) = (golden.sequences(), golden.batch().supervised() as f64);
        let tight = sequences.iter().map(|s| s.len()).sum::<usize>() / 2 + 1;
        let rows = pack(&sequences, 1, tight);
        assert!(rows.len() < sequences.len(), "{}: {rows:?}", golden.case);
        let packed = Batch::packed(rows.iter().map(|row| row.iter().map(|&i| &sequences[i]).collect()), 0);
        assert_eq!(packed.supervised() as f64, tokens);
        for checkpointing in [false, true] {
            let (loss, grads) = gradients(&network, &packed, checkpointing);
            let (padded_loss, padded) = gradients(&network, &golden.batch(), checkpointing);
            within(&format!("{} packed loss", golden.case), (loss / padded_loss - 1.0).abs(), 1e-6);
            same(&format!("{} packed gradients", golden.case), &grads, &padded, 2e-5);
        }
        let alone = sequences.iter().map(|s| network.evaluate(&Batch::new([s], 0)).unwrap().0).sum::<f64>();
        let (sum, counted) = network.evaluate(&packed).unwrap();
        assert_eq!(counted as f64, tokens);
        within(&format!("{} packed evaluation", golden.case), (sum / alone - 1.0).abs(), 1e-6);
        if golden.balanced() {
            return;
        }
        let mut sum = Grads::default();
        for sequence in &sequences {
            let batch = Batch::new([sequence], 0);
            sum.merge(network.gradients(&batch, 1.0 / tokens, 7, false).unwrap().1).unwrap();
        }
        let sum = stored(&network, sum);
        let (_, grads) = gradients(&network, &packed, false);
        same(&format!("{} packed, one by one", golden.case), &grads, &sum, GRADIENT);
    });
}

#[test]
fn activation_checkpointing_changes_nothing() {
    Golden::each(|golden| {
        let lora = json!({ "r": 4, "targets": golden.targets("lora"), "dropout": 0.1 });
        for (adapter, options) in [("full", json!({})), ("lora", lora)] {
            let network = adapted(golden, adapter, &options);
            if adapter == "lora" {
                load_adapter(&network, &AdapterFolder::open(&golden.path("lora")).unwrap()).unwrap();
            }
            let (loss, grads) = gradients(&network, &golden.batch(), false);
            let (again, recomputed) = gradients(&network, &golden.batch(), true);
            within(&format!("{} {adapter} loss", golden.case), (loss / again - 1.0).abs(), 2e-7);
            // At most a unit in the last place. A tenth of it all together: norms are computed otherwise where nothing is recorded.
            same(&format!("{} {adapter} checkpointed", golden.case), &recomputed, &grads, 1e-5);
        }
    });
}

#[test]
fn dropout_is_drawn_from_the_seed() {
    let golden = Golden::open("gpt_neox/parallel");
    let network = adapted(&golden, "lora", &json!({ "dropout": 0.1 }));
    let step = |seed| {
        let (loss, Grads(grads)) = network.gradients(&golden.batch(), 1.0, seed, false).unwrap();
        (loss, grads.into_iter().map(|(name, grad)| (name, grad.to_f32().unwrap())).collect::<Tensors>())
    };
    assert_eq!(step(1), step(1));
    assert_ne!(step(1).1, step(2).1);
}

/// Blocks below an adapter are not differentiated. The adapter's gradients are then those that it has beside another
/// one in the lower block which adds nothing.
#[test]
fn of_upper_blocks_do_not_need_the_lower_ones() {
    Golden::each(|golden| {
        let upper = golden.network("model", Some("lora_layers"));
        let both = adapted(golden, "lora", &json!({ "r": 4, "alpha": 8, "targets": golden.targets("lora_layers") }));
        for param in upper.trained() {
            both.set(&param.name, upper.param(&param.name).unwrap()).unwrap();
        }
        for checkpointing in [false, true] {
            let (loss, grads) = gradients(&upper, &golden.batch(), checkpointing);
            let (same_loss, mut all) = gradients(&both, &golden.batch(), checkpointing);
            within(&format!("{} upper loss", golden.case), (loss / same_loss - 1.0).abs(), 1e-6);
            assert!(all.len() > grads.len() && !grads.is_empty());
            all.retain(|name, _| grads.contains_key(name));
            same(&format!("{} upper gradients", golden.case), &grads, &all, GRADIENT);
        }
    });
}

/// The last block alone, of all that full fine-tuning could train.
#[test]
fn of_a_part_are_those_of_the_whole() {
    Golden::each(|golden| {
        let last = golden.network("model", None).spec().blocks - 1;
        let network = adapted(golden, "full", &json!({ "layers": last }));
        let mut expected = expected(golden, "grads");
        expected.retain(|name, _| network.spec().get(name).is_some_and(|param| param.block == Some(last)));
        assert!(!expected.is_empty());
        for checkpointing in [false, true] {
            let (_, grads) = gradients(&network, &golden.batch(), checkpointing);
            same(&format!("{} gradients of block {last}", golden.case), &grads, &expected, GRADIENT);
        }
    });
}
