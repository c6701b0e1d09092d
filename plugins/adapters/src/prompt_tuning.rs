//! `prompt-tuning`: learned embeddings before each sequence.

use crate::prompt;
use framework_sdk::prelude::*;

options! {
    /// Prompt tuning: learned embeddings of virtual tokens before each sequence (Lester et al., 2021,
    /// arXiv:2104.08691), in PEFT's format.
    #[serde(default)]
    pub struct PromptTuning {
        /// Number of virtual tokens.
        virtual_tokens: usize,
        /// Text whose token embeddings are the initial values, repeated or cut to the number of virtual tokens.
        /// Default: random initial values.
        #[schemars(extend("x-tokens" = "init_ids"))]
        #[serde(skip_serializing_if = "Option::is_none")]
        init_text: Option<String>,
        /// The token ids of `init_text`, which are filled in automatically.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        init_ids: Vec<usize>,
    }
}

impl Default for PromptTuning {
    fn default() -> Self {
        Self { virtual_tokens: 20, init_text: None, init_ids: Vec::new() }
    }
}

/// Prompt tuning, attached to a model.
pub struct Prompt {
    embeddings: Weight,
    /// The table that they start from, and the rows.
    start: Option<(Weight, Vec<usize>)>,
}

impl Adapter for PromptTuning {
    type Net = Prompt;

    fn validate(&self) -> Result<()> {
        prompt::validate(self.virtual_tokens)
    }

    fn from_peft(config: &Value) -> Result<Self> {
        Ok(Self { virtual_tokens: prompt::tokens(config)?, ..Self::default() })
    }

    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Prompt> {
        let (n, width) = (self.virtual_tokens, model.hidden_size);
        a.prompt(n);
        let mut config = prompt::config("PROMPT_TUNING", model, n, width);
        config.insert("prompt_tuning_init".into(), "RANDOM".into());
        a.peft_config(config.into());
        if self.init_ids.is_empty() {
            return Ok(Prompt {
                embeddings: a.param(prompt::EMBEDDINGS, &[n, width], Init::Normal(1.0), None),
                start: None,
            });
        }
        let table = model.params.iter().find(|param| param.role == Role::Embedding);
        let table = table
            .ok_or_else(|| PluginError::option("init_text", "needs a table of embeddings, which the model lacks"))?;
        if let Some(id) = self.init_ids.iter().find(|id| **id >= table.shape[0]) {
            return Err(PluginError::option("init_text", format!("has token {id}; the model has {}", table.shape[0])));
        }
        let rows = self.init_ids.iter().copied().cycle().take(n).collect();
        let embeddings = a.computed(prompt::EMBEDDINGS, &[n, width], None);
        Ok(Prompt { embeddings, start: Some((model.weight(table), rows)) })
    }
}

impl Adapted for Prompt {
    fn prompt(&self, cx: &Ctx) -> Tensor {
        self.embeddings.get(cx)
    }

    fn initial(&self, cx: &Ctx, _: Weight) -> Tensor {
        let Some((table, rows)) = &self.start else { cx.fail("the embeddings start at random") };
        let table = table.get(cx);
        Tensor::concat(rows.iter().map(|row| table.clone().slice(0, *row, row + 1)), 0)
    }
}

register!(adapter "prompt-tuning" aliases ["PROMPT_TUNING"] => PromptTuning, example = r#"
virtual_tokens = 8
init_text = "Answer the question about the handbook:"
"#);

#[cfg(test)]
mod tests {
    use framework_sdk::test::adapter;

    #[test]
    fn the_file_is_the_embeddings() {
        let plan = adapter("prompt-tuning", "virtual_tokens = 3").unwrap();
        assert_eq!(
            (plan.prompt, plan.params[0].name.as_str(), &plan.params[0].shape[..]),
            (3, "prompt_embeddings", &[3, 8][..])
        );
        assert!(plan.initial.is_empty() && plan.sites.is_empty());
        assert_eq!(adapter("prompt-tuning", "init_ids = [1, 2]").unwrap().initial, [0]);
        assert!(adapter("prompt-tuning", "init_ids = [32]").unwrap_err().message.contains("token 32"));
        assert!(adapter("prompt-tuning", "virtual_tokens = 0").is_err());
    }
}
