//! What a model and an adapter see of a pass, and what comes out of it.

use super::{
    Cache, Network, Transfers, Value,
    pass::{Mode, Pass, Setup, Stage},
    test::{
        close, floats,
        probe::{self, network},
        value,
    },
};
use framework_base::{Batch, Sequence};
use framework_core::{
    CtxOp,
    ffi::{self, Host, HostTensor},
};
use framework_sdk::prelude::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

fn batch() -> Batch {
    let sequence = |ids: &[u32]| Sequence { ids: ids.to_vec(), labels: ids.iter().map(|&id| id as i32).collect() };
    Batch::new(&[sequence(&[1, 5, 2, 3]), sequence(&[4, 0])], 0)
}

const SUPERVISED: f64 = 4.0;

type Gradients = BTreeMap<String, Vec<f32>>;

/// Loss, gradients, and the blocks that ran meanwhile.
fn step(network: &Arc<Network>, checkpointing: bool) -> (f64, Gradients, Vec<(usize, bool)>) {
    probe::seen();
    let (loss, grads) = network.gradients(&batch(), 1.0 / SUPERVISED, 7, checkpointing).unwrap();
    let grads = grads.0.into_iter().map(|(name, grad)| (name, grad.to_f32().unwrap())).collect();
    (loss, grads, probe::seen())
}

#[test]
fn nothing_is_recorded_below_what_is_trained() {
    let seen = |trained: &str, checkpointing| {
        let (_, grads, seen) = step(&network(json!({}), json!({ "trained": [trained] })), checkpointing);
        assert_eq!(grads.keys().collect::<Vec<_>>(), [trained]);
        seen
    };
    let (off, on) = (false, true);
    assert_eq!(seen("embed.weight", false), [(0, on), (1, on), (2, on)]);
    assert_eq!(seen("blocks.0.scale", false), [(0, on), (1, on), (2, on)]);
    assert_eq!(seen("blocks.1.mix.bias", false), [(0, off), (1, on), (2, on)]);
    assert_eq!(seen("blocks.2.mix.weight", false), [(0, off), (1, off), (2, on)]);
    for head in ["norm.weight", "out.weight", "out.bias"] {
        assert_eq!(seen(head, false), [(0, off), (1, off), (2, off)]);
        assert_eq!(seen(head, true), [(0, off), (1, off), (2, off)]);
    }
    // Nothing is recorded on the way there; then again, from the top.
    let embed = [(0, off), (1, off), (2, off), (2, on), (1, on), (0, on)];
    assert_eq!(seen("embed.weight", true), embed);
    assert_eq!(seen("blocks.1.mix.bias", true), [(0, off), (1, off), (2, off), (2, on), (1, on)]);
}

#[test]
fn sequences_in_a_row_do_not_see_each_other() {
    let sequence = |ids: &[u32]| Sequence { ids: ids.to_vec(), labels: ids.iter().map(|&id| id as i32).collect() };
    let (first, second) = (sequence(&[1, 5, 2, 3]), sequence(&[4, 0]));
    let adapters = std::iter::once(json!({ "trained": ALL })).chain(probe::added());
    for network in adapters.map(|adapter| network(json!({ "routed": true }), adapter)) {
        let run = |batch: &Batch, checkpointing| {
            let (loss, grads) = network.gradients(batch, 1.0 / SUPERVISED, 7, checkpointing).unwrap();
            (loss, grads.0.into_iter().map(|(name, grad)| (name, grad.to_f32().unwrap())).collect::<Gradients>())
        };
        for rows in [vec![vec![&second, &first]], vec![vec![&first, &second], vec![]]] {
            let packed = Batch::packed(rows, 0);
            for checkpointing in [false, true] {
                let ((loss, grads), (expected, rows)) = (run(&packed, checkpointing), run(&batch(), checkpointing));
                assert!((loss - expected).abs() < 1e-5, "{loss}, not {expected}");
                same(&grads, &rows);
            }
            let (one, other) = (network.evaluate(&packed).unwrap(), network.evaluate(&batch()).unwrap());
            assert!((one.0 - other.0).abs() < 1e-5 && one.1 == other.1);
        }
    }
}

const ALL: [&str; 13] = [
    "embed.weight",
    "blocks.0.mix.weight",
    "blocks.0.mix.bias",
    "blocks.0.scale",
    "blocks.1.mix.weight",
    "blocks.1.mix.bias",
    "blocks.1.scale",
    "blocks.2.mix.weight",
    "blocks.2.mix.bias",
    "blocks.2.scale",
    "norm.weight",
    "out.weight",
    "out.bias",
];

