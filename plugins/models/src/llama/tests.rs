//! What `llama` accepts and declares.

use super::*;
use crate::testing::{changed, count, param, read, refused};
use framework_sdk::test;

/// deepseek-ai/deepseek-llm-7b-chat.
fn deepseek() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "bos_token_id": 100_000,
        "eos_token_id": 100_001,
        "hidden_act": "silu",
        "hidden_size": 4096,
        "initializer_range": 0.02,
        "intermediate_size": 11_008,
        "max_position_embeddings": 4096,
        "model_type": "llama",
        "num_attention_heads": 32,
        "num_hidden_layers": 30,
        "num_key_value_heads": 32,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-06,
        "rope_scaling": null,
        "rope_theta": 10000.0,
        "tie_word_embeddings": false,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.33.1",
        "use_cache": true,
        "vocab_size": 102_400
    })
}

/// Llama-3.2-1B.
fn third() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": false,
        "attention_dropout": 0.0,
        "bos_token_id": 128_000,
        "eos_token_id": [128_001, 128_008, 128_009],
        "head_dim": 64,
        "hidden_act": "silu",
        "hidden_size": 2048,
        "initializer_range": 0.02,
        "intermediate_size": 8192,
        "max_position_embeddings": 131_072,
        "mlp_bias": false,
        "model_type": "llama",
        "num_attention_heads": 32,
        "num_hidden_layers": 16,
        "num_key_value_heads": 8,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {
            "factor": 32.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192,
            "rope_type": "llama3"
        },
        "rope_theta": 500_000.0,
        "tie_word_embeddings": true,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.45.0.dev0",
        "use_cache": true,
        "vocab_size": 128_256
    })
}

/// A small one with `changes`, as transformers 5 writes it.
fn small(changes: Value) -> Value {
    let config = json!({
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": false,
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "dtype": "float32",
        "eos_token_id": 2,
        "head_dim": 8,
        "hidden_act": "silu",
        "hidden_size": 32,
        "initializer_range": 0.02,
        "intermediate_size": 48,
        "max_position_embeddings": 64,
        "mlp_bias": false,
        "model_type": "llama",
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "pad_token_id": null,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-06,
        "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
        "tie_word_embeddings": false,
        "transformers_version": "5.23.0",
        "use_cache": true,
        "vocab_size": 100
    });
    changed(config, &changes)
}

#[test]
fn has_as_many_parameters_as_the_published_models() {
    assert_eq!(count("llama", &deepseek()), 6_910_365_696);
    assert_eq!(count("llama", &third()), 1_235_814_400);
}

#[test]
fn every_form_uses_what_it_declares() {
    let spec = test::model("llama", &small(json!({})));
    assert_eq!(
        param(&spec, "model.layers.1.self_attn.k_proj.weight"),
        (vec![16, 32], Init::Normal(0.02), Role::Linear)
    );
    assert_eq!(param(&spec, "model.layers.0.mlp.down_proj.weight").0, [32, 48]);
    assert_eq!(param(&spec, "model.layers.0.input_layernorm.weight"), (vec![32], Init::Ones, Role::Norm));
    assert_eq!(param(&spec, "lm_head.weight").2, Role::Output);
    assert_eq!((spec.params.len(), spec.output.as_str(), spec.max_positions), (2 * 9 + 3, "lm_head.weight", Some(64)));
    let biased =
        test::model("llama", &small(json!({"attention_bias": true, "mlp_bias": true, "initializer_range": 0.5})));
    assert_eq!(param(&biased, "model.layers.1.self_attn.o_proj.bias"), (vec![32], Init::Zeros, Role::Bias));
    assert_eq!(param(&biased, "model.embed_tokens.weight"), (vec![100, 32], Init::Normal(0.5), Role::Embedding));
    assert_eq!(biased.params.len(), spec.params.len() + 2 * 7);
    let tied = test::model("llama", &small(json!({"tie_word_embeddings": true, "pad_token_id": 0, "head_dim": 10})));
    assert_eq!((tied.params.len(), tied.output.as_str()), (spec.params.len() - 1, "model.embed_tokens.weight"));
    assert_eq!(param(&tied, "model.layers.0.self_attn.o_proj.weight").0, [32, 40]);
}

