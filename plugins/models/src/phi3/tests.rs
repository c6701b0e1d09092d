//! What `phi-3` accepts and declares.

use super::*;
use crate::testing::{changed, count, param, read, refused};
use framework_sdk::test;

/// Phi-3-mini-4k-instruct with `changes`.
fn config(changes: Value) -> Value {
    let config = json!({
        "_name_or_path": "Phi-3-mini-4k-instruct",
        "architectures": ["Phi3ForCausalLM"],
        "attention_bias": false,
        "attention_dropout": 0.0,
        "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"},
        "bos_token_id": 1,
        "embd_pdrop": 0.0,
        "eos_token_id": 32_000,
        "hidden_act": "silu",
        "hidden_size": 3072,
        "initializer_range": 0.02,
        "intermediate_size": 8192,
        "max_position_embeddings": 4096,
        "model_type": "phi3",
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 32,
        "original_max_position_embeddings": 4096,
        "pad_token_id": 32_000,
        "resid_pdrop": 0.0,
        "rms_norm_eps": 1e-05,
        "rope_scaling": null,
        "rope_theta": 10000.0,
        "sliding_window": 2047,
        "tie_word_embeddings": false,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.40.2",
        "use_cache": true,
        "vocab_size": 32_064
    });
    changed(config, &changes)
}

/// Phi-4-mini-instruct, whose 48 divisors are all `1` and `long`.
fn fourth(long: f64) -> Value {
    config(json!({
        "full_attn_mod": 1, "interpolate_factor": 1, "lm_head_bias": false, "mlp_bias": false,
        "max_position_embeddings": 131_072, "num_attention_heads": 24, "num_key_value_heads": 8, "pad_token_id": 199_999,
        "partial_rotary_factor": 0.75, "sliding_window": 262_144, "tie_word_embeddings": true, "vocab_size": 200_064,
        "rope_scaling": {"type": "longrope", "short_factor": vec![1.0; 48], "long_factor": vec![long; 48]},
    }))
}

/// The smaller of the models for poetry.
fn poetry() -> Value {
    json!({
        "vocab_size": 21_128, "hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8,
        "num_hidden_layers": 6, "max_position_embeddings": 256,
    })
}

#[test]
fn has_as_many_parameters_as_the_published_models() {
    assert_eq!(count("phi-3", &config(json!({}))), 3_821_079_552);
    assert_eq!(count("phi-3", &fourth(2.0)), 3_836_021_760);
}

#[test]
fn has_as_many_parameters_as_the_models_for_poetry() {
    assert_eq!(count("phi-3", &poetry()), 46_807_552);
    assert_eq!(count("phi-3", &changed(poetry(), &json!({"vocab_size": 51_200}))), 77_601_280);
}

#[test]
fn every_form_uses_what_it_declares() {
    let spec = test::model("phi-3", &config(json!({"num_hidden_layers": 2, "num_key_value_heads": 8})));
    assert_eq!((spec.params.len(), spec.max_positions, spec.cache_until), (2 * 6 + 3, Some(4096), None));
    let fused = param(&spec, "model.layers.1.self_attn.qkv_proj.weight");
    assert_eq!(fused, (vec![(32 + 8 + 8) * 96, 3072], Init::Normal(0.02), Role::Linear));
    assert_eq!(param(&spec, "model.layers.0.mlp.gate_up_proj.weight").0, [2 * 8192, 3072]);
    let other = json!({"num_hidden_layers": 2, "tie_word_embeddings": true, "resid_pdrop": 0.1, "embd_pdrop": 0.1});
    assert_eq!(test::model("phi-3", &config(other)).params.len(), 2 * 6 + 2);
}

#[test]
fn long_sequences_are_rotated_otherwise() {
    let model = read::<Phi3>(&fourth(2.0));
    assert_eq!(model.spec().unwrap().cache_until, Some(4096));
    let (short, long) = (model.rope().unwrap().at(4096), model.rope().unwrap().at(4097));
    assert_eq!((short.inv_freq.len(), short.inv_freq[0], long.inv_freq[0]), (48, 1.0, 0.5));
    let attention = (1.0 + 32_f64.ln() / 4096_f64.ln()).sqrt();
    assert_eq!((short.scale, long.scale), (attention, attention));
}

#[test]
fn reads_the_configs_of_all_versions() {
    // The first 128k models called longrope `su`.
    let divisors = vec![1.5; 48];
    let su = json!({"rope_scaling": {"type": "su", "short_factor": divisors, "long_factor": divisors}});
    assert!(read::<Phi3>(&config(su)).rope().unwrap().scaling.depends_on_length());
    let newer = json!({
        "dtype": "bfloat16", "rope_scaling": null, "rope_theta": null, "transformers_version": "5.23.0",
        "partial_rotary_factor": 1.0,
        "rope_parameters": {
            "long_factor": divisors, "original_max_position_embeddings": 4096, "partial_rotary_factor": 1.0,
            "rope_theta": 10000.0, "rope_type": "longrope", "short_factor": divisors, "type": "longrope",
        },
    });
    let model = read::<Phi3>(&config(newer));
    assert_eq!(read::<Phi3>(&json!(model)), model);
    // No padding token and no window stay none when options are written and read again.
    let bare = read::<Phi3>(&poetry());
    assert_eq!((&json!(bare)["pad_token_id"], &json!(bare)["sliding_window"]), (&Value::Null, &Value::Null));
}

#[test]
fn what_it_cannot_do_is_refused() {
    let refused = |changes: Value| refused("phi-3", &config(changes));
    let dropout = "`attention_dropout` must be at least 0 and less than 1, not 1";
    assert_eq!(refused(json!({"attention_dropout": 1.0})), dropout);
    assert_eq!(refused(json!({"lm_head_bias": true})), "`lm_head_bias` is true; only false is supported");
    assert_eq!(refused(json!({"full_attn_mod": 2})), "`full_attn_mod` is 2; only 1 is supported");
    assert_eq!(refused(json!({"resid_pdrop": 1.0})), "`resid_pdrop` must be at least 0 and less than 1, not 1");
    assert!(refused(json!({"vocab_size": 21_128})).starts_with("`pad_token_id` is 32000, but there are only 21128"));
    let linear = refused(json!({"rope_scaling": {"type": "linear", "factor": 2.0}}));
    assert_eq!(linear, "Phi-3's rotary embedding is of the type `default` or `longrope`");
    let few = json!({"rope_scaling": {"type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}});
    assert_eq!(refused(few), "`short_factor` must have a number for each of the 48 pairs, not 1");
    assert!(refused(json!({"blocksparse_block_size": 64})).contains("unknown key `blocksparse_block_size`"));
}
