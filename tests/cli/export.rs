//! `framework export`: folders for use elsewhere.

use crate::setting::{FACTS, Setting, base, question};
use framework_engine::{PluginSources, export::prove, generate::TextGenerator};
use plugin_adapters as _;
use plugin_augmenters as _;
use plugin_datasets as _;
use plugin_decoders as _;
use plugin_models as _;
use plugin_optimizers as _;
use serde_json::{Value, json};
use std::{env, path::Path, process::Command};

fn trained(changes: &[(&str, &str)]) -> Setting {
    let setting = Setting::with(&[&[("max_steps = 60", "max_steps = 4")], changes].concat());
    setting.run(["train", "recipe.toml"]).succeeded();
    setting.write("text.txt", "What colour is snow?\nwhite\n");
    setting
}

fn loss(setting: &Setting, args: &[&str]) -> f64 {
    let args = [&["eval", "--text", "text.txt", "--format", "json"], args].concat();
    setting.run(args).json()["loss"].as_f64().unwrap()
}

#[test]
fn a_merged_model_needs_neither_run_nor_base() {
    let setting = trained(&[]);
    let out = setting.run(["export", "runs/colours", "--to", "out/merged", "--merge"]).succeeded().out;
    assert_eq!(out, "model saved in out/merged\n");
    let files = setting.files("out");
    for file in
        ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    {
        assert!(files.contains(&format!("merged/{file}")), "no {file} among {files:?}");
    }
    assert!(files.iter().all(|file| file.starts_with("merged/")), "{files:?}");
    let (run, merged) = (loss(&setting, &["runs/colours"]), loss(&setting, &["--model", "out/merged"]));
    assert!((run - merged).abs() < 1e-5 && run != loss(&setting, &["--model", &base().display().to_string()]));
    // Its tokenizer, and where generation ends, came along.
    let generation: Value = serde_json::from_str(&setting.read("out/merged/generation_config.json")).unwrap();
    assert!(generation["eos_token_id"].is_u64(), "{generation}");
    setting.run(["generate", "--model", "out/merged", "--prompt", "What colour is coal?"]).succeeded();
}

#[test]
fn an_adapter_is_exported_as_it_is() {
    let setting = trained(&[]);
    let out = setting.run(["export", "runs/colours", "--to", "adapter"]).succeeded().out;
    assert_eq!(out, "adapter saved in adapter\n");
    let files = [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "export.json",
        "generation_config.json",
    ];
    assert!(setting.files("adapter").starts_with(&files.map(str::to_owned)), "{:?}", setting.files("adapter"));
    let args = ["--model", &base().display().to_string(), "--adapter", "adapter"];
    assert_eq!(loss(&setting, &args), loss(&setting, &["runs/colours"]));
    setting.run(["export", "runs/colours", "--to", "half", "--dtype", "bf16"]).succeeded();
    let size = |folder: &str| setting.bytes(&format!("{folder}/adapter_model.safetensors")).len();
    assert!(size("half") * 3 < size("adapter") * 2);
}

#[test]
fn a_model_from_scratch_is_exported_whole() {
    let run = base().parent().unwrap().display().to_string();
    let setting = Setting::new();
    setting.write("text.txt", "What colour is snow?\n");
    setting.run(["export", &run, "--to", "model"]).succeeded();
    assert_eq!(loss(&setting, &["--model", "model"]), loss(&setting, &[&run]));
    setting.run(["export", &run, "--to", "half", "--merge", "--dtype", "f16"]).succeeded();
    assert!((loss(&setting, &["--model", "half"]) - loss(&setting, &[&run])).abs() < 1e-2);
    assert!(setting.read("half/config.json").contains("float16"));
}

#[test]
fn folders_are_merged_without_a_run() {
    let setting = trained(&[]);
    setting.run(["export", "runs/colours", "--to", "merged", "--merge"]).succeeded();
    let model = base().display().to_string();
    let args = ["export", "--model", &model, "--adapter", "runs/colours/adapter", "--merge", "--to", "folded"];
    assert_eq!(setting.run(args).succeeded().out, "model saved in folded\n");
    assert_eq!(setting.files("folded"), setting.files("merged"));
    // The card and the manifest say where they come from.
    let told = ["README.md", "export.json"].map(str::to_owned);
    for file in setting.files("folded").into_iter().filter(|file| !told.contains(file)) {
        assert!(setting.bytes(&format!("folded/{file}")) == setting.bytes(&format!("merged/{file}")), "{file}");
    }
    let half = ["--dtype", "fp16"];
    setting.run([&args[..7], &["half"], &half].concat()).succeeded();
    assert!(setting.read("half/config.json").contains("float16"));
    let err = setting.run([&args[..5], &["--to", "x"]].concat()).failed(2);
    assert!(err.contains("--adapter") && err.contains("--merge"), "{err}");
    // A folder in another format.
    setting.run(["export", "--model", &model, "--to", "other", "--dtype", "bf16"]).succeeded();
    assert!(setting.read("other/config.json").contains("bfloat16"));
    let err = setting.run(["export", "--model", &model, "--to", "x", "--dtype", "q8_0"]).failed(2);
    assert!(err.contains("--format gguf") && !setting.path("x").exists(), "{err}");
}

