//! `pythia`: the GPT-NeoX architecture.

use framework_sdk::{prelude::*, raise};

options! {
    /// GPT-NeoX (Black et al., 2022, arXiv:2204.06745), the architecture of Pythia (Biderman et al., 2023,
    /// arXiv:2304.01373).
    ///
    /// Numbers and parameter names are those of `GPTNeoXForCausalLM` in Hugging Face transformers. The options are its
    /// `config.json`, in the layout of any version.
    pub struct Pythia {
        /// Number of tokens.
        vocab_size: usize,
        /// Width of the hidden states.
        hidden_size: usize,
        /// Number of blocks.
        num_hidden_layers: usize,
        /// Number of attention heads.
        num_attention_heads: usize,
        /// Width of the feed-forward layers.
        intermediate_size: usize,
        /// The longest sequence.
        #[serde(default = "max_positions")]
        max_position_embeddings: usize,
        /// Activation of the feed-forward layers: `gelu`, `gelu_new`, `relu` or `silu`.
        #[serde(default)]
        hidden_act: nn::HiddenAct,
        /// Added to the variance in layer norms.
        #[serde(default = "layer_norm_eps")]
        layer_norm_eps: f64,
        /// Standard deviation of weights at the start, when training from scratch.
        #[serde(default = "initializer_range")]
        initializer_range: f64,
        /// Attention and feed-forward both read the block's input, instead of one after the other.
        #[serde(default = "yes")]
        use_parallel_residual: bool,
        /// The projections of the attention have biases.
        #[serde(default = "yes")]
        attention_bias: bool,
        /// The vocabulary projection is the embedding table.
        #[serde(default)]
        tie_word_embeddings: bool,
        /// Dropout after the embeddings, the attention and the feed-forward layers.
        #[serde(default)]
        hidden_dropout: f64,
        /// Dropout of attention weights, while training.
        #[serde(default)]
        attention_dropout: f64,
        /// Share of each head that is rotated by position; 0.25 if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rotary_pct: Option<f64>,
        /// Base of the rotation's angles; 10000 if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rotary_emb_base: Option<f64>,
        /// Another name of `rotary_pct`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partial_rotary_factor: Option<f64>,
        /// Another name of `rotary_emb_base`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_theta: Option<f64>,
        /// The rotation as transformers 5 writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_parameters: Option<nn::RopeTable>,
        /// The rotation's scaling as transformers 4 writes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rope_scaling: Option<nn::RopeTable>,
        /// Of classifiers; not used.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        classifier_dropout: Option<f64>,
        /// In old files; not used, as in transformers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hidden_dropout_prob: Option<f64>,
        /// In old files; not used, as in transformers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attention_probs_dropout_prob: Option<f64>,
    }
}

fn max_positions() -> usize {
    2048
}
fn layer_norm_eps() -> f64 {
    1e-5
}
fn initializer_range() -> f64 {
    0.02
}
fn yes() -> bool {
    true
}

impl Pythia {
    fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    fn rope(&self) -> Result<nn::Rope> {
        nn::RopeConfig {
            head_size: self.head_size(),
            max_positions: self.max_position_embeddings,
            original: None,
            tables: [&self.rope_parameters, &self.rope_scaling],
            theta: &[("rotary_emb_base", self.rotary_emb_base), ("rope_theta", self.rope_theta)],
            default_theta: 10_000.0,
            share: &[("rotary_pct", self.rotary_pct), ("partial_rotary_factor", self.partial_rotary_factor)],
            default_share: Some(0.25),
        }
        .resolve()
    }

    fn attention(&self, cx: &Ctx, module: &str, x: Tensor) -> Tensor {
        let (batch, time, heads, size) = (x.dim(0), x.dim(1), self.num_attention_heads, self.head_size());
        let rotary = self.rope().unwrap_or_else(|e| raise(e)).rotary(cx);
        // One projection, in which each head's query, key and value lie side by side.
        let fused = cx.linear(&format!("{module}.query_key_value"), x);
        let fused = fused.reshape([batch as i64, time as i64, heads as i64, 3 * size as i64]).swap_dims(1, 2);
        let part = |i: usize| fused.clone().slice(-1, i * size, (i + 1) * size);
        let rotate = |x: Tensor| x.rotary(cx.positions(), rotary.clone());
        let how = Attention { dropout: self.attention_dropout, ..Attention::default() };
        let mixed = cx.attention(rotate(part(0)), rotate(part(1)), part(2), how);
        cx.linear(&format!("{module}.dense"), nn::merge_heads(mixed))
    }

