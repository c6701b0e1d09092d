//! Mamba: a model without attention, whose layers carry a state from token to token.
//!
//! For an adapter that Python is to read, leave `out_proj` and `dt_proj` out of LoRA's targets: PEFT refuses the first for
//! Mamba, and transformers reads the weight of the second past its adapter.

use framework_sdk::{nn::causal::only, prelude::*, serde_json::Map};

options! {
    /// Mamba (Gu and Dao, 2023, arXiv:2312.00752).
    ///
    /// Computes what `MambaForCausalLM` in Hugging Face transformers does. The options are its `config.json`.
    pub struct Mamba {
        /// Number of tokens.
        vocab_size: usize,
        /// Width of the hidden states.
        hidden_size: usize,
        /// Number of blocks.
        num_hidden_layers: usize,
        /// Numbers in the state of a channel.
        #[serde(default = "state_size")]
        state_size: usize,
        /// Channels for each element of the hidden states.
        #[serde(default = "expand")]
        expand: usize,
        /// Tokens that the convolution looks at.
        #[serde(default = "conv_kernel")]
        conv_kernel: usize,
        /// Width between the projections of the time steps: a number, or `auto` for a sixteenth of the hidden states.
        time_step_rank: Option<Value>,
        /// Added to the mean square in norms.
        #[serde(default = "epsilon")]
        layer_norm_epsilon: f64,
        /// The projections into and out of a block have biases.
        #[serde(default)]
        use_bias: bool,
        /// The convolutions have biases.
        #[serde(default = "yes")]
        use_conv_bias: bool,
        /// Activation of channels and gates.
        #[serde(default = "silu")]
        hidden_act: nn::HiddenAct,
        /// Standard deviation of weights at the start, when training from scratch.
        #[serde(default = "initializer_range")]
        initializer_range: f64,
        /// The vocabulary projection is the embedding table.
        #[serde(default = "yes")]
        tie_word_embeddings: bool,
        /// Channels, if the file says them.
        intermediate_size: Option<usize>,
    }
}

/// Keys of how time steps start and how transformers computes: nothing of it changes what a trained model computes.
const OF_THE_START: &str = "rescale_prenorm_residual residual_in_fp32 time_step_floor time_step_init_scheme time_step_max \
                            time_step_min time_step_scale use_associative_scan use_mambapy";

fn state_size() -> usize {
    16
}
fn expand() -> usize {
    2
}
fn conv_kernel() -> usize {
    4
}
fn epsilon() -> f64 {
    1e-5
}
fn yes() -> bool {
    true
}
fn silu() -> nn::HiddenAct {
    nn::HiddenAct::Silu
}
fn initializer_range() -> f64 {
    0.1
}

/// What Mamba computes.
pub struct Net {
    embedding: Embedding,
    blocks: Vec<Block>,
    norm: Norm,
}

struct Block {
    norm: Norm,
    into: Linear,
    conv: Conv,
    select: Linear,
    step: Linear,
    decay: Weight,
    skip: Weight,
    scan: framework_sdk::Scan,
    out: Linear,
    act: Activation,
    /// Channels, width of the time steps, numbers of a state.
    sizes: [usize; 3],
}

impl Mamba {
    fn norm(&self) -> NormConfig {
        NormConfig { size: self.hidden_size, kind: NormKind::Rms, eps: self.layer_norm_epsilon }
    }

    fn rank(&self) -> Result<usize> {
        match self.time_step_rank.as_ref().filter(|rank| **rank != "auto") {
            None => Ok(self.hidden_size.div_ceil(16)),
            Some(rank) => (rank.as_u64().filter(|rank| *rank > 0).map(|rank| rank as usize))
                .ok_or_else(|| PluginError::option("time_step_rank", "must be `auto` or a number from 1 on")),
        }
    }

