//! A model that says how it is run, and an adapter that trains what it is told to.

use super::random;
use crate::{Device, Network, Parts, Value};
use framework_core::ffi;
use framework_sdk::{
    Adapted, Adapter, Attach, Attention, Ctx, DType, Dense, Embedding, Heads, Init, Linear, Logits, ModelArch,
    ModelSpec, Norm, NormConfig, NormKind, Param, Result, Role, Rotary, Scope, Site, Sizes, Table, Tensor, Weight, nn,
    options, register, serde_json,
};
use std::{cell::RefCell, sync::Arc};

thread_local! {
    static SEEN: RefCell<Vec<(usize, bool)>> = const { RefCell::new(Vec::new()) };
}

options! {
    /// Three blocks that say how they are run.
    #[serde(default)]
    #[derive(Default)]
    struct Probe {
        dropout: f64,
        attention_dropout: f64,
        /// Whether each block adds its scale to the loss.
        extra: bool,
        /// Whether each block chooses one of four experts, to no effect but their balance.
        routed: bool,
    }
}

struct Network3 {
    config: Probe,
    embedding: Embedding,
    blocks: Vec<(Linear, Weight, Attention)>,
    norm: Norm,
}

impl ModelArch for Probe {
    type Net = Network3;

    fn build(&self, m: &Scope) -> Result<Network3> {
        let init = Init::Normal(1.0);
        m.sizes(Sizes { hidden: 4, vocab: 6, ..Sizes::default() });
        let embedding = m.embedding("embed", Table { rows: 6, width: 4, padding: None, init });
        let blocks = m.blocks("blocks", 3, |_, m| {
            let mix = m.linear("mix", Dense { input: 4, out: 4, bias: true, init, ..Dense::default() });
            let scale = m.param("scale", &[1], Init::Ones, Role::Other);
            let dropout = self.attention_dropout;
            Ok((mix, scale, m.attention(Heads { queries: 2, keys: 2, size: 2, dropout, ..Heads::default() })))
        })?;
        let norm = m.norm("norm", NormConfig { size: 4, kind: NormKind::Rms, eps: 1e-5 });
        m.output("out", 4, 6, Logits { bias: true, init, ..Logits::default() });
        Ok(Network3 { config: self.clone(), embedding, blocks, norm })
    }
}

impl framework_sdk::Network for Network3 {
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        self.embedding.forward(cx, ids)
    }

    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor {
        if let Ok(value) = ffi::unwrap::<Value>(hidden.clone()) {
            let recorded = value.is_tracked();
            SEEN.with_borrow_mut(|seen| seen.push((index, recorded)));
        }
        let (mix, scale, attention) = self.blocks[index];
        let scale = scale.get(cx);
        if self.config.extra {
            cx.add_loss("scale", scale.clone());
        }
        if self.config.routed {
            let probabilities = hidden.clone().reshape([-1, 4]).softmax(-1);
            let best = probabilities.clone().max(-1).expand([probabilities.dim(0), 4]);
            let chosen = probabilities.clone().equal(best).cast(DType::F32);
            cx.balance("experts", chosen, probabilities, 0.5);
        }
        let mixed = nn::split_heads(mix.forward(cx, &hidden), 2);
        let rotary = Rotary { inv_freq: vec![1.0].into(), scale: 1.0, interleaved: false };
        let placed = cx.rotate(mixed.clone(), &rotary);
        let mixed = attention.forward(cx, placed.clone(), placed, mixed);
        cx.dropout(nn::merge_heads(mixed).tanh(), self.config.dropout) * scale + hidden
    }

    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        self.norm.forward(cx, hidden)
    }
}

options! {
    /// Trains what it is told to, and adds what it is told to.
    #[serde(default)]
    #[derive(Default)]
    struct Chosen {
        trained: Vec<String>,
        /// Whether the embeddings are multiplied by a parameter, and the logits have one more feature.
        sites: bool,
        /// Virtual tokens.
        prompt: usize,
        prefix: usize,
    }
}