    fn feed_forward(&self, cx: &Ctx, module: &str, x: Tensor) -> Tensor {
        let up = cx.linear(&format!("{module}.dense_h_to_4h"), x).activate(self.hidden_act.into());
        cx.linear(&format!("{module}.dense_4h_to_h"), up)
    }
}

const HEAD: &str = "embed_out.weight";

impl ModelArch for Pythia {
    fn validate(&self) -> Result<()> {
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        if heads == 0 || hidden == 0 || !hidden.is_multiple_of(heads) {
            let message = format!("`hidden_size` ({hidden}) must be a multiple of `num_attention_heads` ({heads})");
            return Err(PluginError::new(message));
        }
        nn::dropout_share("attention_dropout", self.attention_dropout)?;
        nn::dropout_share("hidden_dropout", self.hidden_dropout)?;
        self.rope().map(|_| ())
    }

    fn spec(&self) -> Result<ModelSpec> {
        let (hidden, inner, vocab) = (self.hidden_size, self.intermediate_size, self.vocab_size);
        let (init, bias) = (Init::Normal(self.initializer_range), self.attention_bias);
        let output = if self.tie_word_embeddings { "gpt_neox.embed_in.weight" } else { HEAD };
        let mut spec = ModelSpec {
            blocks: self.num_hidden_layers,
            hidden_size: hidden,
            vocab_size: vocab,
            max_positions: self.rope()?.limit(self.max_position_embeddings),
            output: output.into(),
            ..ModelSpec::default()
        };
        spec.param("gpt_neox.embed_in.weight", &[vocab, hidden], init, Role::Embedding);
        for block in (0..self.num_hidden_layers).map(|i| format!("gpt_neox.layers.{i}")) {
            nn::declare_layer_norm(&mut spec, &format!("{block}.input_layernorm"), hidden);
            nn::declare_layer_norm(&mut spec, &format!("{block}.post_attention_layernorm"), hidden);
            spec.linear(&format!("{block}.attention.query_key_value"), 3 * hidden, hidden, bias, init)
                .linear(&format!("{block}.attention.dense"), hidden, hidden, bias, init)
                .linear(&format!("{block}.mlp.dense_h_to_4h"), inner, hidden, true, init)
                .linear(&format!("{block}.mlp.dense_4h_to_h"), hidden, inner, true, init);
        }
        nn::declare_layer_norm(&mut spec, "gpt_neox.final_layer_norm", hidden);
        if self.tie_word_embeddings {
            spec.stored_as(output, HEAD);
        } else {
            spec.param(output, &[vocab, hidden], init, Role::Output);
        }
        // transformers 5 calls it so in memory, and some programs in files.
        spec.stored_as(output, "lm_head.weight");
        Ok(spec)
    }

    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        cx.dropout(cx.param("gpt_neox.embed_in.weight").embedding(ids), self.hidden_dropout)
    }

    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor {
        let name = |module: &str| format!("gpt_neox.layers.{index}.{module}");
        let norm = |module: &str, x: &Tensor| nn::layer_norm(cx, &name(module), x, self.layer_norm_eps);
        let dropout = |x: Tensor| cx.dropout(x, self.hidden_dropout);
        let mixed = dropout(self.attention(cx, &name("attention"), norm("input_layernorm", &hidden)));
        let feed = |x: &Tensor| dropout(self.feed_forward(cx, &name("mlp"), norm("post_attention_layernorm", x)));
        if self.use_parallel_residual {
            feed(&hidden) + mixed + hidden
        } else {
            let between = mixed + hidden;
            feed(&between) + between
        }
    }

    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        nn::layer_norm(cx, "gpt_neox.final_layer_norm", hidden, self.layer_norm_eps)
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
