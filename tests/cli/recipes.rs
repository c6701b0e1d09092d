//! The recipes that come with the framework: each is sound, plans the model that it names, and trains in small.

use crate::setting::{Setting, configured, recipes, said, tokenizer};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::PathBuf};

/// Recipes that start from a published model: name, plugin, folder in recipes/configs/, and the parameters that the
/// model has on the hub.
const PUBLISHED: [(&str, &str, &str, u64); 6] = [
    ("bythestream-small", "qwen", "deepseek-r1-distill-qwen-1.5b", 1_777_088_000),
    ("bythestream-standard", "qwen", "deepseek-r1-distill-qwen-1.5b", 1_777_088_000),
    ("deepseek-7b-huanhuan", "llama", "deepseek-llm-7b-chat", 6_910_365_696),
    ("mistral-qa", "mistral", "mistral-7b-v0.1", 7_241_732_096),
    ("mixtral-8x7b-poetry", "mixtral", "mixtral-8x7b-v0.1", 46_702_792_704),
    ("pythia-14m-hr", "pythia", "pythia-14m", 14_067_712),
];

/// Recipes that start from scratch, a size of vocabulary, and the parameters: by hand, from the shapes of the layers.
const SCRATCH: [(&str, u64, u64); 3] = [
    ("mixtral-poetry", 114, 361_240_320),
    ("mixtral-tiny-poetry", 32_000, 30_025_984),
    ("phi3-poetry", 21_128, 46_807_552),
];

fn recipe(name: &str) -> String {
    recipes().join(format!("{name}.toml")).display().to_string()
}

/// `--set` with each of the overrides.
fn set(overrides: &[String]) -> Vec<String> {
    overrides.iter().flat_map(|one| ["--set".to_owned(), one.clone()]).collect()
}

fn check(name: &str, overrides: &[String]) -> Value {
    let setting = Setting::new();
    let mut check = setting.framework();
    let said = said(check.args(["check", &recipe(name), "--format", "json"]).args(set(overrides)));
    let plan: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}", said.err));
    // Whether it fits depends on the machine that runs the tests.
    assert_eq!(said.code, Some(i32::from(plan["fits"] == false)), "{}", said.err);
    plan
}

#[test]
fn every_recipe_is_tested() {
    let known = PUBLISHED.map(|r| r.0).into_iter().chain(SCRATCH.map(|r| r.0)).chain(["quickstart", "quickstart-base"]);
    let files = fs::read_dir(recipes()).unwrap().map(|entry| entry.unwrap().path());
    let found = files.filter(|path| path.extension().is_some_and(|e| e == "toml"));
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    assert_eq!(found.map(stem).collect::<BTreeSet<_>>(), known.map(str::to_owned).collect());
}

#[test]
fn published_models_are_planned_from_their_configurations() {
    for (name, plugin, config, parameters) in PUBLISHED {
        let plan = check(name, &[configured(plugin, config), tokenizer()]);
        let count = |key: &str| plan[key].as_u64().unwrap();
        // What an adapter adds is trained; where there is none, everything is.
        let base = if plan["trained_percent"] == 100.0 { 0 } else { count("trained_parameters") };
        assert_eq!(count("parameters") - base, parameters, "{name}");
    }
}

#[test]
fn models_from_scratch_have_the_sizes_that_are_known() {
    for (name, vocab, parameters) in SCRATCH {
        let vocab =
            [format!("model.config.vocab_size={vocab}"), format!("tokenizer.train.vocab_size={}", vocab.min(300))];
        assert_eq!(check(name, &vocab)["parameters"], parameters, "{name}");
    }
}

/// What a recipe is trained with here: its own data, adapter, optimizer and decoder, but a model of two or three blocks
/// and two steps.
fn small(name: &str, plugin: &str, published: Option<&str>) -> Vec<String> {
    let mut config = json!({
        "vocab_size": 2048, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2,
        "num_hidden_layers": 2, "max_position_embeddings": 2048,
    });
    if plugin != "pythia" {
        config["num_key_value_heads"] = 1.into();
    }
    let set = |config: &mut Value, more: &[(&str, u64)]| more.iter().for_each(|(key, n)| config[*key] = (*n).into());
    match plugin {
        "mixtral" => set(&mut config, &[("num_local_experts", 4), ("num_experts_per_tok", 2)]),
        "phi-3" => set(&mut config, &[("original_max_position_embeddings", 2048)]),
        _ => {}
    }
    let toml: Vec<_> = config.as_object().unwrap().iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let mut overrides = vec![format!("model={{ plugin = {plugin:?}, config = {{ {} }} }}", toml.join(", "))];
    match published {
        Some(_) => overrides.push(tokenizer()),
        None => overrides.push("tokenizer.train.vocab_size=1800".to_owned()),
    }
    if name == "bythestream-small" {
        overrides.push("adapter.layers=\"1\"".to_owned());
    }
    let rest = [
        "train.max_steps=2",
        "train.batch_size=2",
        "train.gradient_accumulation=2",
        "train.save_every=\"end\"",
        "prompt.max_length=256",
        "generate.max_new_tokens=24",
        "output=run",
    ];
    overrides.into_iter().chain(rest.map(str::to_owned)).collect()
}

