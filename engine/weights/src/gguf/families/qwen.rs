//! `qwen2` and `qwen3`.

use super::{Config, Family, Found, Unfit, llama, rope};
use crate::gguf::Entries;
use serde_json::{Map, Value};

pub struct Qwen;

impl Family for Qwen {
    fn types(&self) -> &'static [&'static str] {
        &["qwen2", "qwen3"]
    }

    fn arch(&self, kind: &str) -> &'static str {
        if kind == "qwen3" { "qwen3" } else { "qwen2" }
    }

    fn names(&self, _kind: &str) -> Vec<(&'static str, &'static str)> {
        [llama::DECODER, &[llama::SECOND_NORM], &llama::QUERY_NORMS].concat()
    }

    fn describe(&self, config: &Config, out: &mut Entries) -> Result<(), Unfit> {
        config.activation("hidden_act", &["silu"])?;
        if config.kind == "qwen3" {
            config.without("attention_bias")?;
        } else if config.head_size()? * config.int("num_attention_heads")? != config.int("hidden_size")? {
            return Err("its heads together are not as wide as `hidden_size`, as llama.cpp expects of qwen2".into());
        }
        llama::decoder(config, out)?;
        config.rope(10_000.0)?.describe(out, false)
    }

    fn differs(&self, config: &Config) -> Option<(usize, String)> {
        let window = config.maybe_int("sliding_window").filter(|_| config.is("use_sliding_window"));
        llama::windowed(window, config)
    }

    fn config(&self, found: &Found) -> Result<Map<String, Value>, Unfit> {
        let mut config = llama::decoder_config(found)?;
        config.insert("rope_parameters".into(), rope::found(found, 10_000.0)?);
        Ok(config)
    }
}
