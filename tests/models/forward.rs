//! Logits and losses.

use crate::golden::{FAMILIES, Golden, distance, each_near, largest, loss, plugins, within};
use framework_engine::{
    ModelSource, build,
    data::{Batch, Sequence},
    executor::{Device, Network},
    weights::ModelFolder,
};
use std::{cell::Cell, fs, sync::Arc};

const LOGITS: f64 = 5e-6;
const LOSS: f64 = 1e-6;

/// The logits of each sequence where there is no padding.
fn unpadded(logits: &[f32], sequences: &[Sequence]) -> Vec<Vec<f32>> {
    let time = sequences.iter().map(Sequence::len).max().unwrap();
    let row = logits.len() / sequences.len();
    let vocab = row / time;
    sequences.iter().zip(logits.chunks(row)).map(|(s, row)| row[..s.len() * vocab].to_vec()).collect()
}

fn signed(ids: &[u32]) -> Vec<i32> {
    ids.iter().map(|&id| id as i32).collect()
}

fn logits_of(network: &Arc<Network>, batch: &Batch) -> Vec<f32> {
    network.logits(signed(&batch.ids), batch.rows).unwrap()
}

#[track_caller]
fn same_logits(golden: &Golden, network: &Arc<Network>, expected: &str) {
    let (sequences, found) = (golden.sequences(), logits_of(network, &golden.batch()));
    let (found, expected_rows) = (unpadded(&found, &sequences), unpadded(&golden.tensor(expected), &sequences));
    within(&format!("{} {expected}", golden.case), largest(&found.concat(), &expected_rows.concat()), LOGITS);
}

#[track_caller]
fn same_loss(golden: &Golden, network: &Arc<Network>, expected: &str) {
    let found = loss(network, &golden.batch());
    each_near(&format!("{} {expected}", golden.case), &[found], &[golden.number(expected)], LOSS);
}

#[test]
fn logits_and_loss_are_those_of_transformers() {
    Golden::each(|golden| {
        let network = golden.network("model", None);
        same_logits(golden, &network, "logits");
        same_loss(golden, &network, if golden.balanced() { "cross_entropy" } else { "loss" });
    });
}

#[test]
fn rounded_weights_are_read() {
    let golden = Golden::open("gpt_neox/parallel");
    for format in ["bf16", "f16"] {
        let network = golden.network(&format!("model_{format}"), None);
        same_logits(&golden, &network, &format!("logits_{format}"));
        same_loss(&golden, &network, &format!("loss_{format}"));
    }
}

#[test]
fn a_config_of_transformers_5_says_the_same() {
    let both = Cell::new(0);
    Golden::each(|golden| {
        if !golden.path("config_nested.json").exists() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        for file in fs::read_dir(golden.path("model")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        fs::copy(golden.path("config_nested.json"), folder.path().join("config.json")).unwrap();
        let network = framework_engine::from_folders(&plugins(), folder.path(), None, Device::cpu()).unwrap();
        let flat = golden.network("model", None);
        assert_eq!(logits_of(&network, &golden.batch()), logits_of(&flat, &golden.batch()));
        both.set(both.get() + 1);
    });
    assert!(both.get() >= FAMILIES.len(), "only {} cases have both layouts", both.get());
}

/// A sequence beyond the positions that a model was first made for, where scaled rotary frequencies differ most.
#[test]
fn long_sequences_are_those_of_transformers() {
    let long = Cell::new(0);
    Golden::each(|golden| {
        if !golden.has("long_ids") {
            return;
        }
        let found = golden.network("model", None).logits(signed(&golden.ids("long_ids")), 1).unwrap();
        within(&format!("{} long", golden.case), largest(&found, &golden.tensor("long_logits")), LOGITS);
        long.set(long.get() + 1);
    });
    assert!(long.get() >= 4, "only {} cases have a long sequence", long.get());
}

#[test]
fn padding_changes_nothing() {
    Golden::each(|golden| {
        let network = golden.network("model", Some("lora"));
        let sequences = golden.sequences();
        let together = unpadded(&logits_of(&network, &golden.batch()), &sequences);
        for (sequence, row) in sequences.iter().zip(together) {
            let alone = network.logits(signed(&sequence.ids), 1).unwrap();
            within(&format!("{} row of {}", golden.case, sequence.len()), largest(&row, &alone), LOGITS);
        }
        let sums = sequences.iter().map(|s| network.evaluate(&Batch::new([s], 0)).unwrap());
        let (sum, tokens) = sums.fold((0.0, 0), |(sum, tokens), (s, n)| (sum + s, tokens + n));
        assert_eq!(tokens, golden.batch().supervised());
        let alone = sum / tokens as f64;
        each_near(&format!("{} rows' loss", golden.case), &[alone], &[loss(&network, &golden.batch())], LOSS);
    });
}

#[test]
fn adapters_of_peft_are_read() {
    Golden::each(|golden| {
        for name in golden.trained_adapters() {
            same_logits(golden, &golden.network("model", Some(name)), &format!("{name}_logits"));
        }
        for name in golden.adapters() {
            same_loss(golden, &golden.network("model", Some(name)), &format!("{name}_loss"));
        }
    });
}

/// The base model with an adapter folded into its weights.
fn merged(golden: &Golden, adapter: &str) -> Arc<Network> {
    let adapted = golden.network("model", Some(adapter));
    let source = ModelSource::Folder(Box::new(ModelFolder::open(&golden.path("model")).unwrap()));
    let network = build(&plugins(), &golden.plugin(), source, None, Device::cpu(), 0).unwrap();
    let mut changed = 0;
    for param in adapted.spec().params.clone() {
        let weight = adapted.merged(&param.name).unwrap().unwrap();
        let before = network.param(&param.name).unwrap().to_f32().unwrap();
        changed += usize::from(distance(&weight.to_f32().unwrap(), &before, 1.0) > 0.0);
        network.set(&param.name, weight).unwrap();
    }
    assert_eq!(changed, adapted.plan().sites.len(), "weights that the adapter has changed");
    network
}

#[test]
fn merged_adapters_compute_the_same() {
    Golden::each(|golden| {
        same_loss(golden, &merged(golden, "lora"), "merged_loss");
        for name in golden.adapters() {
            same_loss(golden, &merged(golden, name), &format!("{name}_loss"));
        }
    });
}
