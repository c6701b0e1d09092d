//! What `mixtral` accepts and declares.

use super::*;
use crate::testing::{changed, count, param, read, refused};
use framework_sdk::test;

/// Mixtral-8x7B-v0.1 with `changes`.
fn config(changes: Value) -> Value {
    let config = json!({
        "architectures": ["MixtralForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "hidden_size": 4096,
        "initializer_range": 0.02,
        "intermediate_size": 14_336,
        "max_position_embeddings": 32_768,
        "model_type": "mixtral",
        "num_attention_heads": 32,
        "num_experts_per_tok": 2,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "num_local_experts": 8,
        "output_router_logits": false,
        "rms_norm_eps": 1e-05,
        "rope_theta": 1_000_000.0,
        "router_aux_loss_coef": 0.02,
        "sliding_window": null,
        "tie_word_embeddings": false,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.36.0.dev0",
        "use_cache": true,
        "vocab_size": 32_000
    });
    changed(config, &changes)
}

fn small(changes: Value) -> Value {
    let sizes = json!({
        "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2,
        "num_hidden_layers": 2, "num_local_experts": 5, "vocab_size": 100,
    });
    changed(config(sizes), &changes)
}

#[test]
fn has_as_many_parameters_as_the_published_model() {
    assert_eq!(count("mixtral", &config(json!({}))), 46_702_792_704);
}

#[test]
fn has_as_many_parameters_as_the_models_for_poetry() {
    let first = json!({
        "hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 8, "num_key_value_heads": 8,
        "num_hidden_layers": 4,
    });
    assert_eq!(count("mixtral", &config(first)), 30_025_984);
    // "361.24M" to the digit: 114 tokens with a vocabulary projection of their own, or 228 without.
    for (vocab, tied) in [(114, false), (228, true)] {
        let poetry = json!({
            "hidden_size": 768, "intermediate_size": 1536, "num_attention_heads": 24, "num_key_value_heads": 12,
            "num_hidden_layers": 12, "vocab_size": vocab, "tie_word_embeddings": tied,
        });
        assert_eq!(count("mixtral", &config(poetry)), 361_240_320);
    }
}

#[test]
fn every_form_uses_what_it_declares() {
    let spec = test::model("mixtral", &small(json!({})));
    assert_eq!(spec.params.len(), 2 * (6 + 1 + 5 * 3) + 3);
    let moe = "model.layers.1.block_sparse_moe";
    assert_eq!(param(&spec, &format!("{moe}.gate.weight")), (vec![5, 32], Init::Normal(0.02), Role::Linear));
    assert_eq!(param(&spec, &format!("{moe}.experts.4.w1.weight")).0, [48, 32]);
    assert_eq!(param(&spec, &format!("{moe}.experts.4.w2.weight")).0, [32, 48]);
    assert_eq!(spec.get(&format!("{moe}.experts.0.w3.weight")).unwrap().block, Some(1));
    let balanced = json!({"output_router_logits": true, "sliding_window": 3, "pad_token_id": 0, "head_dim": 10});
    let all = json!({"num_experts_per_tok": 5, "tie_word_embeddings": true});
    test::model("mixtral", &small(changed(balanced, &all)));
}

#[test]
fn reads_the_configs_of_all_versions() {
    let newer = json!({
        "dtype": "float32", "head_dim": null, "pad_token_id": null, "rope_theta": null, "router_jitter_noise": 0.1,
        "rope_parameters": {"rope_theta": 1_000_000.0, "rope_type": "default"}, "transformers_version": "5.23.0",
    });
    let model = read::<Mixtral>(&small(newer));
    assert_eq!(model, read::<Mixtral>(&json!(model)));
    let (experts, attention) = (model.experts().unwrap(), model.common().unwrap().attention().unwrap());
    assert_eq!((experts.balance, experts.jitter, attention.head_size), (None, 0.1, 8));
    let trained = read::<Mixtral>(&small(json!({"output_router_logits": true})));
    assert_eq!(trained.experts().unwrap().balance, Some(0.02));
    // What transformers takes where the file does not say.
    let mut bare = small(json!({"num_experts": 3}));
    for key in ["num_local_experts", "num_experts_per_tok", "rope_theta", "router_aux_loss_coef"] {
        bare.as_object_mut().unwrap().remove(key);
    }
    let bare = read::<Mixtral>(&bare);
    let experts = bare.experts().unwrap();
    assert_eq!((experts.count, experts.per_token, bare.router_aux_loss_coef), (3, 2, 0.001));
    assert_eq!(bare.common().unwrap().rope().unwrap().base, 1_000_000.0);
}

#[test]
fn what_it_cannot_do_is_refused() {
    let refused = |changes: Value| refused("mixtral", &small(changes));
    let dropout = "`attention_dropout` must be at least 0 and less than 1, not 1";
    assert_eq!(refused(json!({"attention_dropout": 1.0})), dropout);
    let jitter = "`router_jitter_noise` must be at least 0 and less than 1, not 1";
    assert_eq!(refused(json!({"router_jitter_noise": 1.0})), jitter);
    assert!(refused(json!({"num_experts_per_tok": 6})).ends_with("at most the number of experts, 5; it is 6"));
    assert!(refused(json!({"num_experts_per_tok": 0})).contains("at least 1"));
    assert!(refused(json!({"shared_expert_intermediate_size": 8})).contains("unknown key"));
}
