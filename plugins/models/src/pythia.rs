//! `pythia`: the GPT-NeoX architecture.

mod block;

use block::Block;
use framework_sdk::{nn::causal::defaults::*, prelude::*};

options! {
    /// GPT-NeoX (Black et al., 2022, arXiv:2204.06745), the architecture of Pythia (Biderman et al., 2023,
    /// arXiv:2304.01373).
    ///
    /// Numbers and parameter names are those of `GPTNeoXForCausalLM` in Hugging Face transformers. The options are its
    /// `config.json`, in the layout of any version.
    #[schemars(transform = nn::causal::described)]
    pub struct Pythia {
        vocab_size: usize,
        hidden_size: usize,
        num_hidden_layers: usize,
        num_attention_heads: usize,
        intermediate_size: usize,
        #[serde(default = "size::<2048>")] max_position_embeddings: usize,
        #[serde(default)] hidden_act: nn::HiddenAct,
        #[serde(default = "layer_norm_eps")] layer_norm_eps: f64,
        #[serde(default = "initializer_range")] initializer_range: f64,
        /// Whether attention and feed-forward layers both read the block's input, instead of one after the other.
        #[serde(default = "yes")] use_parallel_residual: bool,
        #[serde(default = "yes")] attention_bias: bool,
        #[serde(default)] tie_word_embeddings: bool,
        /// Dropout probability after embeddings, attention and feed-forward layers during training.
        #[serde(default)] hidden_dropout: f64,
        #[serde(default)] attention_dropout: f64,
        /// Share of each head that the rotary embedding rotates. Default: 0.25.
        rotary_pct: Option<f64>,
        /// Base of the rotary frequencies. Default: 10000.
        rotary_emb_base: Option<f64>,
        /// Another name of `rotary_pct`.
        partial_rotary_factor: Option<f64>,
        /// Another name of `rotary_emb_base`.
        rope_theta: Option<f64>,
        rope_parameters: Option<nn::RopeTable>,
        rope_scaling: Option<nn::RopeTable>,
        /// Only for classifiers; ignored.
        classifier_dropout: Option<f64>,
        /// Occurs in old files; ignored, as in transformers.
        hidden_dropout_prob: Option<f64>,
        /// Occurs in old files; ignored, as in transformers.
        attention_probs_dropout_prob: Option<f64>,
    }
}

impl Pythia {
    fn norm(&self) -> NormConfig {
        NormConfig { size: self.hidden_size, kind: NormKind::Layer, eps: self.layer_norm_eps }
    }

    fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    fn rope(&self) -> Result<nn::Rope> {
        nn::RopeConfig {
            tables: [&self.rope_parameters, &self.rope_scaling],
            theta: &[("rotary_emb_base", self.rotary_emb_base), ("rope_theta", self.rope_theta)],
            share: &[("rotary_pct", self.rotary_pct), ("partial_rotary_factor", self.partial_rotary_factor)],
            default_share: Some(0.25),
            ..nn::RopeConfig::new(self.head_size(), self.max_position_embeddings, 10_000.0)
        }
        .resolve()
    }
}

/// What Pythia computes.
pub struct GptNeoX {
    config: Pythia,
    embedding: Embedding,
    blocks: Vec<Block>,
    norm: Norm,
}

impl ModelArch for Pythia {
    type Net = GptNeoX;

    fn validate(&self) -> Result<()> {
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        if heads == 0 || hidden == 0 || !hidden.is_multiple_of(heads) {
            let message = format!("`hidden_size` ({hidden}) must be a multiple of `num_attention_heads` ({heads})");
            return Err(PluginError::new(message).key("hidden_size"));
        }
        nn::dropout_share("attention_dropout", self.attention_dropout)?;
        nn::dropout_share("hidden_dropout", self.hidden_dropout)?;
        self.rope().map(|_| ())
    }

    fn build(&self, m: &Scope) -> Result<GptNeoX> {
        let (hidden, vocab, init) = (self.hidden_size, self.vocab_size, Init::Normal(self.initializer_range));
        let rope = self.rope()?;
        let max_positions = rope.limit(self.max_position_embeddings);
        m.sizes(Sizes { hidden, vocab, max_positions, ..Sizes::default() });
        let embedding = m.embedding("gpt_neox.embed_in", Table { rows: vocab, width: hidden, padding: None, init });
        let rotation = rope.rotation();
        let block = |_, m: &Scope| Ok(Block::new(m, self, rotation.clone()));
        let blocks = m.blocks("gpt_neox.layers", self.num_hidden_layers, block)?;
        let norm = m.norm("gpt_neox.final_layer_norm", self.norm());
        let logits = Logits { init, ..Logits::default() };
        let output = match self.tie_word_embeddings {
            true => {
                m.tied_output(&embedding, "embed_out", logits);
                "gpt_neox.embed_in.weight"
            }
            false => {
                m.output("embed_out", hidden, vocab, logits);
                "embed_out.weight"
            }
        };
        // transformers 5 calls it so in memory, and so do adapters and the files of some programs.
        m.stored_as(output, "lm_head.weight");
        m.called_in_peft("embed_out", "lm_head");
        Ok(GptNeoX { config: self.clone(), embedding, blocks, norm })
    }
}

impl Network for GptNeoX {
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        cx.dropout(self.embedding.forward(cx, ids), self.config.hidden_dropout)
    }

    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor {
        let (block, config) = (&self.blocks[index], &self.config);
        let [first, second] = &block.norms;
        let dropout = |x: Tensor| cx.dropout(x, config.hidden_dropout);
        let mixed = dropout(block.attend(cx, config.num_attention_heads, first.forward(cx, &hidden)));
        let feed = |x: &Tensor| dropout(block.feed(cx, config.hidden_act, second.forward(cx, x)));
        if config.use_parallel_residual {
            feed(&hidden) + mixed + hidden
        } else {
            let between = mixed + hidden;
            feed(&between) + between
        }
    }

    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        self.norm.forward(cx, hidden)
    }
}

register!(model "pythia" aliases ["gpt_neox", "GPTNeoXForCausalLM"] => Pythia, example = r#"
vocab_size = 50304
hidden_size = 128
num_hidden_layers = 6
num_attention_heads = 4
intermediate_size = 512
"#);

#[cfg(test)]
mod tests;
