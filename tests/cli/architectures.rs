//! Which architecture a recipe's model has.

use crate::setting::{Setting, copied_base};

#[test]
fn the_architecture_comes_from_the_folder_or_by_transformers_name() {
    let setting = Setting::new();
    let recipe = setting.read("recipe.toml");
    let filled = |edited: String| {
        setting.write("other.toml", &edited);
        setting.run(["check", "other.toml", "--format", "json"])
    };
    let expected = setting.run(["check", "recipe.toml", "--format", "json"]).succeeded().json()["parameters"].clone();
    for other in ["", "plugin = \"gpt_neox\""] {
        let said = filled(recipe.replacen("plugin = \"pythia\"", other, 1)).succeeded();
        assert_eq!(said.json()["parameters"], expected, "{other}");
    }
    let err = filled(recipe.replacen("plugin = \"pythia\"", "plugin = \"llama\"", 1)).failed(2);
    let said = "`model.plugin`: `llama` is another architecture than the model's, whose model_type is `gpt_neox`";
    assert!(err.contains(said) && err.contains("plugin = \"pythia\", or leave the key out"), "{err}");
}

#[test]
fn keys_that_a_plugin_does_not_know_are_refused_named_and_left_out() {
    let setting = Setting::new();
    copied_base(&setting);
    let config = setting.read("model/config.json");
    let with = |keys: &str| {
        let config = format!("\u{feff}{}", config.replacen('{', &format!("{{{keys},"), 1));
        setting.write("model/config.json", &config);
        setting.run(["check", "recipe.toml", "--set", "model.weights=\"model\""])
    };
    let said = with("\"num_steps\": 3, \"sliding_window\": null, \"_flash_attn_2_enabled\": true").succeeded();
    assert!(said.err.contains("config.json: these keys are not used: num_steps"), "{}", said.err);
    let err = with("\"logit_scale\": 0.5").failed(2);
    assert!(
        err.contains("config.json: ") && err.contains("`logit_scale`: it may change what the model computes"),
        "{err}"
    );
    let remedy = "--set 'model.ignore_keys=[\"logit_scale\"]'";
    assert!(err.contains(remedy), "{err}");
    let set = ["--set", "model.weights=\"model\"", "--set", "model.ignore_keys=[\"logit_scale\"]"];
    setting.run([&["check", "recipe.toml"], &set[..]].concat()).succeeded();
    // Of several, the remedy names all: it is followed as it is printed.
    let err = with("\"logit_scale\": 0.5, \"use_qk_norm\": true, \"num_steps\": 3").failed(2);
    assert!(err.contains("`logit_scale`, `use_qk_norm`: they may change what the model computes"), "{err}");
    let remedy = err.split_once("--set '").unwrap().1.split_once('\'').unwrap().0;
    setting.run(["check", "recipe.toml", "--set", "model.weights=\"model\"", "--set", remedy]).succeeded();
}

/// One plugin reads Qwen 2 and 3; without a `model_type` in the settings, its default is Qwen 2.
#[test]
fn a_name_of_transformers_says_which_architecture_of_a_plugin_is_meant() {
    let setting = Setting::new();
    for (plugin, class, normed) in
        [("qwen3", "Qwen3ForCausalLM", true), ("Qwen2ForCausalLM", "Qwen2ForCausalLM", false)]
    {
        let recipe = format!(
            "output = {plugin:?}\n[model]\nplugin = {plugin:?}\n[model.config]\nvocab_size = 300\nhidden_size = 16\n\
             num_hidden_layers = 1\nnum_attention_heads = 2\nnum_key_value_heads = 1\nhead_dim = 8\n\
             intermediate_size = 24\n[tokenizer.train]\nkind = \"byte-level-bpe\"\nvocab_size = 300\n\
             [adapter]\nplugin = \"full\"\n[prompt]\ntemplate = \"plain\"\n\
             [[dataset]]\nplugin = \"instruction-csv\"\npath = \"data.csv\"\n[train]\nmax_steps = 1\n"
        );
        setting.write("other.toml", &recipe);
        setting.run(["train", "other.toml"]).succeeded();
        assert!(setting.read(&format!("{plugin}/model/config.json")).contains(class), "{plugin}");
        let weights = std::fs::read(setting.path(&format!("{plugin}/model/model.safetensors"))).unwrap();
        let header = String::from_utf8_lossy(&weights);
        assert_eq!(header.contains("self_attn.q_norm.weight"), normed, "{plugin}");
    }
}