#[track_caller]
fn same(found: &Gradients, expected: &Gradients) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    found.iter().for_each(|(name, grad)| close(grad, &expected[name], 1e-6));
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for adapter in probe::added() {
        let mut adapter = adapter;
        adapter["trained"] = json!(ALL);
        differentiated(&network(json!({}), adapter));
    }
}

fn differentiated(network: &Arc<Network>) {
    let (loss, grads, _) = step(network, false);
    assert_eq!(grads.len(), ALL.len() + network.plan().params.len());
    let mean = || network.evaluate(&batch()).unwrap().0 / SUPERVISED;
    assert!((loss / SUPERVISED - mean()).abs() < 1e-6);
    for (name, grad) in &grads {
        let before = network.param(name).unwrap();
        let data = before.to_f32().unwrap();
        let moved = |at: usize, by: f32| {
            let mut data = data.clone();
            data[at] += by;
            network.set(name, value(data, &before.shape())).unwrap();
            mean()
        };
        let slopes: Vec<_> = (0..data.len()).map(|at| ((moved(at, 4e-3) - moved(at, -4e-3)) / 8e-3) as f32).collect();
        network.set(name, before).unwrap();
        close(grad, &slopes, 1e-3);
    }
    same(&step(network, true).1, &grads);
}

#[test]
fn dropout_is_the_same_when_activations_are_computed_again() {
    let network = network(json!({ "dropout": 0.3 }), json!({ "trained": ALL }));
    let (loss, grads, _) = step(&network, false);
    let (again, recomputed, _) = step(&network, true);
    assert_eq!((loss, &grads), (again, &recomputed));
    assert_ne!(loss, network.evaluate(&batch()).unwrap().0, "without dropout");
}

/// Training with this seed, or none.
fn mode(seed: Option<u64>) -> Mode {
    seed.map_or(Mode::Evaluate, |seed| Mode::Train { seed })
}

#[test]
fn dropout_depends_on_seed_stage_and_draw() {
    let network = network(json!({}), json!({}));
    let ones = || value(vec![1.0; 20_000], &[20_000]);
    let draw = |pass: &Arc<Pass>, stage| {
        pass.enter(stage);
        [0; 2].map(|_| ffi::unwrap::<Value>(pass.context().dropout(ffi::wrap(ones()), 0.25)).unwrap().to_f32().unwrap())
    };
    let pass = |seed| Pass::new(&network, Setup { mode: mode(seed), ..Setup::plain(1, 1) });
    let [first, second] = draw(&pass(Some(1)), Stage::Block(0));
    let both = [first.clone(), second.clone()];
    assert_eq!(draw(&pass(Some(1)), Stage::Block(0)), both);
    let again = pass(Some(1));
    draw(&again, Stage::Embed);
    assert_eq!(draw(&again, Stage::Block(0)), both, "whatever ran before");
    let others = [draw(&pass(Some(2)), Stage::Block(0)), draw(&pass(Some(1)), Stage::Block(1))];
    assert!(first != second && others.iter().all(|[other, _]| *other != first));
    let dropped = first.iter().filter(|x| **x == 0.0).count() as f64 / first.len() as f64;
    assert!((dropped - 0.25).abs() < 0.01, "{dropped}");
    assert!(first.iter().all(|x| *x == 0.0 || (x - 4.0 / 3.0).abs() < 1e-6));
    assert!(draw(&pass(None), Stage::Head).iter().flatten().all(|x| *x == 1.0));
}

/// As transformers' Mixtral has it: `uniform_(1 - width, 1 + width)` while training, nothing otherwise.
#[test]
fn noise_is_uniform_around_one() {
    let network = network(json!({}), json!({}));
    let draw = |seed: Option<u64>| {
        let pass = Pass::new(&network, Setup { mode: mode(seed), ..Setup::plain(1, 1) });
        pass.enter(Stage::Block(0));
        let twos = ffi::wrap(value(vec![2.0; 20_000], &[20_000]));
        ffi::unwrap::<Value>(pass.context().noise(twos, 0.1)).unwrap().to_f32().unwrap()
    };
    let drawn = draw(Some(1));
    assert_eq!(draw(Some(1)), drawn);
    assert_ne!(draw(Some(2)), drawn);
    assert!(drawn.iter().all(|x| (1.8..=2.2).contains(x)));
    let n = drawn.len() as f32;
    let mean = drawn.iter().sum::<f32>() / n;
    let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / n;
    assert!((mean - 2.0).abs() < 0.003 && (variance - 0.04 / 3.0).abs() < 3e-4, "{mean} {variance}");
    assert!(draw(None).iter().all(|x| *x == 2.0));
}

