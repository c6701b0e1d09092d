//! Every check is failed by the mistake that it is for, and by the right network none.

use super::check;
use crate::generation::LanguageModel;
use framework_core::{
    Kind,
    conformance::{self, CACHED, CHECKPOINTED, GRADIENTS, MERGED, Outcome, PACKED, STARTED},
};
use framework_executor::Wanted;
use framework_registry::{Registry, Sources};
use framework_sdk::{
    Adapted, Adapter, Attach, Attention, Ctx, Dense, Embedding, Heads, Init, Linear, Logits, Merged, ModelArch,
    ModelSpec, Needs, Network, Norm, NormConfig, NormKind, Result, Scope, Site, Sizes, Table, Tensor, Weight, nn,
    options, register,
};
use std::sync::atomic::{AtomicU32, Ordering};

const WIDTH: usize = 8;

/// A model with one mistake, known by the name under which it is registered.
#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    Right,
    /// Attention by hand: no cache, no padding, no packing.
    OwnAttention,
    /// The same, and says so.
    Declared,
    /// A state by hand: each token adds the one before it, whatever that belongs to.
    OwnState,
    /// Positions by hand: those in the pass.
    OwnPositions,
    /// Half of the gradient is lost.
    Detached,
    /// A number that changes with every call.
    Counting,
}

struct Net {
    mistake: Mistake,
    embedding: Embedding,
    blocks: Vec<([Linear; 3], Attention)>,
    norm: Norm,
}

fn build(mistake: Mistake, m: &Scope) -> Result<Net> {
    m.sizes(Sizes { hidden: WIDTH, vocab: 20, ..Sizes::default() });
    if mistake == Mistake::Declared {
        m.needs(Needs::new().unpacked().uncached());
    }
    let embedding = m.embedding("embed", Table { rows: 20, width: WIDTH, padding: None, init: Init::Normal(0.02) });
    let blocks = m.blocks("blocks", 2, |_, m| {
        let linear = |name| m.linear(name, Dense { input: WIDTH, out: WIDTH, bias: true, ..Dense::default() });
        let heads = Heads { queries: 2, keys: 2, size: WIDTH / 2, ..Heads::default() };
        Ok((["q", "k", "v"].map(linear), m.attention(heads)))
    })?;
    let norm = m.norm("norm", NormConfig { size: WIDTH, kind: NormKind::Rms, eps: 1e-6 });
    m.output("head", WIDTH, 20, Logits::default());
    Ok(Net { mistake, embedding, blocks, norm })
}

/// What each token sees of those before it, in this pass alone.
fn by_hand(q: Tensor, k: Tensor, v: Tensor) -> Tensor {
    let time = q.dim(2);
    let number = q.arange(0, time);
    let future = number.clone().reshape([1, -1]).greater(number.reshape([-1, 1]));
    let scores = q.matmul(k.swap_dims(-1, -2)) * 0.5;
    let shape = [scores.dim(0), scores.dim(1), time, time];
    let hidden = scores.full(shape, -1e9, framework_sdk::DType::F32);
    future.reshape([1, 1, time as i64, time as i64]).expand(shape).choose(hidden, scores).softmax(-1).matmul(v)
}

static CALLS: AtomicU32 = AtomicU32::new(0);

impl Network for Net {
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        self.embedding.forward(cx, ids)
    }

    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor {
        let (linears, attention) = &self.blocks[index];
        let [q, k, v] = linears.each_ref().map(|linear| nn::split_heads(linear.forward(cx, &hidden), 2));
        let mixed = match self.mistake {
            Mistake::OwnAttention | Mistake::Declared => by_hand(q, k, v),
            _ => attention.forward(cx, q, k, v),
        };
        let mixed = nn::merge_heads(mixed);
        match self.mistake {
            Mistake::OwnState => {
                let (batch, time) = (hidden.dim(0), hidden.dim(1));
                let first = hidden.full([batch, 1, WIDTH], 0.0, framework_sdk::DType::F32);
                hidden.clone() + mixed + Tensor::concat([first, hidden.slice(1, 0, time - 1)], 1)
            }
            Mistake::OwnPositions => {
                let position = hidden.arange(0, hidden.dim(1)).cast(framework_sdk::DType::F32).reshape([1, -1, 1]);
                hidden + mixed + position * 0.1
            }
            Mistake::Detached => hidden.clone().detach() + hidden * 0.0 + mixed,
            Mistake::Counting => hidden + mixed * (1.0 + 0.1 * f64::from(CALLS.fetch_add(1, Ordering::Relaxed) % 5)),
            _ => hidden + mixed,
        }
    }

    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        self.norm.forward(cx, hidden)
    }
}

macro_rules! model {
    ($type:ident, $name:literal) => {
        options! {
            /// A model with or without a mistake.
            struct $type {}
        }
        impl ModelArch for $type {
            type Net = Net;
            fn build(&self, m: &Scope) -> Result<Net> {
                build(Mistake::$type, m)
            }
        }
        register!(model $name => $type, example = "");
    };
}

model!(Right, "right");
model!(OwnAttention, "by-hand");
model!(Declared, "by-hand-declared");
model!(OwnState, "own-state");
model!(OwnPositions, "own-positions");
model!(Detached, "detached");
model!(Counting, "counting-calls");

options! {
    /// Scales what projections give, and merges it as if there were no biases.
    struct Scale {
        /// What the scales start from.
        start: f64,
        /// Whether biases are merged, too.
        biases: bool,
    }
}

struct Scales {
    options: Scale,
    scales: Vec<Weight>,
}

impl Adapter for Scale {
    type Net = Scales;

    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Scales> {
        let scales = model.linears().map(|weight| {
            a.intercept(weight);
            a.param(format!("{}.scale", weight.module()), &[weight.shape[0]], Init::Constant(self.start), weight.block)
        });
        Ok(Scales { options: self.clone(), scales: scales.collect() })
    }
}

