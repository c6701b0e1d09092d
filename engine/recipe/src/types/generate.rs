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
    /// Instructions to answer at every evaluation and at the end of a run. The answers are written to `samples.md`.
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
    /// Maximum number of tokens of prompt and answer together; 0 means the model's limit.
    pub max_length: usize,
    /// Minimum number of tokens to generate. The end token is excluded until then.
    pub min_new_tokens: usize,
    /// Temperature: the logits are divided by it before sampling, so values below 1 favour likely tokens. Only for
    /// decoders that sample.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub temperature: f64,
    /// Sample from this many of the most likely tokens; 0 means all. Only for decoders that sample.
    pub top_k: usize,
    /// Sample from the smallest set of most likely tokens whose total probability is at least this (Holtzman et al.,
    /// 2020, arXiv:1904.09751); 1 means all. Only for decoders that sample.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub top_p: f64,
    /// Exclude tokens whose probability is below this share of the most likely token's (Nguyen et al., 2024,
    /// arXiv:2407.01082); 0 excludes none. Only for decoders that sample.
    #[schemars(range(min = 0, max = 1))]
    pub min_p: f64,
    /// Lowers the probability of tokens that already occurred (Keskar et al., 2019, arXiv:1909.05858); 1 turns it off.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub repetition_penalty: f64,
    /// Length of token sequences that must not occur twice; 0 turns it off.
    pub no_repeat_ngram_size: usize,
    /// Strings that end an answer, even if they begin or end within a token. The text ends before the first of them;
    /// the token ids end with the token that completes it.
    pub stop: Vec<String>,
    /// Format the text as Chinese verse: no spaces between characters, Chinese punctuation, one line per sentence,
    /// without an incomplete last sentence. The text is shown as a whole, not token by token.
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
