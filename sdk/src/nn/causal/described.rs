//! What the keys of a Hugging Face `config.json` mean, for options that do not say it themselves.

use schemars::Schema;
use serde_json::Value;

/// Keys that mean the same in all architectures that have them.
const KEYS: &[(&str, &str)] = &[
    ("activation_function", ACTIVATION),
    ("attention_bias", "Whether the attention projections have biases."),
    ("attention_dropout", ATTENTION_DROPOUT),
    ("attn_pdrop", ATTENTION_DROPOUT),
    ("embd_pdrop", "Dropout probability after the embeddings during training."),
    ("head_dim", "Size of an attention head. Default: `hidden_size / num_attention_heads`."),
    ("hidden_act", ACTIVATION),
    ("hidden_activation", ACTIVATION),
    ("hidden_size", HIDDEN),
    ("initializer_range", "Standard deviation of the initial weights when training from scratch."),
    ("intermediate_size", "Size of the feed-forward layers."),
    ("layer_norm_eps", LAYER_NORM),
    ("layer_norm_epsilon", LAYER_NORM),
    ("max_position_embeddings", POSITIONS),
    ("mlp_bias", "Whether the feed-forward projections have biases."),
    ("n_embd", HIDDEN),
    ("n_head", HEADS),
    ("n_layer", BLOCKS),
    ("n_positions", POSITIONS),
    ("num_attention_heads", HEADS),
    ("num_hidden_layers", BLOCKS),
    ("num_key_value_heads", "Number of key and value heads. Default: `num_attention_heads`."),
    ("pad_token_id", "Id of the padding token, whose embedding is not trained."),
    ("resid_pdrop", "Dropout probability after attention and feed-forward layers during training."),
    ("rms_norm_eps", "Epsilon of the RMS norms, added to the mean square."),
    ("rope_parameters", "Rotary position embedding, as transformers 5 writes it."),
    ("rope_scaling", "Rotary scaling, as transformers 4 writes it."),
    ("rope_theta", "Base of the rotary frequencies. Default: 10000."),
    (
        "sliding_window",
        "Size of the sliding window: a token attends to at most this many tokens, itself included. Null means no\nwindow.",
    ),
    ("summary_activation", CLASSIFIERS),
    ("summary_first_dropout", CLASSIFIERS),
    ("summary_proj_to_labels", CLASSIFIERS),
    ("summary_type", CLASSIFIERS),
    ("summary_use_proj", CLASSIFIERS),
    ("tie_word_embeddings", "Whether the vocabulary projection is the embedding table."),
    ("vocab_size", "Size of the vocabulary."),
];

const ACTIVATION: &str = "Activation of the feed-forward layers: `gelu`, `gelu_new`, `relu` or `silu`.";
const ATTENTION_DROPOUT: &str = "Dropout probability of attention weights during training.";
const BLOCKS: &str = "Number of blocks.";
const CLASSIFIERS: &str = "Only for classifiers; ignored.";
const HEADS: &str = "Number of attention heads.";
const HIDDEN: &str = "Size of the hidden states.";
const LAYER_NORM: &str = "Epsilon of the layer norms, added to the variance.";
const POSITIONS: &str = "Maximum number of positions in a sequence.";

/// Describes the options that have no doc comment and are called like a key of a `config.json` that means the same in all
/// architectures: `#[schemars(transform = nn::causal::described)]`.
pub fn described(schema: &mut Schema) {
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (key, text) in KEYS {
        if let Some(Value::Object(option)) = properties.get_mut(*key) {
            option.entry("description").or_insert_with(|| (*text).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doc_comments_go_before_the_keys_meaning() {
        let mut schema = schemars::json_schema!({"properties": {
            "vocab_size": {"type": "integer"},
            "hidden_size": {"type": "integer", "description": "Mine."},
            "n_mine": {"type": "integer"},
        }});
        described(&mut schema);
        let option = |name: &str| schema.get("properties").unwrap()[name]["description"].as_str();
        let found = ["vocab_size", "hidden_size", "n_mine"].map(option);
        assert_eq!(found, [Some("Size of the vocabulary."), Some("Mine."), None]);
    }
}