fn common(model: &Llama) -> Common {
    Common::of(model).unwrap()
}

#[test]
fn reads_the_configs_of_all_versions() {
    let third = read::<Llama>(&third());
    assert!(matches!(common(&third).rope().unwrap().scaling, nn::Scaling::Llama3 { original: 8192, .. }));
    let flat = json!({"rope_parameters": null, "rope_theta": 5000, "rope_scaling": {"type": "dynamic", "factor": 2}});
    let dynamic = read::<Llama>(&small(flat));
    assert_eq!(common(&dynamic).rope().unwrap().scaling, nn::Scaling::Dynamic { factor: 2.0, max_positions: 64 });
    assert_eq!(dynamic.spec().unwrap().max_positions, None);
    test::model("llama", &json!(dynamic));
    // SmolLM2, and what trainers leave behind.
    let others = json!({
        "is_llama_config": true, "rope_interleaved": false, "transformers.js_config": {"dtype": "q4"},
        "_attn_implementation_autoset": true, "gradient_checkpointing": false, "unsloth_version": "2024.9",
        "pad_token_id": -1,
    });
    assert_eq!(common(&read(&small(others))).pad_token_id, Some(-1));
}

#[test]
fn what_was_not_given_is_not_written() {
    let config = small(json!({"head_dim": null, "rope_parameters": null}));
    let options = test::declaration(framework_sdk::Kind::Model, "llama").build.model("llama", &config);
    let options = options.unwrap().options().unwrap();
    assert!(["head_dim", "rope_parameters", "rope_scaling", "rope_theta"].iter().all(|key| options.get(key).is_none()));
    assert_eq!(read::<Llama>(&options), read::<Llama>(&small(json!({"rope_parameters": null, "head_dim": null}))));
}

/// Keys of real folders that change nothing for this architecture.
#[test]
fn keys_that_change_nothing_are_accepted() {
    let plain = read::<Llama>(&small(json!({})));
    let more = json!({
        "sliding_window": null, "partial_rotary_factor": 1.0, "layer_types": ["full_attention", "full_attention"],
        "quantization_config": {"bits": 4}, "num_steps": 3, "_flash_attn_2_enabled": true, "custom_pipelines": {},
        "cache_implementation": "hybrid", "resid_pdrop": 0.1,
    });
    assert_eq!(read::<Llama>(&small(more)), plain);
    let both = json!({"rope_theta": 10_000.0, "rope_scaling": {"type": "default"}});
    assert_eq!(common(&read(&small(both))).rope(), common(&plain).rope());
}

#[test]
fn what_it_cannot_do_is_refused() {
    let refused = |changes: Value| refused("llama", &small(changes));
    let dropout = "`attention_dropout` must be at least 0 and less than 1, not 1";
    assert_eq!(refused(json!({"attention_dropout": 1.0})), dropout);
    assert_eq!(refused(json!({"rope_interleaved": true})), "`rope_interleaved` is true; only false is supported");
    assert!(refused(json!({"num_key_value_heads": 3})).contains("must be a multiple of `num_key_value_heads` (3)"));
    assert!(refused(json!({"num_key_value_heads": 0})).contains("`num_key_value_heads` (0), which is at least 1"));
    let uneven = refused(json!({"hidden_size": 30, "head_dim": null}));
    assert_eq!(uneven, "`hidden_size` (30) must be a multiple of `num_attention_heads` (4)");
    assert!(refused(json!({"pad_token_id": 100})).starts_with("`pad_token_id` is 100, but there are only 100 tokens"));
    assert!(refused(json!({"hidden_act": "mish"})).contains("unknown variant `mish`"));
    assert!(refused(json!({"partial_rotary_factor": 0.5})).contains("unknown key `partial_rotary_factor`"));
    let part = refused(json!({"rope_parameters": {"partial_rotary_factor": 0.5}}));
    assert_eq!(part, "`partial_rotary_factor` is 0.5, but this architecture rotates whole heads");
}