struct Added {
    gain: Option<Weight>,
    more: Option<[Weight; 2]>,
    prompt: Option<Weight>,
    /// `[heads, n, size]`, for keys and values of each attention.
    prefix: Vec<[Weight; 2]>,
}

impl Adapter for Chosen {
    type Net = Added;

    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Added> {
        self.trained.iter().filter_map(|name| model.get(name)).for_each(|param| a.train(param));
        let (init, n) = (Init::Normal(1.0), self.prefix);
        let attention =
            |i: usize| ["keys", "values"].map(|name| a.param(format!("{name}.{i}"), &[2, n, 2], init, None));
        a.prompt(self.prompt);
        a.prefix(n);
        let mut added = Added { gain: None, more: None, prompt: None, prefix: Vec::new() };
        if self.sites {
            let of_vocabulary = |p: &&Param| matches!(p.role, Role::Embedding | Role::Output);
            model.params.iter().filter(of_vocabulary).for_each(|param| _ = a.intercept(param));
            added.gain = Some(a.param("gain", &[1], init, None));
            added.more =
                Some([("narrow", [2, 4]), ("wide", [6, 2])].map(|(name, shape)| a.param(name, &shape, init, None)));
        }
        added.prompt = (self.prompt > 0).then(|| a.param("prompt", &[self.prompt, 4], init, None));
        added.prefix = if n > 0 { (0..model.attentions.len()).map(attention).collect() } else { Vec::new() };
        Ok(added)
    }
}

impl Adapted for Added {
    fn embed(&self, cx: &Ctx, _: Site, _: Tensor, embedded: Tensor) -> Tensor {
        self.gain.map_or(embedded.clone(), |gain| embedded * gain.get(cx))
    }

    fn output(&self, cx: &Ctx, _: Site, hidden: Tensor) -> (Tensor, Tensor) {
        let Some([narrow, wide]) = self.more else { cx.fail("nothing is added") };
        (hidden.linear(narrow.get(cx)), wide.get(cx))
    }

    fn prompt(&self, cx: &Ctx) -> Tensor {
        self.prompt.map_or_else(|| cx.fail("there is none"), |prompt| prompt.get(cx))
    }

    fn prefix(&self, cx: &Ctx, attention: usize) -> (Tensor, Tensor) {
        let [keys, values] = self.prefix[attention];
        (keys.get(cx), values.get(cx))
    }
}

/// Options of [`Chosen`] that add something, each in its own way.
pub fn added() -> [serde_json::Value; 4] {
    [
        serde_json::json!({ "sites": true }),
        serde_json::json!({ "prompt": 2 }),
        serde_json::json!({ "prefix": 3 }),
        serde_json::json!({ "sites": true, "prompt": 1, "prefix": 1 }),
    ]
}

register!(model "probe" => Probe, example = "");
register!(adapter "chosen" => Chosen, example = "");

/// The blocks that ran since this was last asked, and whether they were recorded.
pub fn seen() -> Vec<(usize, bool)> {
    SEEN.take()
}

fn built(name: &str) -> ffi::Build {
    ffi::linked().into_iter().find(|d| d.about.name == name).unwrap().build
}

/// A network with random parameters.
pub fn network(model: serde_json::Value, adapter: serde_json::Value) -> Arc<Network> {
    network_on(&Device::cpu(), model, adapter)
}

/// The same on a device.
pub fn network_on(device: &Device, model: serde_json::Value, adapter: serde_json::Value) -> Arc<Network> {
    let model = built("probe").model("probe", &model).unwrap();
    let adapter = built("chosen").adapter("chosen", &adapter).unwrap();
    let network = Network::new(Parts { model, adapter: Some(adapter), device: device.clone() }).unwrap();
    let params: Vec<_> = network.spec().params.iter().chain(&network.plan().params).cloned().collect();
    for (seed, param) in (1..).zip(params) {
        let numbers = random(param.shape.iter().product(), seed);
        network.set(&param.name, Value::from_f32(numbers, &param.shape, device).unwrap()).unwrap();
    }
    Arc::new(network)
}
