//! What `pythia` accepts and declares; `tests/golden` compares its numbers with those of transformers.

use super::*;
use framework_sdk::{Kind, serde_json, test};

/// A config of this width as the hub has it, with `changes`.
fn config(hidden: usize, blocks: usize, heads: usize, changes: Value) -> Value {
    let mut config = json!({
        "architectures": ["GPTNeoXForCausalLM"],
        "bos_token_id": 0,
        "eos_token_id": 0,
        "hidden_act": "gelu",
        "hidden_size": hidden,
        "initializer_range": 0.02,
        "intermediate_size": 4 * hidden,
        "layer_norm_eps": 1e-05,
        "max_position_embeddings": 2048,
        "model_type": "gpt_neox",
        "num_attention_heads": heads,
        "num_hidden_layers": blocks,
        "rotary_emb_base": 10000,
        "rotary_pct": 0.25,
        "tie_word_embeddings": false,
        "torch_dtype": "float16",
        "transformers_version": "4.24.0",
        "use_cache": true,
        "use_parallel_residual": true,
        "vocab_size": 50304
    });
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    config
}

fn spec(changes: Value) -> ModelSpec {
    test::model("pythia", &config(32, 2, 4, changes))
}

fn refused(changes: Value) -> String {
    let declaration = test::declaration(Kind::Model, "pythia");
    let built = declaration.build.model("pythia", &config(32, 2, 4, changes));
    built.err().expect("an error").message
}

fn read(config: Value) -> Result<Pythia> {
    Pythia::from_config(config.as_object().unwrap().clone())
}

#[test]
fn has_as_many_parameters_as_the_published_models() {
    let count = |spec: ModelSpec| spec.params.iter().map(Param::len).sum::<usize>();
    assert_eq!(count(test::model("pythia", &config(128, 6, 4, json!({})))), 14_067_712);
    assert_eq!(count(test::model("pythia", &config(512, 6, 8, json!({})))), 70_426_624);
}

#[test]
fn every_form_uses_what_it_declares() {
    let parallel = spec(json!({}));
    let sequential = spec(json!({"use_parallel_residual": false, "hidden_act": "gelu_fast", "hidden_dropout": 0.1}));
    assert_eq!(parallel.params, sequential.params);
    assert_eq!((parallel.output.as_str(), parallel.max_positions), ("embed_out.weight", Some(2048)));
    let tied = spec(json!({"tie_word_embeddings": true, "attention_bias": false}));
    assert_eq!(tied.output, "gpt_neox.embed_in.weight");
    assert_eq!(tied.params.len(), parallel.params.len() - 1 - 4);
}

#[test]
fn parameters_are_named_as_in_the_files() {
    let spec = spec(json!({"initializer_range": 0.5}));
    let fused = spec.get("gpt_neox.layers.1.attention.query_key_value.weight").unwrap();
    assert_eq!((&fused.shape[..], fused.init, fused.role), (&[96, 32][..], Init::Normal(0.5), Role::Linear));
    assert_eq!(fused.block, Some(1));
    let roles = |name: &str| spec.get(name).map(|p| p.role);
    assert_eq!(roles("gpt_neox.embed_in.weight"), Some(Role::Embedding));
    assert_eq!(roles("gpt_neox.layers.0.mlp.dense_4h_to_h.bias"), Some(Role::Bias));
    assert_eq!(roles("gpt_neox.final_layer_norm.bias"), Some(Role::Norm));
    assert_eq!(roles("embed_out.weight"), Some(Role::Output));
}

#[test]
fn reads_the_configs_of_all_versions() {
    for file in [
        include_str!("../../../../tests/golden/gpt_neox/parallel/model/config.json"),
        include_str!("../../../../tests/golden/gpt_neox/sequential/model/config.json"),
        include_str!("../../../../tests/golden/gpt_neox/sequential/config_nested.json"),
        include_str!("../../../../tests/golden/gpt_neox/tied/model/config.json"),
    ] {
        let model = read(serde_json::from_str(file).unwrap()).unwrap();
        model.validate().unwrap();
        test::model("pythia", &json!(model));
    }
    // gpt-neox-20b, and what transformers 4.46 writes.
    let old = json!({"hidden_act": "gelu_fast", "attention_probs_dropout_prob": 0, "hidden_dropout_prob": 0});
    assert_eq!(read(config(32, 2, 4, old)).unwrap().hidden_act, nn::HiddenAct::GeluNew);
    let newer = json!({"rope_scaling": null, "rope_theta": 10000, "partial_rotary_factor": 0.25});
    let rope = read(config(32, 2, 4, newer)).unwrap().rope().unwrap();
    assert_eq!((rope.size, rope.base, rope.scaling), (2, 10_000.0, nn::Scaling::None));
}

#[test]
fn the_rotation_is_read_from_either_layout() {
    let rope = |changes: Value| {
        let mut config = config(32, 2, 4, json!({"rotary_pct": null, "rotary_emb_base": null}));
        changes.as_object().unwrap().iter().for_each(|(key, value)| config[key] = value.clone());
        let rope = read(config).and_then(|model| model.rope()).map_err(|e| e.message)?;
        Ok((rope.size, rope.base, rope.scaling))
    };
    let plain = nn::Scaling::None;
    assert_eq!(rope(json!({})), Ok((2, 10_000.0, plain.clone())));
    assert_eq!(rope(json!({"rotary_pct": 1.0, "rotary_emb_base": 5000})), Ok((8, 5000.0, plain.clone())));
    let nested = json!({"rope_type": "default", "rope_theta": 5000.0, "partial_rotary_factor": 0.5});
    assert_eq!(rope(json!({"rope_parameters": nested})), Ok((4, 5000.0, plain)));
    let twice = json!({"rope_parameters": nested, "rotary_pct": 0.25});
    let expected = "`rope_parameters.partial_rotary_factor` is 0.5, but `rotary_pct` is 0.25";
    assert_eq!(rope(twice), Err::<(usize, f64, _), String>(expected.into()));
    let linear = json!({"rope_scaling": {"factor": 2.0, "type": "linear"}});
    assert_eq!(rope(linear), Ok((2, 10_000.0, nn::Scaling::Linear { factor: 2.0 })));
}

#[test]
fn what_it_cannot_do_is_refused() {
    let dropout = "`attention_dropout` must be at least 0 and less than 1, not 1";
    assert_eq!(refused(json!({"attention_dropout": 1.0})), dropout);
    assert!(refused(json!({"num_attention_heads": 5})).contains("must be a multiple of `num_attention_heads` (5)"));
    assert!(refused(json!({"rotary_pct": 0.1})).contains("0.1 of a head of 8 elements"));
    assert!(refused(json!({"hidden_act": "mish"})).contains("unknown variant `mish`"));
    let unknown = read(config(32, 2, 4, json!({"sliding_window": 4}))).unwrap_err().message;
    assert!(unknown.contains("unknown key `sliding_window`"), "{unknown}");
}
