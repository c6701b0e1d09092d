//! The built-in plugins, all of them.

use crate::setting::Setting;
use framework_registry::{Registry, Sources, check::check_registry};
use plugin_adapters as _;
use plugin_augmenters as _;
use plugin_datasets as _;
use plugin_decoders as _;
use plugin_models as _;
use plugin_optimizers as _;
use std::fmt::Write;

#[test]
fn built_in_plugins_pass_their_checks() {
    let registry = Registry::open_with(&Sources { linked: true, ..Sources::default() }).unwrap();
    let report = check_registry(&registry);
    assert!(report.passed(), "{report}");
    assert_eq!(report.plugins.len(), registry.list(None).count());
}

/// What is there to be named in recipes: a change of this list is a change of the interface.
#[test]
fn built_in_plugins_keep_their_names() {
    let listed = Setting::new().run(["list-plugins", "--format", "json"]).json();
    let mut names = String::new();
    for plugin in listed["plugins"].as_array().unwrap() {
        assert_eq!(plugin["origin"], "built in");
        let aliases: Vec<_> = plugin["aliases"].as_array().unwrap().iter().filter_map(|a| a.as_str()).collect();
        let (kind, name) = (plugin["kind"].as_str().unwrap(), plugin["name"].as_str().unwrap());
        writeln!(names, "{}", format!("{kind} {name} {}", aliases.join(" ")).trim_end()).unwrap();
    }
    for backend in listed["backends"].as_array().unwrap() {
        writeln!(names, "backend {}", backend["name"].as_str().unwrap()).unwrap();
    }
    insta::assert_snapshot!(names, @r"
dataset instruction-csv
dataset instruction-json
dataset jsonl
dataset magazine-json
dataset parquet
dataset poetry-corpus
dataset qa-xlsx
dataset text
augmenter balance-types
augmenter clean-html
augmenter context-expansion
augmenter deduplicate
augmenter filter
augmenter key-points
augmenter normalize-text
augmenter qa-pairs
augmenter select-fields
augmenter sentence-transform
augmenter split
augmenter synonyms
model gemma gemma2 gemma3_text Gemma2ForCausalLM Gemma3ForCausalLM
model gpt2 GPT2LMHeadModel
model llama llama LlamaForCausalLM
model mistral mistral MistralForCausalLM
model mixtral mixtral MixtralForCausalLM
model phi-3 phi3 Phi3ForCausalLM
model pythia gpt_neox GPTNeoXForCausalLM
model qwen qwen2 qwen3 Qwen2ForCausalLM Qwen3ForCausalLM
adapter full
adapter ia3 IA3
adapter lora LORA
adapter p-tuning P_TUNING
adapter prefix-tuning PREFIX_TUNING
adapter prompt-tuning PROMPT_TUNING
adapter qlora LORA
optimizer adafactor
optimizer adamw
optimizer adamw-8bit
optimizer lion
optimizer muon
optimizer sgd
decoder beam
decoder greedy
decoder top-p
backend cpu
backend wgpu
backend cuda
");
}