/// What a model from scratch leaves says to transformers what it is. Set `FRAMEWORK_PYTHON` to a Python with what
/// tests/reference/requirements.txt lists, and transformers loads it and has the same loss on a text.
fn read_by_transformers(setting: &Setting, name: &str, plugin: &str) {
    let config: Value = serde_json::from_str(&setting.read("run/model/config.json")).unwrap();
    let class = if plugin == "phi-3" { "Phi3ForCausalLM" } else { "MixtralForCausalLM" };
    assert_eq!(config["architectures"], json!([class]), "{name}");
    // A default of transformers, 32000 for Phi-3, would be outside of the vocabulary.
    for token in ["pad_token_id", "bos_token_id", "eos_token_id"] {
        let token = config.get(token).unwrap_or_else(|| panic!("{name}: no {token}"));
        assert!(token.is_null() || token.as_u64().unwrap() < config["vocab_size"].as_u64().unwrap(), "{name}");
    }
    let Some(python) = std::env::var_os("FRAMEWORK_PYTHON") else { return };
    setting.write("text.txt", "春天来了，花开了。\n夜晚的城市，有风。\n远方的山，月光下的湖泊。\n");
    let loss = &setting.run(["eval", "--model", "run/model", "--text", "text.txt", "--format", "json"]).json()["loss"];
    let script = recipes().join("../tests/reference/check_text.py");
    let mut check = std::process::Command::new(python);
    check.arg(script).arg("--model").arg(setting.path("run/model")).arg("--text").arg(setting.path("text.txt"));
    println!(
        "{name}: {}",
        said(check.args(["--tolerance", "1e-4", "--expect-loss", &loss.to_string()])).succeeded().out
    );
}

#[test]
fn each_recipe_trains_in_small() {
    let published = PUBLISHED.map(|(name, plugin, config, _)| (name, plugin, Some(config)));
    let scratch = SCRATCH.map(|(name, ..)| (name, if name.starts_with("phi3") { "phi-3" } else { "mixtral" }, None));
    for (name, plugin, config) in published.into_iter().chain(scratch) {
        let setting = Setting::new();
        let mut train = setting.framework();
        let overrides = set(&small(name, plugin, config));
        said(train.args(["train", &recipe(name)]).args(overrides)).succeeded();
        let summary: Value = serde_json::from_str(&setting.read("run/summary.json")).unwrap();
        assert_eq!(summary["steps"], 2, "{name}: {summary}");
        let loss = summary["first_loss"].as_f64().unwrap();
        assert!((loss - f64::ln(2048.0)).abs() < 1.5, "{name}: {loss}, and no word is likelier than another at first");
        let written = if setting.path("run/adapter").is_dir() { "adapter/adapter_model" } else { "model/model" };
        assert!(setting.path(&format!("run/{written}.safetensors")).is_file(), "{name}");
        if config.is_none() {
            read_by_transformers(&setting, name, plugin);
        }
        let prompts = setting.read("run/samples.md").matches("**\n\n").count();
        assert!(prompts >= 2, "{name}: {prompts}");
    }
}

