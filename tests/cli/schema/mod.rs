//! `framework schema`: a validator takes the recipes that the framework takes, and refuses the mistakes that editors are to
//! show.

mod validator;

use crate::setting::{RECIPE, Setting, recipes};
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn schema(setting: &Setting) -> Value {
    setting.run(["schema"]).json()
}

/// All recipes of a folder and of those in it.
fn shipped(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => shipped(&path, found),
            false if path.extension().is_some_and(|e| e == "toml") => found.push(path),
            false => {}
        }
    }
}

/// Mistakes, each as a change to a sound recipe and the table that a validator complains of.
const MISTAKES: [(&str, &str, &str); 14] = [
    ("seed = 7", "sede = 7", ""),
    ("batch_size = 10", "batchsize = 10", "/train"),
    ("r = 8", "rnak = 8", "/adapter"),
    ("plugin = \"lora\"\nr = 8\nalpha = 16\ntargets = \"all-linear\"", "plugin = \"full\"\nr = 8", "/adapter"),
    ("path = \"data.csv\"", "paht = \"data.csv\"", "/dataset/0"),
    ("[[dataset]]", "[dataset]", "/dataset"),
    ("max_steps = 60", "max_steps = \"sixty\"", "/train/max_steps"),
    ("r = 8", "r = \"8\"", "/adapter/r"),
    ("learning_rate = 2e-2", "learning_rate = true", "/optimizer/learning_rate"),
    ("batch_size = 10", "batch_size = 0", "/train/batch_size"),
    ("save_every = 30", "save_every = \"epcoh\"", "/train/save_every"),
    ("plugin = \"lora\"", "plugin = \"lorra\"", "/adapter/plugin"),
    ("plugin = \"instruction-csv\"", "plugin = \"csv\"", "/dataset/0/plugin"),
    ("plugin = \"pythia\"", "plugin = \"pithia\"", "/model/plugin"),
];

#[test]
fn recipes_are_valid_and_mistakes_are_not() {
    let setting = Setting::new();
    let schema = schema(&setting);
    let errors = |text: &str| {
        let recipe: Value = toml::from_str(text).unwrap();
        validator::errors(&schema, &recipe)
    };
    let mut files = Vec::new();
    shipped(&recipes(), &mut files);
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        assert_eq!(errors(&fs::read_to_string(&file).unwrap()), [], "{}", file.display());
    }
    // What was filled in, without a plugin, and another name of one.
    setting.run(["train", "recipe.toml", "--set", "train.max_steps=1"]).succeeded();
    assert_eq!(errors(&setting.read("runs/colours/recipe.toml")), []);
    assert_eq!(errors("[model]\nweights = \"x\"\n[adapter]\nr = 4\n[generate]\nmax_new_tokens = 1\n"), []);
    assert_eq!(errors("[model]\nplugin = \"gpt_neox\"\nconfig = \"config.json\"\n"), []);
    for (from, to, place) in MISTAKES {
        assert!(RECIPE.contains(from), "{from}");
        let found = errors(&RECIPE.replacen(from, to, 1));
        assert!(found.iter().any(|(at, _)| at == place), "{to}: {found:?}");
    }
    // Options are told apart by the plugin: the message is about the key, and not that none of several tables fits.
    let found = errors(&RECIPE.replacen("r = 8", "rnak = 8", 1));
    assert_eq!(found, [("/adapter".to_owned(), "`rnak` is no key".to_owned())]);
}

/// Set `FRAMEWORK_PYTHON` to a Python with what tests/reference/requirements.txt lists, and its jsonschema says the same.
#[test]
fn another_validator_agrees() {
    let Some(python) = env::var_os("FRAMEWORK_PYTHON") else { return };
    let setting = Setting::new();
    setting.write("recipe.schema.json", &schema(&setting).to_string());
    let mut files = Vec::new();
    shipped(&recipes(), &mut files);
    for (i, (from, to, _)) in MISTAKES.iter().enumerate() {
        let name = format!("mistake-{i}.toml");
        setting.write(&name, &RECIPE.replacen(from, to, 1));
        files.push(setting.path(&name));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/check_schema.py");
    let output =
        Command::new(python).arg(script).arg(setting.path("recipe.schema.json")).args(&files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Vec<Vec<String>> = serde_json::from_slice(&output.stdout).unwrap();
    let (valid, wrong) = found.split_at(found.len() - MISTAKES.len());
    assert!(valid.iter().all(Vec::is_empty), "{valid:?}");
    for ((_, to, place), found) in MISTAKES.iter().zip(wrong) {
        assert!(found.iter().any(|at| at == place), "{to}: {found:?}");
    }
}

#[test]
fn the_plugins_of_libraries_are_part_of_it() {
    let setting = Setting::new();
    let library = crate::plugins::library("good").display().to_string();
    let has = |schema: &Value| {
        let names = &schema["properties"]["dataset"]["items"]["properties"]["plugin"]["enum"];
        names.as_array().unwrap().contains(&"counting".into())
    };
    let without = schema(&setting);
    let with = setting.run(["schema", "--plugin", &library]).json();
    assert_eq!((has(&without), has(&with)), (false, true));
    assert!(with["definitions"]["model.plain"].is_object());
    setting.write("other.toml", &format!("plugins = [{library:?}]\n{RECIPE}"));
    assert_eq!(setting.run(["schema", "other.toml"]).json(), with);
    // A file, for the line `#:schema ./recipe.schema.json`.
    let said = setting.run(["schema", "--to", "recipe.schema.json"]).succeeded();
    assert_eq!(said.out, "wrote recipe.schema.json\n");
    assert_eq!(serde_json::from_str::<Value>(&setting.read("recipe.schema.json")).unwrap(), without);
    assert_eq!(without["$schema"], "http://json-schema.org/draft-07/schema#");
}