/// With the identity for values, what comes out of an attention are its weights: each is kept, times 1 / (1 - p), or 0.
#[test]
fn dropout_of_attention_weights_keeps_or_drops_each() {
    let (time, p) = (48, 0.25);
    let attend = |seed: Option<u64>, p: f64| {
        let network = network(json!({"attention_dropout": p}), json!({}));
        let pass = Pass::new(&network, Setup { mode: mode(seed), ..Setup::plain(1, time) });
        pass.enter(Stage::Block(1));
        let [q, k] = [1, 2].map(|seed| ffi::wrap(floats(&[1, 2, time, 4], seed)));
        let one = |i: usize| if i / time % time == i % time { 1.0 } else { 0.0 };
        let v = value((0..2 * time * time).map(one).collect(), &[1, 2, time, time]);
        let attend = CtxOp::Attend { id: network.spec().id(1) };
        let out = pass.request(attend, vec![q, k, ffi::wrap(v)]).unwrap();
        ffi::unwrap::<Value>(out).unwrap().to_f32().unwrap()
    };
    let plain = attend(Some(1), 0.0);
    assert_eq!(attend(None, p), plain, "outside of training");
    let dropped = attend(Some(1), p);
    let seen: Vec<_> = plain.iter().zip(&dropped).filter(|(weight, _)| **weight > 0.0).collect();
    assert_eq!(seen.len(), time * (time + 1), "causal, two heads");
    let kept = |(weight, found): &(&f32, &f32)| (*found - *weight * 4.0 / 3.0).abs() < 1e-6;
    assert!(seen.iter().all(|pair| *pair.1 == 0.0 || kept(pair)));
    let share = seen.iter().filter(|pair| *pair.1 == 0.0).count() as f64 / seen.len() as f64;
    assert!((share - p).abs() < 0.04, "{share}");
    assert_ne!(attend(Some(2), p), dropped, "another seed");
    assert_eq!(attend(Some(1), p), dropped);
}

/// As dropout elsewhere, when a block runs a second time on the way back.
#[test]
fn dropout_of_attention_weights_is_the_same_when_activations_are_computed_again() {
    let network = network(json!({ "attention_dropout": 0.3 }), json!({ "trained": ALL }));
    let (loss, grads, _) = step(&network, false);
    let (again, recomputed, _) = step(&network, true);
    assert_eq!((loss, &grads), (again, &recomputed));
    assert_ne!(loss, network.evaluate(&batch()).unwrap().0, "without dropout");
}

#[test]
fn losses_that_a_model_adds_count_per_token() {
    for checkpointing in [false, true] {
        let step = |extra: bool| step(&network(json!({ "extra": extra }), json!({ "trained": ALL })), checkpointing);
        let ((loss, with, _), (plain, mut expected, _)) = (step(true), step(false));
        let network = network(json!({}), json!({}));
        let scale = |block| f64::from(network.param(&format!("blocks.{block}.scale")).unwrap().to_f32().unwrap()[0]);
        let added = (0..3).map(scale).sum::<f64>() * SUPERVISED;
        assert!(added.abs() > 0.1 && (loss - plain - added).abs() < 1e-5, "{loss} {plain} {added}");
        for block in 0..3 {
            expected.get_mut(&format!("blocks.{block}.scale")).unwrap()[0] += 1.0;
        }
        same(&with, &expected);
    }
}

/// Shares and probabilities are means over all blocks, so that each block's gradient depends on the others' choices.
#[test]
fn the_balance_of_experts_spans_all_blocks() {
    let gradients = |routed: bool, checkpointing| {
        step(&network(json!({ "routed": routed }), json!({ "trained": ALL })), checkpointing)
    };
    let ((loss, found, _), (plain, without, _)) = (gradients(true, false), gradients(false, false));
    let (again, by_block, _) = gradients(true, true);
    assert_eq!(loss, again);
    same(&found, &by_block);
    assert_ne!(found["blocks.0.scale"], without["blocks.0.scale"]);
    let balance = (loss - plain) / SUPERVISED;
    assert!((0.5..2.0).contains(&balance), "weight 0.5, and 1 to 4 by how uneven they are: {balance}");
    // Finite differences; the choices do not change with such a small step.
    for name in ["blocks.0.scale", "blocks.2.scale", "blocks.1.mix.bias"] {
        let at = |by: f32| {
            let network = network(json!({ "routed": true }), json!({ "trained": ALL }));
            let mut data = network.param(name).unwrap().to_f32().unwrap();
            data[0] += by;
            let shape = network.param(name).unwrap().shape();
            network.set(name, value(data, &shape)).unwrap();
            step(&network, false).0 / SUPERVISED
        };
        let (slope, grad) = ((at(1e-2) - at(-1e-2)) / 2e-2, f64::from(found[name][0]));
        assert!((slope - grad).abs() < 2e-3, "{name}: {grad}, by differences {slope}");
    }
}