/// One recipe for each kind of adapter: trains, resumes from its own folder, answers, and is exported as far as it can be.
#[test]
fn every_adapter_has_a_recipe_that_works() {
    let setting = Setting::new();
    let mut files: Vec<_> = fs::read_dir(recipes().join("adapters")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let mut plugins = BTreeSet::new();
    for file in &files {
        let (file, name) = (file.display().to_string(), file.file_stem().unwrap().to_str().unwrap().to_owned());
        let run = format!("runs/{name}");
        let output = format!("output={run:?}");
        let few = ["--set", "train.max_steps=2", "--set", "generate.max_new_tokens=4"];
        let trained = setting.run([&["train", &file, "--set", &output][..], &few].concat()).succeeded();
        let adapter = format!("{run}/adapter");
        let config: Value = serde_json::from_str(&setting.read(&format!("{adapter}/adapter_config.json"))).unwrap();
        plugins.insert(config["peft_type"].as_str().unwrap().to_owned());
        let base = recipes().join("quickstart-base").display().to_string();
        let question = "How many vacation days do new employees get?";
        let by_run = setting.run(["generate", &run, question]).succeeded().out;
        let by_folders = ["generate", "--model", &base, "--adapter", &adapter, "--prompt", question];
        let by_folders = setting.run(by_folders).succeeded().out;
        assert_eq!(by_run.split_whitespace().take(2).count(), by_folders.split_whitespace().take(2).count(), "{name}");
        // What was saved is what the next run starts from, with the settings of the folder.
        let start = format!("adapter.init_from={:?}", setting.path(&adapter));
        let check = ["check", &file, "--set", &start, "--set", &output];
        let options =
            ["targets", "feed_forward", "virtual_tokens", "projection", "encoder_hidden_size", "init_lora_weights"];
        let said = setting.run(check);
        assert!(said.code == Some(0) || options.iter().any(|o| said.err.contains(o)), "{name}: {}", said.err);
        let to = format!("merged/{name}");
        let merged = setting.run(["export", &run, "--merge", "--dtype", "f32", "--to", &to]);
        if name.contains("tuning") {
            let told = merged.failed(2);
            assert!(told.contains("virtual tokens") && told.contains("without --merge"), "{told}");
            setting.run(["export", &run, "--to", &format!("adapters/{name}")]).succeeded();
        } else {
            merged.succeeded();
            let text = setting.read("data.csv");
            setting.write("text.txt", &text);
            let loss =
                |args: &[&str]| setting.run([&["eval", "--text", "text.txt", "--format", "json"], args].concat());
            let loss = |args: &[&str]| loss(args).json()["loss"].as_f64().unwrap();
            let (apart, folded) = (loss(&["--model", &base, "--adapter", &adapter]), loss(&["--model", &to]));
            assert!((apart - folded).abs() < 1e-4, "{name}: {apart} and, folded in, {folded}");
        }
        assert!(trained.out.contains("saved"), "{}", trained.out);
    }
    let known = ["IA3", "LORA", "PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING"].map(str::to_owned);
    assert_eq!(plugins, BTreeSet::from(known));
}

/// One recipe for each way of training that has one: it trains, and uses what it is about.
#[test]
fn every_way_of_training_has_a_recipe_that_works() {
    let setting = Setting::new();
    let kept = |name: &str, run: &str| setting.read(&format!("{run}/recipe.toml")).contains(name);
    for (name, key) in [("adafactor", "adafactor"), ("lora-plus", "loraplus_lr_ratio"), ("neftune", "neftune_alpha")] {
        let file = recipes().join(format!("training/{name}.toml")).display().to_string();
        // Three epochs of three steps.
        let few = ["dataset.0.limit=48", "train.epochs=3", "train.log_every=3", "generate.max_new_tokens=4"];
        setting.run([&["train", &file][..], &few.map(|set| ["--set", set]).concat()].concat()).succeeded();
        let run = format!("runs/{name}");
        let losses: Vec<_> = setting.metrics(&run).iter().filter_map(|line| line["loss"].as_f64()).collect();
        assert!(kept(key, &run) && losses.len() == 3 && losses[2] < losses[0], "{name}: {losses:?}");
    }
    let files = fs::read_dir(recipes().join("training")).unwrap();
    assert_eq!(files.count(), 4);
}

/// The sweep of epochs, with few rows: its command is the one that the recipe gives.
#[test]
fn numbers_of_epochs_are_compared() {
    let setting = Setting::new();
    let file = recipes().join("training/epochs.toml").display().to_string();
    let few = ["--set", "dataset.0.limit=10", "--set", "generate.max_new_tokens=4"];
    let args = [&["sweep", &file, "--set", "train.epochs=3,4,6,8", "--format", "json"][..], &few].concat();
    let table = setting.run(args).json();
    let rows = table["rows"].as_array().unwrap();
    let steps: Vec<_> = rows.iter().map(|row| row["steps"].as_u64().unwrap()).collect();
    assert_eq!(steps, [3, 4, 6, 8].map(|epochs| epochs * steps[0] / 3), "{table}");
    assert!(rows.iter().all(|row| row["best"].as_f64() <= row["eval_loss"].as_f64()), "{table}");
    assert!(setting.read("runs/epochs-sweep/curves.svg").contains("run-4: 8"));
}

/// What the recipe of the workbook says to do, in small: numbers of epochs side by side, and their answers beside those of
/// the base model.
#[test]
fn questions_and_answers_end_in_figures_and_a_comparison() {
    let setting = Setting::new();
    let name = "mistral-qa";
    let mut overrides = small(name, "mistral", Some("mistral-7b-v0.1"));
    overrides.retain(|set| !set.starts_with("train.max_steps") && !set.starts_with("output"));
    overrides.extend(["dataset.0.limit=8", "train.epochs=1,2", "train.log_every=1"].map(str::to_owned));
    let mut sweep = setting.framework();
    said(sweep.args(["sweep", &recipe(name)]).args(set(&overrides))).succeeded();
    let folder = "runs/mistral-qa-sweep";
    let results = setting.read(&format!("{folder}/results.svg"));
    assert!(results.contains(">train.epochs</text>") && results.matches("<circle").count() == 2, "{results}");
    assert!(setting.read(&format!("{folder}/report.html")).contains("aria-label=\"Validation loss\""));
    let runs = ["run-1", "run-2"].map(|run| format!("{folder}/{run}"));
    for run in &runs {
        assert!(setting.read(&format!("{run}/samples.md")).contains("**Is there a book club?**"));
        assert_eq!(setting.files(&format!("{run}/tensorboard")).len(), 1, "{run}");
    }
    // Weights that were drawn here are no base to compare with, as the published ones are.
    setting.run(["compare", &runs[0], &runs[1], "--to", "comparison"]).succeeded();
    let comparison = setting.read("comparison/compare.html");
    assert!(comparison.contains(&format!("<h4>{}</h4>", runs[0])), "{comparison}");
    assert!(comparison.contains(&format!("<h4>{}</h4>", runs[1])), "{comparison}");
}
