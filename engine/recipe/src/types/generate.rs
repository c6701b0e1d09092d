//! The table `[generate]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How text is generated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generate {
    /// The decoder's plugin.
    #[serde(default = "super::d::decoder")]
    pub plugin: String,
    /// Prompts, each an instruction, that are answered at every evaluation and at the end, into `samples.md`.
    #[serde(default)]
    pub prompts: Vec<String>,
    /// The engine's own settings.
    #[serde(flatten)]
    pub settings: GenerateSettings,
    /// The decoder's options.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

/// Settings of generation that work with every decoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GenerateSettings {
    /// Maximum number of tokens to generate.
    #[schemars(range(min = 1))]
    pub max_new_tokens: usize,
    /// Most tokens of prompt and answer together; 0 leaves it to the model's positions.
    pub max_length: usize,
    /// Minimum number of tokens to generate. The end token is excluded until then.
    pub min_new_tokens: usize,
    /// The logits are divided by it before sampling: below 1 makes likely tokens likelier (only decoders that sample).
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub temperature: f64,
    /// Sample from this many of the most likely tokens; 0 means all (only decoders that sample).
    pub top_k: usize,
    /// Sample among the likeliest tokens that together have this probability (Holtzman et al., 2020,
    /// arXiv:1904.09751); 1 is all (decoders that sample).
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub top_p: f64,
    /// Exclude tokens less likely than this share of the likeliest one's probability (Nguyen et al., 2024,
    /// arXiv:2407.01082); 0 excludes none (decoders that sample).
    #[schemars(range(min = 0, max = 1))]
    pub min_p: f64,
    /// Lowers the probability of tokens that already occurred (Keskar et al., 2019, arXiv:1909.05858); 1 is off.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub repetition_penalty: f64,
    /// Length of token sequences that must not occur twice; 0 is off.
    pub no_repeat_ngram_size: usize,
    /// Strings that end an answer, wherever the tokens' borders are. The text ends before the first of them; the token
    /// ids end with the one that completes it.
    pub stop: Vec<String>,
    /// Lay the text out as Chinese verse: no spaces between characters, Chinese punctuation, a line for each sentence,
    /// and nothing of a last one that was cut off. Shown as a whole, not token by token.
    pub verse: bool,
}

impl Default for GenerateSettings {
    fn default() -> Self {
        Self {
            max_new_tokens: 128,
            max_length: 0,
            min_new_tokens: 0,
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            no_repeat_ngram_size: 0,
            stop: Vec::new(),
            verse: false,
        }
    }
}
