//! What `gpt2` accepts and declares.

use super::*;
use crate::testing::{changed, count, param, refused};
use framework_sdk::test;

/// GPT-2 with `changes`.
fn config(changes: Value) -> Value {
    let config = json!({
        "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1,
        "bos_token_id": 50256, "embd_pdrop": 0.1, "eos_token_id": 50256, "initializer_range": 0.02,
        "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12,
        "n_positions": 1024, "resid_pdrop": 0.1, "summary_activation": null, "summary_first_dropout": 0.1,
        "summary_proj_to_labels": true, "summary_type": "cls_index", "summary_use_proj": true,
        "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}}, "vocab_size": 50257
    });
    changed(config, &changes)
}

#[test]
fn has_as_many_parameters_as_the_published_models() {
    assert_eq!(count("gpt2", &config(json!({}))), 124_439_808);
    let xl = json!({"n_embd": 1600, "n_head": 25, "n_layer": 48});
    assert_eq!(count("gpt2", &config(xl)), 1_557_611_200);
}

#[test]
fn projections_are_stored_the_other_way_round() {
    let spec = test::model("gpt2", &config(json!({"n_layer": 2})));
    let name = "transformer.h.1.attn.c_attn.weight";
    assert_eq!(param(&spec, name), (vec![3 * 768, 768], Init::Normal(0.02), Role::Linear));
    let weight = spec.get(name).unwrap();
    assert_eq!((weight.stored, weight.block, weight.layer.as_str()), (Stored::InOut, Some(1), "attention.qkv"));
    assert!(spec.is_tied() && spec.extra.contains(&"transformer.h.0.attn.bias".to_owned()));
    let untied = test::model("gpt2", &config(json!({"n_layer": 2, "tie_word_embeddings": false})));
    assert_eq!(untied.params.len(), spec.params.len() + 1);
}

#[test]
fn what_it_cannot_do_is_refused() {
    assert!(refused("gpt2", &config(json!({"add_cross_attention": true}))).contains("only false"));
    assert!(refused("gpt2", &config(json!({"n_head": 7}))).contains("must be a multiple of `n_head`"));
    assert!(refused("gpt2", &config(json!({"resid_pdrop": 1.0}))).contains("`resid_pdrop`"));
}
