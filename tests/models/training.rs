//! Twelve steps of training.

use crate::{
    golden::{Golden, distance, each_near, plugins, within},
    run::{COURSE, Trained, adapter, examples_loss, train},
};
use framework_engine::{executor::Device, from_folders, weights::TensorFile};
use std::collections::BTreeSet;

const LOSS: f64 = 1e-5;
const NORM: f64 = 1e-4;

#[track_caller]
fn same_course(golden: &Golden, trained: &Trained, kind: &str) {
    let what = |quantity: &str| format!("{} {kind} {quantity}", golden.case);
    each_near(&what("losses"), &trained.losses, &golden.numbers(&format!("{kind}_losses")), LOSS);
    each_near(&what("norms"), &trained.norms, &golden.numbers(&format!("{kind}_grad_norms")), NORM);
}

fn lora(golden: &Golden, name: &str, course: &str) -> Trained {
    let init = golden.path(name);
    let optimizer = "[optimizer]\nplugin = \"adamw\"\nlearning_rate = 1e-2\nweight_decay = 0.01\n";
    train(golden, &format!("{}init_from = {init:?}\n{optimizer}{course}", adapter(golden, name)))
}

fn full(golden: &Golden, optimizer: &str) -> Trained {
    train(golden, &format!("adapter.plugin = \"full\"\n[optimizer]\n{optimizer}\n{COURSE}"))
}

#[track_caller]
fn same_adapter(golden: &Golden, trained: &Trained, name: &str) {
    let written = TensorFile::open(&trained.folder.adapter().join("adapter_model.safetensors")).unwrap();
    let expected = golden.tensors(&format!("{name}_final"));
    let names = |names: &mut dyn Iterator<Item = String>| names.collect::<BTreeSet<_>>();
    assert_eq!(names(&mut written.names().map(str::to_owned)), names(&mut expected.iter().map(|(n, _)| n.clone())));
    let far = expected.iter().map(|(name, weight)| distance(&written.tensor(name).unwrap(), weight, 0.0));
    within(&format!("{} {name} after training", golden.case), far.fold(0.0, f64::max), 1e-4);
}

#[test]
fn of_lora_goes_as_with_peft() {
    Golden::each(|golden| {
        for name in golden.trained_adapters() {
            let start = examples_loss(golden, &golden.network("model", Some(name)));
            let trained = lora(golden, name, COURSE);
            same_course(golden, &trained, name);
            same_adapter(golden, &trained, name);
            // What was written is what was trained.
            let end = examples_loss(golden, &trained.prepared.network);
            let adapter = trained.folder.adapter();
            let again = from_folders(&plugins(), &golden.path("model"), Some(&adapter), Device::cpu()).unwrap();
            assert_eq!(examples_loss(golden, &again), end);
            assert!(end < start, "{name}: {end}, and {start} before");
        }
    });
}

#[test]
fn accumulated_batches_are_one_big_batch() {
    Golden::each(|golden| {
        // The balance of the experts' load is one of a batch, not of its tokens.
        if golden.balanced() {
            return;
        }
        let course = COURSE.replace("batch_size = 4", "batch_size = 2\ngradient_accumulation = 2");
        let trained = lora(golden, "lora", &course);
        same_course(golden, &trained, "lora");
        same_adapter(golden, &trained, "lora");
    });
}

#[test]
fn checkpointed_activations_make_no_difference() {
    Golden::each(|golden| {
        let trained = lora(golden, "lora", &format!("{COURSE}activation_checkpointing = true\n"));
        same_course(golden, &trained, "lora");
    });
}

#[test]
fn of_all_parameters_goes_as_with_torch() {
    Golden::each(|golden| {
        let trained = full(golden, "plugin = \"adamw\"\nlearning_rate = 1e-3\nweight_decay = 0.01\ndecay = \"all\"");
        same_course(golden, &trained, "full");
        let end = examples_loss(golden, &trained.prepared.network);
        let again = from_folders(&plugins(), &trained.folder.model(), None, Device::cpu()).unwrap();
        assert_eq!(examples_loss(golden, &again), end);
    });
}

#[test]
fn with_momentum_goes_as_with_torch() {
    Golden::each(|golden| {
        let trained = full(golden, "plugin = \"sgd\"\nlearning_rate = 0.05\nmomentum = 0.9");
        same_course(golden, &trained, "sgd");
    });
}

/// An adapter's settings come from its folder: what a recipe leaves out is as there, and another `alpha` is refused.
#[test]
fn settings_of_an_adapter_come_from_its_folder() {
    let golden = Golden::open("gpt_neox/parallel");
    let expected = golden.numbers("lora_losses");
    let init = golden.path("lora");
    let found = train(&golden, &format!("[adapter]\ninit_from = {init:?}\n{COURSE}")).losses;
    assert!((found[0] / expected[0] - 1.0).abs() < LOSS, "{} and {}", found[0], expected[0]);
    let other = adapter(&golden, "lora").replace("alpha = 8", "alpha = 9");
    let refused = std::panic::catch_unwind(|| train(&golden, &format!("{other}init_from = {init:?}\n{COURSE}")));
    let said = refused.err().and_then(|said| said.downcast_ref::<String>().cloned()).unwrap();
    assert!(said.contains("is 9.0, but 8.0 in"), "{said}");
}
