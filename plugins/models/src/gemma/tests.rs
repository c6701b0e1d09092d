//! What `gemma` accepts and declares.

use super::*;
use crate::testing::{changed, count, read, refused};

/// Gemma-2-2b with `changes`.
fn second(changes: Value) -> Value {
    let config = json!({
        "architectures": ["Gemma2ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "attn_logit_softcapping": 50.0, "bos_token_id": 2, "cache_implementation": "hybrid", "eos_token_id": 1,
        "final_logit_softcapping": 30.0, "head_dim": 256, "hidden_act": "gelu_pytorch_tanh",
        "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304, "initializer_range": 0.02,
        "intermediate_size": 9216, "max_position_embeddings": 8192, "model_type": "gemma2", "num_attention_heads": 8,
        "num_hidden_layers": 26, "num_key_value_heads": 4, "pad_token_id": 0, "query_pre_attn_scalar": 256,
        "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4096, "torch_dtype": "float32",
        "transformers_version": "4.42.4", "use_cache": true, "vocab_size": 256_000
    });
    changed(config, &changes)
}

/// Gemma-3-1b with `changes`.
fn third(changes: Value) -> Value {
    let config = json!({
        "architectures": ["Gemma3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
        "attn_logit_softcapping": null, "bos_token_id": 2, "cache_implementation": "hybrid", "eos_token_id": 1,
        "final_logit_softcapping": null, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": 1152, "initializer_range": 0.02, "intermediate_size": 6912, "max_position_embeddings": 32768,
        "model_type": "gemma3_text", "num_attention_heads": 4, "num_hidden_layers": 26, "num_key_value_heads": 1,
        "pad_token_id": 0, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000,
        "rope_scaling": null, "rope_theta": 1000000, "sliding_window": 512, "sliding_window_pattern": 6,
        "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0", "use_cache": true, "vocab_size": 262_144
    });
    changed(config, &changes)
}

#[test]
fn has_as_many_parameters_as_the_published_models() {
    assert_eq!(count("gemma", &second(json!({}))), 2_614_341_888);
    assert_eq!(count("gemma", &third(json!({}))), 999_885_952);
}

fn rope(gemma: &Gemma, slides: bool) -> Result<nn::Rope> {
    gemma.common()?.rope_where(slides)
}

#[test]
fn blocks_have_windows_and_rotations_of_their_own() {
    let windows = |config: &Value| {
        let gemma = read::<Gemma>(config);
        (0..7).map(|i| gemma.attention(&gemma.common().unwrap(), i).unwrap().window).collect::<Vec<_>>()
    };
    let (w, n) = (Some(4096), None);
    assert_eq!(windows(&second(json!({}))), [w, n, w, n, w, n, w]);
    let w = Some(512);
    assert_eq!(windows(&third(json!({}))), [w, w, w, w, w, n, w]);
    let gemma = read::<Gemma>(&third(json!({})));
    assert_eq!((rope(&gemma, false).unwrap().base, rope(&gemma, true).unwrap().base), (1_000_000.0, 10_000.0));
    let each = json!({"rope_parameters": {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 5.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 7.0},
    }, "rope_theta": null, "rope_local_base_freq": null});
    let gemma = read::<Gemma>(&third(each));
    assert_eq!((rope(&gemma, false).unwrap().base, rope(&gemma, true).unwrap().base), (5.0, 7.0));
    assert_eq!(rope(&gemma, false).unwrap().scaling, nn::Scaling::Linear { factor: 8.0 });
}

#[test]
fn limits_are_those_of_the_generation() {
    let limits = |mut config: Value| {
        for key in ["final_logit_softcapping", "attn_logit_softcapping"] {
            config.as_object_mut().unwrap().remove(key);
        }
        let gemma = read::<Gemma>(&config);
        {
            let common = gemma.common().unwrap();
            (gemma.decoder(&common).unwrap().softcap, gemma.attention(&common, 0).unwrap().softcap)
        }
    };
    assert_eq!(limits(second(json!({}))), (Some(30.0), Some(50.0)));
    assert_eq!(limits(third(json!({}))), (None, None));
    let none = read::<Gemma>(&second(json!({"final_logit_softcapping": null})));
    assert_eq!(none.decoder(&none.common().unwrap()).unwrap().softcap, None);
}

#[test]
fn what_it_cannot_do_is_refused() {
    assert!(refused("gemma", &second(json!({"use_bidirectional_attention": true}))).contains("only false"));
    assert!(refused("gemma", &second(json!({"layer_types": ["full_attention"]}))).contains("names 1 of 26"));
    assert!(refused("gemma", &second(json!({"query_pre_attn_scalar": 0}))).contains("must be positive"));
}
