//! A small model to attach adapters to.

use crate::{
    Adapter, Attach, Attention, Ctx, Dense, Embedding, Heads, Init, Linear, Logits, ModelArch, ModelSpec, Network,
    Norm, NormConfig, NormKind, Nothing, Result, Scope, Sizes, Table, Tensor,
    ffi::{AdapterObject, ModelObject, adapter_object, model_object},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const WIDTH: usize = 8;
const HEADS: usize = 2;
const VOCAB: usize = 32;

/// Two blocks of `attn.q_proj`, `attn.v_proj` and `mlp.up_proj`, of width 8; queries have biases.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Toy {}

struct Net {
    embedding: Embedding,
    blocks: Vec<Block>,
    norm: Norm,
}

struct Block {
    query: Linear,
    value: Linear,
    up: Linear,
    attention: Attention,
}

impl ModelArch for Toy {
    type Net = Net;

    fn build(&self, m: &Scope) -> Result<Net> {
        m.sizes(Sizes { hidden: WIDTH, vocab: VOCAB, ..Sizes::default() });
        let embedding =
            m.embedding("embed", Table { rows: VOCAB, width: WIDTH, padding: None, init: Init::Normal(0.02) });
        let blocks = m.blocks("layers", 2, |_, m| {
            let linear =
                |name, out, bias, layer| m.linear(name, Dense { input: WIDTH, out, bias, layer, ..Dense::default() });
            Ok(Block {
                query: linear("attn.q_proj", WIDTH, true, "attention.query"),
                value: linear("attn.v_proj", WIDTH, false, "attention.value"),
                up: linear("mlp.up_proj", 2 * WIDTH, false, "mlp.up"),
                attention: m.attention(Heads { queries: HEADS, keys: HEADS, size: WIDTH / HEADS, ..Heads::default() }),
            })
        })?;
        let norm = m.norm("norm", NormConfig { size: WIDTH, kind: NormKind::Rms, eps: 1e-6 });
        m.output("lm_head", WIDTH, VOCAB, Logits::default());
        Ok(Net { embedding, blocks, norm })
    }
}

impl Network for Net {
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        self.embedding.forward(cx, ids)
    }

    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor {
        let Block { query, value, up, attention } = &self.blocks[index];
        let (batch, time) = (hidden.dim(0) as i64, hidden.dim(1) as i64);
        let split = |x: Tensor| x.reshape([batch, time, HEADS as i64, -1]).swap_dims(1, 2);
        let q = split(query.forward(cx, &hidden));
        let mixed = attention.forward(cx, q.clone(), q, split(value.forward(cx, &hidden)));
        let hidden = hidden + mixed.swap_dims(1, 2).reshape([batch, time, -1]);
        let wide = up.forward(cx, &hidden);
        hidden + wide.clone().slice(-1, 0, WIDTH) * wide.slice(-1, WIDTH, 2 * WIDTH)
    }

    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        self.norm.forward(cx, hidden)
    }
}

/// Trains all parameters of a model.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Everything {}

impl Adapter for Everything {
    type Net = Nothing;

    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Nothing> {
        model.params.iter().for_each(|param| a.train(param));
        Ok(Nothing)
    }
}

/// An adapter that trains all of a model's parameters.
pub fn everything() -> Result<AdapterObject> {
    adapter_object(Everything {}, "adapter `everything`")
}

/// The model.
pub fn toy() -> Result<ModelObject> {
    model_object(Toy {}, "model `toy`")
}

/// What it declares.
pub fn toy_spec() -> ModelSpec {
    toy().and_then(|model| model.spec()).unwrap_or_default()
}
