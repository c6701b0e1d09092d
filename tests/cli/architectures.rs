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
    for command in ["check", "train"] {
        let err = setting.run([command, "recipe.toml", "--set", "model.weights=\"model\""]).failed(2);
        assert!(err.contains("the data have the token `<extra>`"), "{command}: {err}");
    }
}