/// What a step sends are ids, the places of labels, the labels, the frequencies of a rotation, the lengths of padded rows
/// where experts are balanced, and where sequences begin if rows are packed. What it reads are the loss and the norm. The
/// rest is made on the device, random factors among it.
#[test]
fn a_step_hardly_needs_the_host() {
    let sequence = |ids: &[u32]| Sequence { ids: ids.to_vec(), labels: ids.iter().map(|&id| id as i32).collect() };
    let (first, second) = (sequence(&[1, 5, 2, 3]), sequence(&[4, 0]));
    let packed = Batch::packed(vec![vec![&first, &second], vec![&second]], 0);
    let network = |routed| {
        network(json!({ "dropout": 0.5, "attention_dropout": 0.3, "routed": routed }), json!({ "trained": ALL }))
    };
    let (plain, routed) = (network(false), network(true));
    for checkpointing in [false, true] {
        for (network, batch, sent) in [(&plain, batch(), 4), (&plain, packed.clone(), 5), (&routed, batch(), 5)] {
            let before = Transfers::of_this_thread();
            let (_, grads) = network.gradients(&batch, 1.0, 7, checkpointing).unwrap();
            grads.norm().unwrap();
            let after = Transfers::of_this_thread();
            assert_eq!((after.sent - before.sent, after.read - before.read), (sent, 2), "{checkpointing}");
        }
    }
}

#[test]
fn nothing_supervised_has_no_gradient() {
    let network = network(json!({}), json!({ "trained": ALL }));
    let batch = Batch::new(&[Sequence { ids: vec![1, 2], labels: vec![1, framework_base::IGNORE] }], 0);
    let (loss, grads) = network.gradients(&batch, 1.0, 0, false).unwrap();
    assert!(loss == 0.0 && grads.0.is_empty());
    assert_eq!(network.evaluate(&batch).unwrap(), (0.0, 0));
}

/// Prompts of several lengths, token by token through a cache, with adapters that put virtual tokens before them.
#[test]
fn a_cache_makes_no_difference() {
    let plain = std::iter::once(json!({}));
    plain.chain(probe::added()).for_each(|adapter| cached(&network(json!({}), adapter)));
}

fn cached(network: &Arc<Network>) {
    let rows = [vec![1, 5, 2, 3, 0], vec![4, 4, 1]];
    let prompts: Vec<Vec<u32>> = rows.iter().map(|row| row[..row.len() - 2].to_vec()).collect();
    let alone = |row: &[u32]| {
        let logits = network.logits(row.iter().map(|&id| id as i32).collect(), 1).unwrap();
        logits[logits.len() - 6..].to_vec()
    };
    let expected = |more: usize| rows.iter().flat_map(|row| alone(&row[..row.len() - 2 + more])).collect::<Vec<_>>();
    let (cache, logits) = network.prefill(&prompts, 0).unwrap();
    close(&logits, &expected(0), 1e-5);
    close(&network.step(&cache, &[3, 4]).unwrap(), &expected(1), 1e-5);
    cache.lock().unwrap().reorder(&[1, 0, 1]).unwrap();
    let [first, second] = [0, 1].map(|row| expected(2)[row * 6..][..6].to_vec());
    let found = network.step(&cache, &[1, 0, 1]).unwrap();
    close(&found, &[second.clone(), first, second].concat(), 1e-5);
}

#[test]
fn positions_count_from_the_first_token_of_each_row() {
    let network = network(json!({}), json!({}));
    let cache = Arc::new(Mutex::new(Cache::new(vec![0, 2])));
    let positions = |time| {
        let setup = Setup { mode: Mode::Generate(cache.clone()), ..Setup::plain(2, time) };
        ffi::unwrap::<Value>(Pass::new(&network, setup).context().positions()).unwrap().to_f32().unwrap()
    };
    assert_eq!(positions(4), [0., 1., 2., 3., 0., 0., 0., 1.]);
    cache.lock().unwrap().length = 4;
    assert_eq!(positions(1), [4., 2.]);
}
