//! The options that Llama's descendants call alike.

use super::{Decoder, DecoderConfig, Parts, head_size};
use crate::{
    Init, PluginError, Result, Scope,
    nn::{GatedMlpConfig, GroupedAttentionConfig, HiddenAct, Rope, RopeConfig, RopeTable, RopeTables},
};
use serde::{Deserialize, Serialize};

/// The options of an architecture by the names that Llama's descendants give them in their `config.json`, and what
/// follows from them. An architecture that uses these names changes only what it does differently.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[allow(missing_docs)] // `described` has them.
pub struct Common {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_key_value_heads: Option<usize>,
    pub head_dim: Option<usize>,
    pub intermediate_size: usize,
    pub max_position_embeddings: usize,
    pub hidden_act: Option<HiddenAct>,
    /// Gemma's name of `hidden_act`, which counts if both are there.
    pub hidden_activation: Option<HiddenAct>,
    pub rms_norm_eps: f64,
    pub initializer_range: f64,
    pub attention_bias: Option<bool>,
    pub mlp_bias: Option<bool>,
    pub tie_word_embeddings: bool,
    pub attention_dropout: f64,
    pub pad_token_id: Option<i64>,
    pub sliding_window: Option<usize>,
    pub query_pre_attn_scalar: Option<f64>,
    pub attn_logit_softcapping: Option<f64>,
    pub final_logit_softcapping: Option<f64>,
    pub rope_theta: Option<f64>,
    pub rope_local_base_freq: Option<f64>,
    pub rope_parameters: Option<RopeTables>,
    pub rope_scaling: Option<RopeTable>,
    /// The base of the rotary frequencies if `rope_theta` is not given.
    #[serde(skip, default = "default_theta")]
    pub default_theta: f64,
    /// The same for blocks with a sliding window and `rope_local_base_freq`, if their rotation is another one.
    #[serde(skip)]
    pub default_local_theta: Option<f64>,
}

fn default_theta() -> f64 {
    10_000.0
}

impl Common {
    /// The options of an architecture that have these names.
    pub fn of(options: &impl Serialize) -> Result<Self> {
        Ok(serde_json::from_value(serde_json::to_value(options)?)?)
    }

    /// How weights start from scratch.
    pub fn init(&self) -> Init {
        Init::Normal(self.initializer_range)
    }

    /// The attention of a block, if its sizes fit each other.
    pub fn attention(&self) -> Result<GroupedAttentionConfig> {
        let (heads, bias) = (self.num_attention_heads, self.attention_bias.unwrap_or(false));
        if self.query_pre_attn_scalar.is_some_and(|scalar| scalar <= 0.0) {
            return Err(PluginError::option("query_pre_attn_scalar", "must be positive"));
        }
        let attention = GroupedAttentionConfig {
            hidden: self.hidden_size,
            heads,
            kv_heads: self.num_key_value_heads.unwrap_or(heads),
            head_size: head_size(self.head_dim, self.hidden_size, heads)?,
            qkv_bias: bias,
            output_bias: bias,
            scale: self.query_pre_attn_scalar.map(|scalar| 1.0 / scalar.sqrt()),
            softcap: self.attn_logit_softcapping,
            window: self.sliding_window,
            dropout: self.attention_dropout,
            init: self.init(),
            ..GroupedAttentionConfig::default()
        };
        attention.validate().map(|()| attention)
    }

    /// The feed-forward layer of a block.
    pub fn mlp(&self) -> GatedMlpConfig {
        let act = self.hidden_activation.or(self.hidden_act).unwrap_or(HiddenAct::Silu);
        let mlp = GatedMlpConfig::new(self.hidden_size, self.intermediate_size, act, self.init());
        GatedMlpConfig { bias: self.mlp_bias.unwrap_or(false), ..mlp }
    }

    /// The rotation of whole heads.
    pub fn rope(&self) -> Result<Rope> {
        self.rope_where(false)
    }

    /// The rotation of whole heads in blocks with a sliding window, or in those that see everything.
    pub fn rope_where(&self, slides: bool) -> Result<Rope> {
        let table = self.rope_parameters.as_ref().map(|tables| tables.of(slides).clone());
        let (theta, scaling, default) = match self.default_local_theta.filter(|_| slides) {
            Some(local) => (("rope_local_base_freq", self.rope_local_base_freq), &None, local),
            None => (("rope_theta", self.rope_theta), &self.rope_scaling, self.default_theta),
        };
        RopeConfig {
            tables: [&table, scaling],
            theta: &[theta],
            ..RopeConfig::new(self.attention()?.head_size, self.max_position_embeddings, default)
        }
        .resolve()
    }

    /// Everything but the blocks; the rotation says how long a sequence may be.
    pub fn decoder(&self, rope: &Rope) -> DecoderConfig {
        DecoderConfig {
            vocab: self.vocab_size,
            hidden: self.hidden_size,
            blocks: self.num_hidden_layers,
            max_positions: rope.limit(self.max_position_embeddings),
            tied: self.tie_word_embeddings,
            eps: self.rms_norm_eps,
            softcap: self.final_logit_softcapping,
            std: self.initializer_range,
            padding: self.pad_token_id,
            ..DecoderConfig::default()
        }
    }

    /// An error if the options contradict each other, for an architecture that differs in nothing.
    pub fn validate(&self) -> Result<()> {
        self.decoder(&self.rope()?).validate()
    }

    /// The network of an architecture that differs in nothing.
    pub fn build(&self, m: &Scope) -> Result<Decoder> {
        let (attention, rope, mlp) = (self.attention()?, self.rope()?, self.mlp());
        let (decoder, rotation) = (self.decoder(&rope), rope.rotation());
        Decoder::new(m, decoder, |_, m| Ok(Parts::gated(m, attention, rotation.clone(), mlp)))
    }
}