#[test]
fn nothing_is_overwritten() {
    let setting = trained(&[]);
    std::fs::create_dir(setting.path("taken")).unwrap();
    setting.write("taken/mine.txt", "mine");
    setting.write("file", "mine");
    insta::assert_snapshot!(setting.run(["export", "runs/colours", "--to", "taken"]).failed(2), @r"
    error: `--to`: taken is there already
        give a new folder's name, or remove this one first
    ");
    setting.run(["export", "runs/colours", "--to", "file"]).failed(2);
    assert_eq!(setting.files("taken"), ["mine.txt"]);
    // An empty folder is in nobody's way.
    std::fs::create_dir(setting.path("empty")).unwrap();
    setting.run(["export", "runs/colours", "--to", "empty"]).succeeded();
    assert!(setting.files("empty").contains(&"adapter_config.json".to_owned()));
    insta::assert_snapshot!(setting.run(["export", "taken", "--to", "out"]).failed(2), @r"
    error: taken is not a run's folder: there is no recipe.toml in it
        Give the folder that `framework train` wrote, e.g. runs/quickstart.
    ");
    // A run that has not come to its end.
    std::fs::remove_dir_all(setting.path("runs/colours/adapter")).unwrap();
    let err = setting.run(["export", "runs/colours", "--to", "out"]).failed(2);
    assert!(err.contains("has not come to its end") && !setting.path("out").exists(), "{err}");
}

/// A model that learns ChatML although its tokenizer's end token is another one.
const CHATML: &str = r#"name = "chatml"
seed = 1

[model]
plugin = "pythia"

[model.config]
vocab_size = 300
hidden_size = 32
num_hidden_layers = 2
num_attention_heads = 2
intermediate_size = 64
max_position_embeddings = 128

[tokenizer.train]
kind = "byte-level-bpe"
vocab_size = 300
special_tokens = ["<|im_start|>", "<|im_end|>"]

[[dataset]]
plugin = "instruction-csv"
path = "data.csv"

[prompt]
template = "chatml"
max_length = 64

[adapter]
plugin = "full"

[optimizer]
plugin = "adamw"
learning_rate = 1e-2

[train]
max_steps = 120
batch_size = 10
save_every = "end"

[generate]
max_new_tokens = 30
"#;

/// Set `FRAMEWORK_PYTHON` to a Python with what tests/reference/requirements.txt lists, and transformers renders the
/// same prompts and stops at the same tokens.
fn answered_by_transformers(setting: &Setting, run: &str, model: &Path, adapter: Option<&Path>, system: Option<&str>) {
    let Some(python) = env::var_os("FRAMEWORK_PYTHON") else { return };
    let generator = TextGenerator::of_run(&setting.path(run), &[], &PluginSources::default()).unwrap();
    let case = |(thing, _): &(&str, &str)| {
        let asked = question(thing);
        let answer = generator.reply(&asked, false, 0, &mut |_| {}).unwrap().token_ids;
        assert!(answer.len() < 30, "{asked} has no end: {answer:?}");
        let prompt = generator.ids(&asked, false).unwrap();
        json!({ "messages": [{ "role": "user", "content": asked }], "prompt": prompt, "answer": answer })
    };
    let mut cases: Vec<_> = FACTS.iter().map(case).collect();
    if let Some(system) = system {
        let mut own = cases[0].clone();
        own["messages"].as_array_mut().unwrap().insert(0, json!({ "role": "system", "content": system }));
        cases.push(own);
    }
    setting.write("cases.json", &Value::from(cases).to_string());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/check_export.py");
    let mut check = Command::new(python);
    check.arg(script).arg("--expected").arg(setting.path("cases.json")).arg("--model").arg(model);
    check.args(adapter.into_iter().flat_map(|adapter| [Path::new("--adapter"), adapter]));
    let output = check.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Changes one byte of a file, so many before its end.
fn flip(setting: &Setting, file: &str, before: usize) {
    let mut bytes = setting.bytes(file);
    let at = bytes.len() - before;
    bytes[at] ^= 0x10;
    std::fs::write(setting.path(file), bytes).unwrap();
}

/// Changes a name in a file of numbers.
fn rename(setting: &Setting, file: &str, from: &str, to: &str) {
    let mut bytes = setting.bytes(file);
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
    bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    std::fs::write(setting.path(file), bytes).unwrap();
}

/// What the proof says of a copy of an exported folder, after a change.
fn proved(setting: &Setting, folder: &str, change: impl FnOnce(&str)) -> Result<(), String> {
    let copy = format!("{folder}-changed");
    std::fs::create_dir(setting.path(&copy)).unwrap();
    for file in setting.files(folder) {
        std::fs::write(setting.path(&format!("{copy}/{file}")), setting.bytes(&format!("{folder}/{file}"))).unwrap();
    }
    change(&copy);
    let sources = PluginSources::default();
    let result = prove(&setting.path("runs/chatml"), &setting.path(&copy), &sources);
    std::fs::remove_dir_all(setting.path(&copy)).unwrap();
    result.map(drop).map_err(|e| e.to_string())
}

#[test]
fn broken_exports_are_caught() {
    let setting = Setting::new();
    setting.write("chatml.toml", CHATML);
    setting.run(["train", "chatml.toml"]).succeeded();
    setting.run(["export", "runs/chatml", "--to", "hf"]).succeeded();
    let out = setting.run(["export", "runs/chatml", "--to", "gguf", "--format", "gguf"]).succeeded().out;
    assert_eq!(
        out,
        "model saved in gguf\nllama-cli --model gguf/chatml-F32.gguf --conversation\n\
         ollama create chatml --file gguf/Modelfile\n"
    );
    let stops = "PARAMETER stop \"<|endoftext|>\"\nPARAMETER stop \"<|im_end|>\"\n";
    assert!(setting.read("gguf/Modelfile").ends_with(stops), "{}", setting.read("gguf/Modelfile"));
    for folder in ["hf", "gguf"] {
        let manifest: Value = serde_json::from_str(&setting.read(&format!("{folder}/export.json"))).unwrap();
        assert_eq!(
            (&manifest["template"], &manifest["answer"]["stopped"]),
            (&json!("same"), &json!(true)),
            "{manifest}"
        );
        assert_eq!(manifest["answer"]["run"], manifest["answer"]["exported"]);
        assert!(manifest["logits"]["largest"].as_f64().unwrap() <= manifest["allowed"].as_f64().unwrap());
        let card = setting.read(&format!("{folder}/README.md"));
        assert!(
            card.starts_with("---\nlibrary_name: ") && card.contains("- full\n") && card.contains("name = \"chatml\""),
            "{card}"
        );
        assert_eq!(proved(&setting, folder, |_| {}), Ok(()));
    }
    let caught = |folder: &str, change: &dyn Fn(&str), message: &str| {
        let said = proved(&setting, folder, change).unwrap_err();
        assert!(said.contains(message), "{said}");
    };
    caught("hf", &|at| flip(&setting, &format!("{at}/model.safetensors"), 20), "has other numbers");
    caught(
        "hf",
        &|at| std::fs::remove_file(setting.path(&format!("{at}/chat_template.jinja"))).unwrap(),
        "template is missing",
    );
    let one = |at: &str| {
        let file = format!("{at}/generation_config.json");
        let mut table: Value = serde_json::from_str(&setting.read(&file)).unwrap();
        table["eos_token_id"] = table["eos_token_id"][0].clone();
        setting.write(&file, &table.to_string());
    };
    caught("hf", &one, "at which it does not stop");
    let file = |at: &str| format!("{at}/chatml-F32.gguf");
    caught("gguf", &|at| flip(&setting, &file(at), 60), "has other numbers");
    let without = |from: &str, to: &str| rename_in(&setting, "gguf", from, to);
    assert!(
        without("tokenizer.chat_template", "tokenizer.chat_templatf").contains("`tokenizer.chat_template` is missing")
    );
    assert!(without("eot_token_id", "eoz_token_id").contains("eot_token_id` is missing"));
    assert!(without("rope.freq_base", "rope.freq_bane").contains("rope.freq_base` is missing"));
}

fn rename_in(setting: &Setting, folder: &str, from: &str, to: &str) -> String {
    proved(setting, folder, |at| rename(setting, &format!("{at}/chatml-F32.gguf"), from, to)).unwrap_err()
}

/// The text of an answer, and what is said of the template.
fn answer(setting: &Setting, args: &[&str]) -> (String, String) {
    let said = setting.run([&["generate", "--prompt", "What colour is coal?"], args].concat()).succeeded();
    (said.out, said.err)
}

#[test]
fn folders_stop_where_training_did_and_ask_as_it_did() {
    let setting = Setting::new();
    setting.write("chatml.toml", CHATML);
    setting.run(["train", "chatml.toml"]).succeeded();
    let read = |file: &str| -> Value { serde_json::from_str(&setting.read(file)).unwrap() };
    let tokenizer = read("runs/chatml/model/tokenizer.json");
    let id = |token: &str| {
        let added = tokenizer["added_tokens"].as_array().unwrap();
        added.iter().find(|added| added["content"] == token).unwrap()["id"].clone()
    };
    let ends = json!([id("<|endoftext|>"), id("<|im_end|>")]);
    assert_eq!(read("runs/chatml/model/generation_config.json")["eos_token_id"], ends);
    assert!(setting.read("runs/chatml/model/chat_template.jinja").contains("<|im_start|>"));
    let (text, note) = answer(&setting, &["--model", "runs/chatml/model"]);
    assert_eq!(note, "prompts are written with the chat template in runs/chatml/model\n");
    assert_eq!((text.as_str(), String::new()), ("black\n", answer(&setting, &["--run", "runs/chatml"]).1));
    answered_by_transformers(&setting, "runs/chatml", &setting.path("runs/chatml/model"), None, None);

    // An adapter on it, with a system message that its template has to write; and both folded into one.
    let lora = CHATML.replace("plugin = \"full\"", "plugin = \"lora\"").replace("max_steps = 120", "max_steps = 20");
    let (head, tail) = (lora.find("[model.config]").unwrap(), lora.find("[[dataset]]").unwrap());
    let lora = format!("{}weights = \"runs/chatml/model\"\n{}", &lora[..head], &lora[tail..]);
    let lora = lora.replace("name = \"chatml\"", "name = \"lora\"");
    setting.write("lora.toml", &lora.replace("max_length = 64", "max_length = 64\nsystem = \"It's brief.\""));
    setting.run(["train", "lora.toml"]).succeeded();
    setting.run(["export", "runs/lora", "--to", "adapter"]).succeeded();
    setting.run(["export", "runs/lora", "--merge", "--to", "merged"]).succeeded();
    let run = answer(&setting, &["--run", "runs/lora"]).0;
    assert_eq!(answer(&setting, &["--model", "merged"]).0, run);
    let (text, note) = answer(&setting, &["--model", "runs/chatml/model", "--adapter", "adapter"]);
    assert_eq!((text, note.as_str()), (run, "prompts are written with the chat template in adapter\n"));
    for folder in ["adapter", "merged", "runs/lora/adapter"] {
        assert_eq!(read(&format!("{folder}/generation_config.json"))["eos_token_id"], ends, "{folder}");
        assert!(setting.read(&format!("{folder}/chat_template.jinja")).contains("It\\'s brief."), "{folder}");
    }
    let (model, adapter) = (setting.path("runs/chatml/model"), setting.path("adapter"));
    answered_by_transformers(&setting, "runs/lora", &model, Some(&adapter), Some("It's brief."));
    answered_by_transformers(&setting, "runs/lora", &setting.path("merged"), None, Some("It's brief."));
}

#[test]
fn a_quantized_base_model_is_merged_as_it_was_and_the_deviation_told() {
    let setting = trained(&[("plugin = \"lora\"", "plugin = \"qlora\"")]);
    let said = setting.run(["export", "runs/colours", "--to", "merged", "--merge", "--dtype", "f32"]).succeeded();
    assert!(said.err.contains("note: trained on weights in nf4, merged into the original ones"), "{}", said.err);
    let manifest: Value = serde_json::from_str(&setting.read("merged/export.json")).unwrap();
    let quantized = &manifest["quantization"];
    let of = |key: &str| quantized["logits"][key].as_f64().unwrap();
    assert_eq!(quantized["frozen"], "nf4");
    assert!(of("largest") > of("mean") && of("mean") > 1e-3 && of("largest") < 5.0 * of("spread"), "{quantized}");
    // What was written is the merged model, bit by bit.
    assert!(manifest["logits"]["largest"].as_f64().unwrap() < 1e-3 * of("spread"));
    assert!(setting.read("merged/README.md").contains("It was trained on weights in nf4"));
}
