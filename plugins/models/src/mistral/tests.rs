//! What `mistral` accepts and declares.

use super::*;
use crate::testing::{changed, count, param, read, refused};
use framework_sdk::test;

fn common(config: &Value) -> Common {
    Common::of(&read::<Mistral>(config)).unwrap()
}

/// Mistral-7B-v0.1 with `changes`.
fn config(changes: Value) -> Value {
    let config = json!({
        "architectures": ["MistralForCausalLM"],
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 4096,
        "initializer_range": 0.02,
        "intermediate_size": 14_336,
        "max_position_embeddings": 32_768,
        "model_type": "mistral",
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0,
        "sliding_window": 4096,
        "tie_word_embeddings": false,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.34.0.dev0",
        "use_cache": true,
        "vocab_size": 32_000
    });
    changed(config, &changes)
}

fn window(changes: Value) -> Option<usize> {
    common(&config(changes)).attention().unwrap().window
}

#[test]
fn has_as_many_parameters_as_the_published_models() {
    assert_eq!(count("mistral", &config(json!({}))), 7_241_732_096);
    // v0.3: more tokens, no window.
    let third = json!({"vocab_size": 32_768, "rope_theta": 1_000_000.0, "sliding_window": null, "head_dim": 128});
    assert_eq!(count("mistral", &config(third)), 7_241_732_096 + 2 * 768 * 4096);
}

#[test]
fn every_form_uses_what_it_declares() {
    let spec = test::model("mistral", &config(json!({"num_hidden_layers": 2, "pad_token_id": 2})));
    assert_eq!((spec.params.len(), spec.max_positions), (2 * 9 + 3, Some(32_768)));
    assert_eq!(
        param(&spec, "model.layers.1.self_attn.v_proj.weight"),
        (vec![1024, 4096], Init::Normal(0.02), Role::Linear)
    );
    let tied = test::model("mistral", &config(json!({"num_hidden_layers": 2, "tie_word_embeddings": true})));
    assert_eq!((tied.params.len(), tied.output.as_str()), (2 * 9 + 2, "model.embed_tokens.weight"));
}

#[test]
fn reads_the_configs_of_all_versions() {
    assert_eq!(window(json!({})), Some(4096));
    assert_eq!(window(json!({"sliding_window": null})), None);
    // As transformers has it when the files do not say.
    let mut bare = config(json!({}));
    bare.as_object_mut().unwrap().retain(|key, _| !["sliding_window", "num_key_value_heads"].contains(&key.as_str()));
    let bare = common(&bare).attention().unwrap();
    assert_eq!((bare.window, bare.kv_heads), (Some(4096), 8));
    // No window stays none when options are written and read again.
    let open = read::<Mistral>(&config(json!({"sliding_window": null})));
    assert_eq!(read::<Mistral>(&json!(open)), open);
    let newer = json!({
        "rope_parameters": {"rope_theta": 5000.0, "rope_type": "yarn", "factor": 2.0}, "rope_theta": null,
        "attention_dropout": 0.0, "pad_token_id": null, "dtype": "bfloat16", "head_dim": 128,
    });
    let rope = common(&config(newer)).rope().unwrap();
    assert!(rope.base == 5000.0 && matches!(rope.scaling, nn::Scaling::Yarn { original: 32_768, .. }));
}

#[test]
fn what_it_cannot_do_is_refused() {
    let refused = |changes: Value| refused("mistral", &config(changes));
    let dropout = "`attention_dropout` must be at least 0 and less than 1, not 1";
    assert_eq!(refused(json!({"attention_dropout": 1.0})), dropout);
    assert_eq!(refused(json!({"sliding_window": 0})), "`sliding_window` must be at least 1: a token sees itself");
    assert!(refused(json!({"num_key_value_heads": 5})).contains("must be a multiple of `num_key_value_heads` (5)"));
    assert!(refused(json!({"attention_bias": true})).contains("unknown key `attention_bias`"));
    assert!(
        refused(json!({"layer_types": ["full_attention"], "sliding_window": 8})).contains("unknown key `layer_types`")
    );
}