impl Adapted for Scales {
    fn linear(&self, cx: &Ctx, site: Site, x: Tensor) -> Tensor {
        cx.base(site, x) * self.scales[site.index()].get(cx)
    }

    fn merge(&self, cx: &Ctx, site: Site, module: Merged) -> Result<Merged> {
        let Merged { weight, bias, .. } = module;
        let scale = self.scales[site.index()].get(cx);
        let bias = bias.map(|bias| if self.options.biases { bias * &scale } else { bias });
        Ok(Merged::new(weight * scale.reshape([-1, 1]), bias))
    }
}

register!(adapter "scale-right" => Scale, example = "start = 1.0\nbiases = true");

macro_rules! scale {
    ($type:ident, $name:literal, $start:literal, $biases:literal) => {
        options! {
            /// The same with a mistake.
            struct $type {}
        }
        impl Adapter for $type {
            type Net = Scales;
            fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Scales> {
                Scale { start: $start, biases: $biases }.build(model, a)
            }
        }
        register!(adapter $name => $type, example = "");
    };
}

scale!(Unequal, "scale-start", 1.5, true);
scale!(Unmerged, "scale-bias", 1.0, false);

/// The checks that a plugin fails.
fn failed(kind: Kind, name: &str) -> Vec<&'static str> {
    let registry = Registry::open_with(&Sources { linked: true, ..Sources::default() }).unwrap();
    let findings = check(registry.find(kind, name).unwrap());
    assert!(findings.len() >= 4, "{findings:?}");
    findings.into_iter().filter(|f| matches!(f.outcome, Outcome::Failed(_))).map(|f| f.check).collect()
}

#[test]
fn what_is_right_passes() {
    assert_eq!(failed(Kind::Model, "right"), [""; 0]);
    assert_eq!(failed(Kind::Adapter, "scale-right"), [""; 0]);
}

/// What it cannot do is not tried, and what the engine does instead is right: every token is computed from the whole row.
#[test]
fn what_is_declared_is_respected() {
    assert_eq!(failed(Kind::Model, "by-hand-declared"), [""; 0]);
    assert_eq!(apart_when_generated("by-hand-declared"), 0.0);
    assert!(apart_when_generated("by-hand") > 1e-3);
}

/// By how much the scores of generated tokens differ from those of whole sequences, for prompts of two lengths.
fn apart_when_generated(name: &str) -> f32 {
    let registry = Registry::open_with(&Sources { linked: true, ..Sources::default() }).unwrap();
    let model = registry.find(Kind::Model, name).unwrap().model(&serde_json::json!({})).unwrap();
    let network = super::network(model, None).unwrap();
    let alone = |row: &[i32]| {
        let logits = network.logits(row.to_vec(), 1).unwrap();
        logits[logits.len() - 20..].to_vec()
    };
    let (mut rows, found) = network.begin(&[vec![5, 6, 7, 8], vec![9, 10]], 0, Wanted::default()).unwrap();
    let prompts = [alone(&[5, 6, 7, 8]), alone(&[9, 10])].concat();
    let (next, expected) = (rows.step(&[1, 0], &[11, 12]).unwrap(), [alone(&[9, 10, 11]), alone(&[5, 6, 7, 8, 12])]);
    super::apart(&found, &prompts).0.max(super::apart(&next, &expected.concat()).0)
}

/// The same by the kit of the SDK, which computes without the executor.
fn failed_in_the_kit(kind: Kind, name: &str) -> Vec<&'static str> {
    let registry = Registry::open_with(&Sources { linked: true, ..Sources::default() }).unwrap();
    let entry = registry.find(kind, name).unwrap();
    let options = conformance::example(&entry.about).unwrap();
    let findings = conformance::numbers(&entry.about, &entry.build, &entry.label(), &options);
    assert!(findings.len() >= 4, "{findings:?}");
    findings.into_iter().filter(|f| matches!(f.outcome, Outcome::Failed(_))).map(|f| f.check).collect()
}

#[test]
fn the_kit_finds_the_same() {
    let same = |kind, name| assert_eq!(failed_in_the_kit(kind, name), failed(kind, name), "{name}");
    let models = ["right", "by-hand", "by-hand-declared", "own-state", "own-positions", "detached"];
    models.into_iter().for_each(|name| same(Kind::Model, name));
    ["scale-right", "scale-start", "scale-bias"].into_iter().for_each(|name| same(Kind::Adapter, name));
    assert!(failed_in_the_kit(Kind::Model, "counting-calls").contains(&CHECKPOINTED));
}

#[test]
fn each_mistake_is_found() {
    for name in ["by-hand", "own-state", "own-positions"] {
        assert_eq!(failed(Kind::Model, name), [CACHED, PACKED], "{name}");
    }
    assert_eq!(failed(Kind::Model, "detached"), [GRADIENTS]);
    assert!(failed(Kind::Model, "counting-calls").contains(&CHECKPOINTED));
    assert_eq!(failed(Kind::Adapter, "scale-start"), [STARTED]);
    assert_eq!(failed(Kind::Adapter, "scale-bias"), [MERGED]);
}

/// Numbers that are none are not passed over, wherever they stand.
#[test]
fn what_is_no_number_is_apart() {
    assert_eq!(super::apart(&[1.0, 5.0, -3.0], &[1.5, 5.0, -4.0]), (1.0, 5.0));
    for at in 0..3 {
        let mut found = [1.0; 3];
        found[at] = f32::NAN;
        assert!(super::apart(&found, &[1.0; 3]).0.is_nan() && super::apart(&[1.0; 3], &found).1.is_nan());
    }
}
