//! What `qwen` accepts and declares.

use super::*;
use crate::testing::{changed, count, param, read, refused};
use framework_sdk::test;

/// DeepSeek-R1-Distill-Qwen-1.5B with `changes`.
fn distill(changes: Value) -> Value {
    let config = json!({
        "architectures": ["Qwen2ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": 151_646,
        "eos_token_id": 151_643,
        "hidden_act": "silu",
        "hidden_size": 1536,
        "initializer_range": 0.02,
        "intermediate_size": 8960,
        "max_position_embeddings": 131_072,
        "max_window_layers": 21,
        "model_type": "qwen2",
        "num_attention_heads": 12,
        "num_hidden_layers": 28,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-06,
        "rope_theta": 10000,
        "sliding_window": 4096,
        "tie_word_embeddings": false,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.44.0",
        "use_cache": true,
        "use_mrope": false,
        "use_sliding_window": false,
        "vocab_size": 151_936
    });
    changed(config, &changes)
}

/// Qwen3-0.6B with `changes`.
fn third(changes: Value) -> Value {
    let config = json!({
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": false,
        "attention_dropout": 0.0,
        "bos_token_id": 151_643,
        "eos_token_id": 151_645,
        "head_dim": 128,
        "hidden_act": "silu",
        "hidden_size": 1024,
        "initializer_range": 0.02,
        "intermediate_size": 3072,
        "max_position_embeddings": 40_960,
        "max_window_layers": 28,
        "model_type": "qwen3",
        "num_attention_heads": 16,
        "num_hidden_layers": 28,
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-06,
        "rope_scaling": null,
        "rope_theta": 1_000_000,
        "sliding_window": null,
        "tie_word_embeddings": true,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.51.0",
        "use_cache": true,
        "use_sliding_window": false,
        "vocab_size": 151_936
    });
    changed(config, &changes)
}

fn windows(changes: Value) -> Vec<Option<usize>> {
    let model = read::<Qwen>(&distill(changed(json!({"num_hidden_layers": 4}), &changes)));
    (0..4).map(|i| model.attention(&model.common().unwrap(), i).unwrap().window).collect()
}

#[test]
fn has_as_many_parameters_as_the_published_models() {
    assert_eq!(count("qwen", &distill(json!({}))), 1_777_088_000);
    assert_eq!(count("qwen", &third(json!({}))), 596_049_920);
    let half = json!({
        "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14,
        "tie_word_embeddings": true, "max_window_layers": 24,
    });
    assert_eq!(count("qwen", &distill(half)), 494_032_768);
}

#[test]
fn the_second_has_biases_and_the_third_norms() {
    let small = json!({"num_hidden_layers": 2});
    let second = test::model("qwen", &distill(small.clone()));
    assert_eq!(second.params.len(), 2 * (9 + 3) + 3);
    assert_eq!(param(&second, "model.layers.1.self_attn.k_proj.bias"), (vec![256], Init::Zeros, Role::Bias));
    assert!(second.get("model.layers.1.self_attn.o_proj.bias").is_none());
    let norm = test::model("qwen", &third(small));
    assert_eq!(norm.params.len(), 2 * (9 + 2) + 2);
    assert_eq!(param(&norm, "model.layers.0.self_attn.q_norm.weight"), (vec![128], Init::Ones, Role::Norm));
    assert_eq!(param(&norm, "model.layers.0.self_attn.q_proj.weight").0, [2048, 1024]);
    let both = test::model("qwen", &third(json!({"num_hidden_layers": 2, "attention_bias": true, "pad_token_id": 3})));
    assert_eq!(both.params.len(), norm.params.len() + 2 * 4);
}

#[test]
fn windows_are_those_of_each_block() {
    let some = Some(16);
    assert_eq!(windows(json!({})), [None; 4]);
    let used = json!({"use_sliding_window": true, "sliding_window": 16, "max_window_layers": 3});
    assert_eq!(windows(used.clone()), [None, None, None, some]);
    assert_eq!(windows(changed(used.clone(), &json!({"max_window_layers": 0}))), [some; 4]);
    assert_eq!(windows(changed(used.clone(), &json!({"sliding_window": null}))), [None; 4]);
    let types = ["sliding_attention", "full_attention", "full_attention", "sliding_attention"];
    assert_eq!(windows(changed(used, &json!({"layer_types": types}))), [some, None, None, some]);
}

#[test]
fn reads_the_configs_of_all_versions() {
    let newer = json!({
        "dtype": "bfloat16", "num_hidden_layers": 2, "layer_types": ["full_attention", "full_attention"],
        "pad_token_id": null, "rope_theta": null, "rope_parameters": {"rope_theta": 1_000_000.0, "rope_type": "default"},
        "sliding_window": null, "transformers_version": "5.23.0",
    });
    let model = read::<Qwen>(&third(newer));
    assert_eq!(model.common().unwrap().rope().unwrap().base, 1_000_000.0);
    assert_eq!(read::<Qwen>(&json!(model)), model);
    let yarn = json!({"rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32_768}});
    let spec = read::<Qwen>(&distill(changed(yarn, &json!({"max_position_embeddings": 32_768})))).spec().unwrap();
    assert_eq!(spec.max_positions, Some(131_072));
    let mut bare = third(json!({}));
    bare.as_object_mut().unwrap().remove("head_dim");
    let bare = read::<Qwen>(&bare);
    assert_eq!(bare.attention(&bare.common().unwrap(), 0).unwrap().head_size, 128);
}

#[test]
fn what_it_cannot_do_is_refused() {
    let refused = |changes: Value| refused("qwen", &distill(changes));
    let dropout = "`attention_dropout` must be at least 0 and less than 1, not 1";
    assert_eq!(refused(json!({"attention_dropout": 1.0})), dropout);
    assert_eq!(refused(json!({"use_mrope": true})), "`use_mrope` is true; only false is supported");
    assert!(
        refused(json!({"model_type": "qwen2_moe"}))
            .contains("unknown variant `qwen2_moe`, expected `qwen2` or `qwen3`")
    );
    assert!(refused(json!({"attention_bias": false})).ends_with("queries, keys and values of qwen2 have biases"));
    let types = json!({"layer_types": ["full_attention"]});
    assert_eq!(refused(types), "`layer_types` names 1 of 28 `num_hidden_layers`");
    assert!(refused(json!({"layer_types": ["chunked_attention"]})).contains("unknown variant `chunked_attention`"));
    let sliding = json!({"num_hidden_layers": 1, "layer_types": ["sliding_attention"]});
    assert!(refused(sliding).ends_with("which needs `use_sliding_window` and `sliding_window`"));
    let chunks = json!({"dual_chunk_attention_config": {"chunk_size": 262_144}});
    assert!(refused(chunks).contains("unknown key `dual_chunk_attention_config`"));
}
