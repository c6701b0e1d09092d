//! What the contract between host and plugins costs by itself: a small Llama with LoRA and AdamW on a host that computes
//! nothing, with the plugins linked in and, if libraries are named, loaded from them.
//!
//! `cargo bench -p framework-registry --bench contract -- [--json] [LIBRARY…]`; `benches/contract.py` sets the figures beside
//! the time of a real step.

use framework_core::{
    AdapterPlan, CtxOp, DType, Init, Kind, ModelSpec, Op, Param, Result, Role, Tensor,
    ffi::{self, AdaptedObject, Host, HostTensor, ModelObject},
};
use framework_registry::{Registry, Sources};
use plugin_adapters as _;
use plugin_models as _;
use plugin_optimizers as _;
use serde::Serialize;
use serde_json::json;
use std::{
    cell::Cell,
    hint::black_box,
    path::PathBuf,
    sync::{Arc, Weak},
    time::Instant,
};

thread_local! {
    static OPERATORS: Cell<u64> = const { Cell::new(0) };
    static REQUESTS: Cell<u64> = const { Cell::new(0) };
}

fn count(counter: &'static std::thread::LocalKey<Cell<u64>>) {
    counter.set(counter.get() + 1);
}

/// A tensor of no numbers and always the same shape.
#[derive(Clone)]
struct Nothing;

impl HostTensor for Nothing {
    fn shape(&self) -> Vec<usize> {
        vec![1, 2, 2, 2]
    }
    fn dtype(&self) -> DType {
        DType::F32
    }
    fn execute(_: Op, operands: Vec<Self>) -> Result<Self> {
        count(&OPERATORS);
        black_box(operands);
        Ok(Self)
    }
}

/// A host that answers every request with such a tensor, after the adapter's hook where a projection goes through it.
struct Idle {
    spec: ModelSpec,
    adapter: AdaptedObject,
    this: Weak<Idle>,
}

impl Host for Idle {
    fn request(&self, op: CtxOp, operands: Vec<Tensor>) -> Result<Tensor> {
        count(&REQUESTS);
        if let CtxOp::Project { id } = op {
            let param = &self.spec.params[self.spec.index(id, self.spec.params.len())?];
            if let (Some(site), Some(this)) = (self.adapter.site(param), self.this.upgrade()) {
                let x = operands.into_iter().next().unwrap_or_else(|| ffi::wrap(Nothing));
                return self.adapter.linear(&ffi::context(this), site, x);
            }
        }
        Ok(ffi::wrap(Nothing))
    }
}

/// How long something takes, in microseconds, and what it asks for.
#[derive(Debug, Serialize)]
struct Cost {
    what: &'static str,
    microseconds: f64,
    operators: u64,
    requests: u64,
}

/// The median of 21 rounds.
fn measure(what: &'static str, repeat: usize, mut run: impl FnMut()) -> Cost {
    run();
    let before = (OPERATORS.get(), REQUESTS.get());
    run();
    let (operators, requests) = (OPERATORS.get() - before.0, REQUESTS.get() - before.1);
    let mut rounds: Vec<f64> = (0..21)
        .map(|_| {
            let start = Instant::now();
            (0..repeat).for_each(|_| run());
            start.elapsed().as_secs_f64() * 1e6 / repeat as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    Cost { what, microseconds: rounds[10], operators, requests }
}

/// The parameters that a plan trains.
fn trained(spec: &ModelSpec, plan: &AdapterPlan) -> Vec<Param> {
    let of_model = spec.params.iter().filter(|param| plan.trained.contains(&param.name));
    plan.own_trained().chain(of_model).cloned().collect()
}

fn costs(registry: &Registry) -> Result<Vec<Cost>> {
    let config = json!({
        "vocab_size": 512, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 128,
    });
    let find = |kind, name| registry.find(kind, name).map_err(|e| framework_core::PluginError::new(e.to_string()));
    let model: ModelObject = find(Kind::Model, "llama")?.model(&config)?;
    let spec = model.spec()?;
    let adapter = find(Kind::Adapter, "lora")?.adapter(&json!({"r": 8, "targets": "all-linear"}))?.open(&spec)?;
    let params = trained(&spec, adapter.plan());
    let opened = find(Kind::Optimizer, "adamw")?.optimizer(&json!({"learning_rate": 1e-3}))?.open(&params)?;
    let host = Arc::new_cyclic(|this| Idle { spec: spec.clone(), adapter, this: this.clone() });
    let cx = ffi::context(host);
    let nothing = || ffi::wrap(Nothing);
    let x = nothing();
    let weight = spec.weight(&Param::new(&spec.params[0].name, &[], Init::Zeros, Role::Other));
    let block = |index: usize| model.block(&cx, index, nothing()).map(drop).expect("the plugin runs");
    let update = |index: usize| {
        let state = opened.states()[index].iter().map(|_| nothing()).collect();
        // The host's tensors do not have the parameter's shape, which is an error behind the plugin's work.
        let _ = black_box(opened.update(1e-3, 1, index, (nothing(), nothing()), state));
    };
    let forward = || {
        let hidden = model.embed(&cx, nothing()).and_then(|x| model.start(&cx, x)).expect("the plugin runs");
        (0..spec.blocks).for_each(block);
        model.head(&cx, hidden).map(drop).expect("the plugin runs");
    };
    Ok(vec![
        measure("an operator of one operand", 10_000, || drop(black_box(x.clone().exp()))),
        measure("an operator of two operands", 10_000, || drop(black_box(&x + &x))),
        measure("a request", 10_000, || drop(black_box(weight.get(&cx)))),
        measure("a block with LoRA at every projection", 500, || block(0)),
        measure("a forward pass of 2 blocks", 200, forward),
        measure("AdamW's update of a parameter", 500, || update(0)),
        measure("a step: forward pass and all updates", 50, || {
            forward();
            (0..params.len()).for_each(update);
        }),
    ])
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (flags, libraries): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|argument| argument.starts_with("--"));
    let libraries: Vec<PathBuf> = libraries.into_iter().map(PathBuf::from).collect();
    let linked = Registry::open_with(&Sources { linked: true, ..Sources::default() }).expect("what is linked in");
    let mut all = vec![("linked in", costs(&linked).expect("the plugins run"))];
    if !libraries.is_empty() {
        let loaded = Registry::from_libraries(&libraries).unwrap_or_else(|e| panic!("{e}"));
        all.push(("loaded", costs(&loaded).expect("the plugins run")));
    }
    if flags.iter().any(|flag| flag == "--json") {
        let all: serde_json::Map<_, _> = all.iter().map(|(name, costs)| ((*name).to_owned(), json!(costs))).collect();
        return println!("{}", serde_json::Value::Object(all));
    }
    println!(
        "{:42}{:>11}{:>11}{}",
        "",
        "operators",
        "requests",
        all.iter().map(|(name, _)| format!("{:>15}", format!("µs {name}"))).collect::<String>()
    );
    for (row, cost) in all[0].1.iter().enumerate() {
        let times: String = all.iter().map(|(_, costs)| format!("{:15.3}", costs[row].microseconds)).collect();
        println!("{:42}{:>11}{:>11}{times}", cost.what, cost.operators, cost.requests);
    }
}
