//! What plugins need of a run: a recipe that has something else is refused, with the settings that fit.

use crate::run::write_tokenizer;
use framework_engine::{PluginSources, Result, Session, plan};
use framework_sdk::{
    Adapter, Attach, ModelArch, ModelSpec, Needs, Nothing, Optimizer, Scope, Tensor, Update,
    nn::{self, causal},
    options, register,
};
use std::fs;

options! {
    /// A small Llama that needs a lot.
    struct Picky {}
}

impl ModelArch for Picky {
    type Net = causal::Decoder;

    fn build(&self, m: &Scope) -> framework_sdk::Result<causal::Decoder> {
        m.needs(Needs::new().precisions(["f32", "bf16"]).frozen(["f32", "bf16"]).unpacked());
        let (hidden, heads) = (8, 2);
        let rotation = nn::RopeConfig::new(4, 64, 10_000.0).resolve()?.rotation();
        let attention = nn::GroupedAttentionConfig {
            hidden,
            heads,
            kv_heads: heads,
            head_size: 4,
            names: ["qkv_proj", "qkv_proj", "qkv_proj", "o_proj"],
            ..Default::default()
        };
        let mlp = nn::GatedMlpConfig { hidden, size: 16, ..Default::default() };
        let config = causal::DecoderConfig { vocab: 16, hidden, blocks: 1, ..Default::default() };
        causal::Decoder::new(m, config, |_, m| {
            let attention = nn::GroupedAttention::new(&m.at("self_attn"), attention, rotation.clone());
            Ok(causal::Parts::new(attention, nn::GatedMlp::new(&m.at("mlp"), mlp)))
        })
    }
}

register!(model "picky" => Picky, example = "");

options! {
    /// Trains everything, if there are projections of queries.
    struct Choosy {}
}

impl Adapter for Choosy {
    type Net = Nothing;

    fn build(&self, model: &ModelSpec, a: &Attach) -> framework_sdk::Result<Nothing> {
        a.needs(Needs::new().layers(["attention.query", "mlp.up"]));
        model.params.iter().for_each(|param| a.train(param));
        Ok(Nothing)
    }
}

register!(adapter "choosy" => Choosy, example = "");

options! {
    /// Does nothing, on GPUs only.
    struct Elsewhere {}
}

impl Optimizer for Elsewhere {
    fn learning_rate(&self) -> f64 {
        0.1
    }
    fn needs(&self) -> Needs {
        Needs::new().backends(["wgpu", "cuda"])
    }
    fn update(&self, _: &Update, param: Tensor, _: Tensor, state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        (param, state)
    }
}

register!(optimizer "elsewhere" => Elsewhere, example = "");

/// Plans a recipe of the small model with these tables.
fn check(tables: &str) -> Result<plan::Plan> {
    let dir = tempfile::tempdir().unwrap();
    write_tokenizer(&dir.path().join("tokenizer"), 16, "t2");
    let recipe = format!(
        "output = {:?}\nmodel = {{ plugin = \"picky\", config = {{}} }}\ntokenizer.path = \"tokenizer\"\n{tables}",
        dir.path().join("run")
    );
    let path = dir.path().join("recipe.toml");
    fs::write(&path, recipe).unwrap();
    plan::plan(&Session::open(&path, &[], &PluginSources::default())?, &mut |_| {})
}

fn refused(tables: &str) -> String {
    let told = check(tables).expect_err("it is refused").to_string();
    // The recipe's folder is a temporary one.
    told.lines()
        .map(|line| line.split_once("recipe.toml").map_or(line, |(_, rest)| rest))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn what_plugins_need_is_refused_where_the_recipe_has_something_else() {
    let lora = "adapter = { plugin = \"lora\", targets = [\"o_proj\"] }\n";
    assert!(check(lora).is_ok());
    let all = format!("{lora}train.packing = true\nbackend = {{ precision = \"f16\", frozen = \"nf4\" }}");
    insta::assert_snapshot!(refused(&all), @r#"
    :5:17: `train.packing`: model `picky` needs each sequence in a row of its own, and packing puts several into one
        Set train.packing = false; train.group_by_length = true leaves little padding, too.
    :6:25: `backend.precision`: model `picky` computes in f32 or bf16, not f16
        Set backend.precision = "f32" or "bf16".
    :6:41: `backend.frozen`: model `picky` takes frozen weights in f32 or bf16, not nf4
        Set backend.frozen = "f32" or "bf16".
    "#);
    insta::assert_snapshot!(refused("adapter.plugin = \"choosy\""), @r#"
    :4:18: `adapter.plugin`: adapter `choosy` needs layers with the role `attention.query`; the model has `attention.output`, `attention.qkv`, `mlp.down`, `mlp.gate`, `mlp.up`
        Use another model, or set adapter.plugin = "crooked", "full", "ia3", "lora", "p-tuning", "prefix-tuning", "prompt-tuning" or "qlora".
    "#);
    insta::assert_snapshot!(refused("optimizer.plugin = \"elsewhere\"\nadapter.plugin = \"full\""), @r#"
    :1:1: `backend.name`: optimizer `elsewhere` computes on wgpu or cuda, not cpu
        Set backend.name = "wgpu" or "cuda".
    "#);
}

/// Following the advice makes the recipe sound.
#[test]
fn what_fits_is_accepted() {
    let lora = "adapter = { plugin = \"lora\", targets = [\"o_proj\"] }\n";
    assert!(check(&format!("{lora}train.group_by_length = true\nbackend = {{ precision = \"bf16\" }}")).is_ok());
    assert!(check("adapter.plugin = \"full\"\nbackend.precision = \"f32\"").is_ok());
}
