//! What a step asks of a GPU besides arithmetic: data sent there and read back, and kernels launched.

use super::{
    BackendName, Device, Network, Storage, Transfers, Value, Wanted,
    kernels::exact::{PRETENDED, stacks},
    test::{close, probe::network_on, random},
};
use cubecl::logging::{LaunchObservation, LaunchObserver};
use framework_base::{Batch, Sequence};
use framework_core::ffi::HostTensor;
use framework_sdk::prelude::json;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

#[derive(Default)]
struct Launches(AtomicU64);

impl LaunchObserver for Launches {
    fn launched(&self, _: &'static str) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Tensors sent, tensors read, kernels launched.
fn costs(work: &dyn Fn()) -> [u64; 3] {
    // What is sent and compiled once is so before.
    work();
    let (before, launches) = (Transfers::of_this_thread(), Arc::new(Launches::default()));
    let watching = LaunchObservation::new(launches.clone());
    work();
    drop(watching);
    let after = Transfers::of_this_thread();
    [after.sent - before.sent, after.read - before.read, launches.0.load(Ordering::Relaxed)]
}

/// A step of training on two sequences.
fn step(network: &Arc<Network>) {
    let sequence = |ids: &[u32]| Sequence { ids: ids.to_vec(), labels: ids.iter().map(|&id| id as i32).collect() };
    let batch = Batch::new(&[sequence(&[1, 5, 2, 3]), sequence(&[4, 0])], 0);
    let (_, grads) = network.gradients(&batch, 1.0, 7, false).unwrap();
    grads.norm().unwrap();
}

/// A token more for two rows.
fn token(network: &Arc<Network>) {
    let wanted = Wanted { best: Some(1), log_probs: false };
    let (cache, _) = network.prefill_for(&[vec![1, 5], vec![4, 0]], 0, wanted).unwrap();
    network.step(&cache, &[3, 4]).unwrap();
}

/// Products that do without tensor cores, where NVIDIA's GPUs would take them.
#[test]
#[ignore = "needs a device"]
fn the_device_is_asked_for_32_bits() {
    let device = Device::open(BackendName::Wgpu, 0).unwrap();
    let shapes = [
        ([1, 1, 1, 3, 4], [1, 1, 1, 4, 5]),
        ([1, 1, 2, 65, 70], [1, 1, 2, 70, 33]),
        ([1, 2, 3, 1, 64], [1, 2, 3, 64, 1]),
    ];
    for (a, b) in shapes {
        let [a, b] = [(a, 1), (b, 2)].map(|(shape, seed)| {
            Value::from_f32(random(shape.iter().product(), seed), &shape, &device).unwrap().into_float().unwrap()
        });
        // Turned, so that one of them does not lie row by row.
        let turned = b.clone().swap_dims(3, 4).mul_scalar(1.0).swap_dims(3, 4);
        let expected = a.clone().matmul(b).into_data().try_into_vec::<f32>().unwrap();
        PRETENDED.store(true, Ordering::Relaxed);
        let found = stacks(a, turned).into_data().try_into_vec::<f32>().unwrap();
        PRETENDED.store(false, Ordering::Relaxed);
        close(&found, &expected, 1e-4);
    }
}

/// One test, since launches of all threads are counted.
#[test]
#[ignore = "needs a device"]
fn the_device_is_asked_for_little() {
    let device = Device::open(BackendName::Wgpu, 0).unwrap();
    let trained = json!({ "trained": ["blocks.0.mix.bias", "blocks.1.mix.bias", "blocks.2.mix.bias"] });
    let network = |model, storage: Option<Storage>| {
        let network = network_on(&device, model, trained.clone());
        for block in (0..3).filter(|_| storage.is_some()) {
            let weight = Value::stored(random(16, block), &[4, 4], storage.unwrap_or_default(), &device).unwrap();
            network.set(&format!("blocks.{block}.mix.weight"), weight).unwrap();
        }
        network
    };
    let plain = network(json!({ "dropout": 0.5, "attention_dropout": 0.3 }), None);
    let routed = network(json!({ "routed": true }), None);
    let quantized = network(json!({}), Some(Storage::Nf4 { double: true }));
    let experts = Value::from_ints(vec![2, 0, 1, 2, 3, 0], &[6], &device).unwrap();
    let found = [
        ("a step", costs(&|| step(&plain))),
        ("a step with a router", costs(&|| step(&routed))),
        ("a step with weights in 4 bits", costs(&|| step(&quantized))),
        ("a prompt and a token", costs(&|| token(&plain))),
        (
            "the tokens of each of four experts",
            costs(&|| {
                // Of tensors that are new in each pass.
                let chosen = experts.clone().plus(Value::from_ints(vec![0; 6], &[6], &device).unwrap()).unwrap();
                for expert in 0..4 {
                    let mask = Value::execute(framework_core::Op::EqualScalar(f64::from(expert)), vec![chosen.clone()])
                        .unwrap();
                    Value::execute(framework_core::Op::NonZero, vec![mask]).unwrap();
                }
            }),
        ),
    ];
    // Half of the first step's kernels draw random factors.
    let most = [[4, 2, 803], [5, 2, 401], [4, 2, 377], [6, 2, 259], [2, 1, 9]];
    let above =
        |(_, found): &(&str, [u64; 3]), most: &[u64; 3]| found.iter().zip(most).any(|(found, most)| found > most);
    let above = found.iter().zip(&most).any(|(found, most)| above(found, most));
    assert!(!above, "sent, read and launched {found:?}, expected at most {most:?}");
}