#[test]
fn a_misspelled_setting_of_a_model_gets_a_hint() {
    let setting = Setting::new();
    let recipe = "[model]\nplugin = \"llama\"\n[model.config]\nhidden_sizes = 16\nvocab_size = 9\nhidden_size = 8\n\
        num_hidden_layers = 1\nnum_attention_heads = 1\nintermediate_size = 8\n[tokenizer]\npath = \"data.csv\"\n";
    setting.write("other.toml", recipe);
    let err = setting.run(["check", "other.toml"]).failed(2);
    let said = "other.toml:4:1: `model.config.hidden_sizes`: unknown key\n    did you mean `hidden_size`?";
    assert!(err.contains(said), "{err}");
}

/// What was trained in spite of an unknown key is of use without it.
#[test]
fn a_run_without_a_key_speaks() {
    let setting = Setting::new();
    copied_base(&setting);
    let config = setting.read("model/config.json").replacen('{', "{\"logit_scale\": 0.5,", 1);
    setting.write("model/config.json", &config);
    let full = "output = \"run\"\n[model]\nplugin = \"pythia\"\nweights = \"model\"\nignore_keys = [\"logit_scale\"]\n\
        [adapter]\nplugin = \"full\"\n[prompt]\ntemplate = \"plain\"\n\
        [[dataset]]\nplugin = \"instruction-csv\"\npath = \"data.csv\"\n[train]\nmax_steps = 1\n";
    setting.write("full.toml", full);
    setting.run(["train", "full.toml"]).succeeded();
    setting.run(["generate", "--run", "run", "--prompt", "grey", "--set", "max_new_tokens=2"]).succeeded();
    assert!(!setting.read("run/model/config.json").contains("logit_scale"));
    // The same configuration from scratch, with what editors on Windows put first.
    setting.write("scratch.json", &format!("\u{feff}{config}"));
    let scratch = full.replace("weights = \"model\"", "config = \"scratch.json\"") + "[tokenizer]\npath = \"model\"\n";
    setting.write("scratch.toml", &scratch);
    setting.run(["check", "scratch.toml"]).succeeded();
}

/// A tokenizer with one token more than the model has embeddings for.
#[test]
fn only_tokens_that_occur_have_to_be_known_to_the_model() {
    let setting = Setting::new();
    copied_base(&setting);
    let mut tokenizer: serde_json::Value = serde_json::from_str(&setting.read("model/tokenizer.json")).unwrap();
    let more = serde_json::json!({
        "id": 100_000, "content": "<extra>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true,
    });
    tokenizer["added_tokens"].as_array_mut().unwrap().push(more);
    setting.write("model/tokenizer.json", &tokenizer.to_string());
    setting.run(["check", "recipe.toml", "--set", "model.weights=\"model\""]).succeeded();
    for (text, known) in [("grey as coal", true), ("grey <extra> coal", false)] {
        setting.write("text.txt", text);
        let said = setting.run(["eval", "--model", "model", "--text", "text.txt"]);
        if known {
            said.succeeded();
        } else {
            let err = said.failed(2);
            assert!(err.contains("the data have the token `<extra>` (number ") && err.contains("vocabulary"), "{err}");
        }
    }
    let data = setting.read("data.csv").replacen("grey", "<extra>", 1);
    setting.write("data.csv", &data);
    let weights = "model.weights=\"model\"";
    let err = setting.run(["prepare", "recipe.toml", "--as", "tokens", "--to", "t.jsonl", "--set", weights]).failed(2);
    assert!(err.contains("the data have the token `<extra>`"), "{err}");
    assert!(!setting.path("t.jsonl").exists());
    for command in ["check", "train"] {
        let err = setting.run([command, "recipe.toml", "--set", "model.weights=\"model\""]).failed(2);
        assert!(err.contains("the data have the token `<extra>`"), "{command}: {err}");
    }
}