    fn block(&self, m: &Scope) -> Result<Block> {
        let (hidden, states, rank) = (self.hidden_size, self.state_size, self.rank()?);
        let (channels, init) = (self.expand * hidden, Init::Normal(self.initializer_range));
        let norm = m.norm("norm", self.norm());
        let m = m.at("mixer");
        let linear = |name, input, out, bias| m.linear(name, Dense { input, out, bias, init, ..Dense::default() });
        let decays: Vec<f64> = (1..=states).map(|n| (n as f64).ln()).collect();
        let config = ConvConfig { channels, kernel: self.conv_kernel, bias: self.use_conv_bias, init };
        Ok(Block {
            norm,
            into: linear("in_proj", hidden, 2 * channels, self.use_bias),
            conv: m.conv("conv1d", config),
            select: linear("x_proj", channels, rank + 2 * states, false),
            step: linear("dt_proj", rank, channels, true),
            decay: m.values("A_log", &[channels, states], &decays, Role::Other),
            skip: m.param("D", &[channels], Init::Ones, Role::Other),
            scan: m.scan(&[channels, states]),
            out: linear("out_proj", channels, hidden, self.use_bias),
            act: self.hidden_act.into(),
            sizes: [channels, rank, states],
        })
    }
}

impl ModelArch for Mamba {
    type Net = Net;

    fn adapt_config(mut config: Map<String, Value>) -> Result<Map<String, Value>> {
        config.retain(|key, _| !OF_THE_START.split(' ').any(|name| name == key));
        Ok(config)
    }

    fn validate(&self) -> Result<()> {
        if self.conv_kernel == 0 || self.state_size == 0 {
            return Err(PluginError::option("conv_kernel", "and `state_size` must be at least 1"));
        }
        let given = |size: usize| only("intermediate_size", &size, self.expand * self.hidden_size);
        self.intermediate_size.map_or(Ok(()), given)?;
        self.rank().map(drop)
    }

    fn build(&self, m: &Scope) -> Result<Net> {
        let (hidden, vocab, init) = (self.hidden_size, self.vocab_size, Init::Normal(self.initializer_range));
        m.sizes(Sizes { hidden, vocab, ..Sizes::default() });
        let backbone = m.at("backbone");
        let embedding = backbone.embedding("embeddings", Table { rows: vocab, width: hidden, padding: None, init });
        let blocks = backbone.blocks("layers", self.num_hidden_layers, |_, m| self.block(m))?;
        let norm = backbone.norm("norm_f", self.norm());
        let logits = Logits { init, ..Logits::default() };
        match self.tie_word_embeddings {
            true => m.tied_output(&embedding, "lm_head", logits),
            false => m.output("lm_head", hidden, vocab, logits),
        }
        Ok(Net { embedding, blocks, norm })
    }
}

impl Network for Net {
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        self.embedding.forward(cx, ids)
    }

    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor {
        let block = &self.blocks[index];
        let [channels, rank, states] = block.sizes;
        let (batch, time) = (hidden.dim(0) as i64, hidden.dim(1) as i64);
        let both = block.into.forward(cx, block.norm.forward(cx, &hidden));
        let (x, gate) = (both.clone().slice(-1, 0, channels), both.slice(-1, channels, 2 * channels));
        let x = block.conv.forward(cx, x).activate(block.act);
        let chosen = block.select.forward(cx, &x);
        let part = |from: usize, size: usize| chosen.clone().slice(-1, from, from + size);
        let [input, output] = [rank, rank + states].map(|from| part(from, states).reshape([batch, time, 1, -1]));
        let step = block.step.forward(cx, part(0, rank)).softplus().reshape([batch, time, -1, 1]);
        let decay = (&step * -block.decay.get(cx).exp()).exp();
        let wide = x.clone().reshape([batch, time, -1, 1]);
        let state = block.scan.forward(cx, decay, step * input * wide);
        let y = (state * output).sum(-1).reshape([batch, time, -1]) + x * block.skip.get(cx);
        hidden + block.out.forward(cx, y * gate.activate(block.act))
    }

    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        self.norm.forward(cx, hidden)
    }
}

register!(model "mamba" aliases ["MambaForCausalLM"] => Mamba, example = "vocab_size = 50280\nhidden_size = 128\nnum_hidden_layers = 4");

#[cfg(test)]
mod tests {
    use framework_sdk::{prelude::*, test};

    #[test]
    fn has_as_many_parameters_as_the_published_model() {
        let config = json!({"model_type": "mamba", "hidden_size": 768, "num_hidden_layers": 24, "vocab_size": 50280});
        let spec = test::model("mamba", &config);
        assert_eq!(spec.params.iter().map(Param::len).sum::<usize>(), 129_135_360); // state-spaces/mamba-130m-hf
    }

    #[test]
    fn conforms() {
        test::all_plugins();
    }
}
