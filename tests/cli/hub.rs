//! Models, tokenizers and adapters named by their ids, from a hub of the tests' own.

use crate::{
    server::{COMMIT, Faults, Server},
    setting::{Said, Setting, base, said},
};
use std::{process::Command, thread, time::Duration};

const ID: &str = "acme/colours-base";

/// A recipe whose weights are on a hub, and the hub.
struct Case {
    setting: Setting,
    hub: Server,
}

impl Case {
    fn new(weights: &str) -> Self {
        let setting = Setting::with(&[("BASE", weights), ("max_steps = 60", "max_steps = 4")]);
        let hub = Server::start();
        hub.publish_folder(ID, base());
        hub.publish(ID, "pytorch_model.bin", "pickle");
        Self { setting, hub }
    }

    fn command(&self) -> Command {
        let mut command = self.setting.framework();
        for name in
            ["HF_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "SSL_CERT_FILE"]
        {
            command.env_remove(name);
        }
        command
            .env("HF_ENDPOINT", &self.hub.endpoint)
            .env("HF_HOME", self.setting.path("hf"))
            .env("NO_PROXY", "127.0.0.1");
        command
    }

    fn run<'a>(&self, args: impl AsRef<[&'a str]>) -> Said {
        said(self.command().args(args.as_ref()))
    }

    fn cached(&self) -> Vec<String> {
        let files = self.setting.files("hf");
        files
            .into_iter()
            .filter(|file| file.contains("/snapshots/"))
            .map(|f| f.rsplit('/').next().unwrap().into())
            .collect()
    }
}

#[test]
fn check_plans_without_the_weights_and_train_brings_them() {
    let case = Case::new(ID);
    let out = case.run(["check", "recipe.toml"]).succeeded().out;
    let weights = std::fs::metadata(base().join("model.safetensors")).unwrap().len();
    let line = format!("\nweights      of {ID}@{COMMIT}, {:.0} KiB, are not downloaded yet", weights as f64 / 1024.0);
    assert!(out.contains(&line), "no {line} in {out}");
    let plan = case.run(["check", "recipe.toml", "--format", "json"]).json();
    assert_eq!(plan["download"]["bytes"], weights);
    assert!(!case.cached().iter().any(|file| file.ends_with(".safetensors")), "{:?}", case.cached());
    assert!(!case.hub.asked().iter().any(|asked| asked.cdn));

    let trained = case.run(["train", "recipe.toml"]).succeeded();
    assert!(
        trained.err.contains(&format!("downloading model.safetensors of {ID}@{COMMIT}, {weights} bytes\n")),
        "{}",
        trained.err
    );
    assert!(!case.cached().iter().any(|file| file.ends_with(".bin") || file == "README.md"));
    let out = case.run(["check", "recipe.toml"]).succeeded().out;
    assert!(!out.contains("not downloaded"), "{out}");

    // The run names what it was made of by the commit, wherever the cache lies.
    let pinned = format!("{ID}@{COMMIT}");
    let recipe = case.setting.read("runs/colours/recipe.toml");
    assert!(recipe.contains(&format!("weights = \"{pinned}\"")) && !recipe.contains("snapshots"), "{recipe}");
    let config: serde_json::Value =
        serde_json::from_str(&case.setting.read("runs/colours/adapter/adapter_config.json")).unwrap();
    assert_eq!((&config["base_model_name_or_path"], &config["revision"]), (&ID.into(), &COMMIT.into()));
    // From the same bytes come the same numbers as from the folder itself.
    let local = Setting::with(&[("max_steps = 60", "max_steps = 4")]);
    local.run(["train", "recipe.toml"]).succeeded();
    assert_eq!(case.setting.metrics("runs/colours")[0]["loss"], local.metrics("runs/colours")[0]["loss"]);

    // The commit cannot change: nobody is asked any more, by whatever uses the run.
    case.hub.asked();
    for args in [
        vec!["generate", "--run", "runs/colours", "--prompt", "What colour is coal?"],
        vec!["export", "runs/colours", "--to", "merged", "--merge"],
        vec!["train", "runs/colours/recipe.toml", "--set", "output=again"],
    ] {
        said(case.command().args(&args)).succeeded();
    }
    assert_eq!(case.hub.asked().len(), 0);
    let resumed = case.run(["train", "recipe.toml", "--resume"]).succeeded();
    assert!(resumed.err.contains("going on from step 4 of 4"), "{}", resumed.err);
}

/// The architecture of an id is found as that of a folder is: in its config.json.
#[test]
fn a_recipe_with_an_id_needs_no_plugin() {
    let case = Case::new(ID);
    let recipe = case.setting.read("recipe.toml");
    let expected = case.run(["check", "recipe.toml", "--format", "json"]).json()["parameters"].clone();
    case.hub.asked();
    case.setting.write("without.toml", &recipe.replacen("plugin = \"pythia\"\n", "", 1));
    let plan = case.run(["check", "without.toml", "--format", "json"]).json();
    assert_eq!(plan["parameters"], expected);
    case.run(["train", "without.toml"]).succeeded();
    assert!(case.setting.read("runs/colours/recipe.toml").contains("plugin = \"pythia\""));
    let other = recipe.replacen("plugin = \"pythia\"", "plugin = \"llama\"", 1);
    case.setting.write("other.toml", &other);
    let err = case.run(["check", "other.toml"]).failed(2);
    assert!(err.contains("`llama` is another architecture than the model's, whose model_type is `gpt_neox`"), "{err}");
    case.setting.write("unknown.toml", &recipe.replacen("plugin = \"pythia\"\n", "", 1).replace(ID, "acme/none"));
    let err = case.run(["check", "unknown.toml"]).failed(2);
    assert!(err.contains("unknown.toml:") && err.contains("`model.weights`") && err.contains("acme/none"), "{err}");
}

#[test]
fn arguments_may_be_ids() {
    let case = Case::new(ID);
    case.run(["train", "recipe.toml"]).succeeded();
    let adapter = case.setting.path("runs/colours/adapter");
    case.hub.publish_folder("acme/colours-lora", &adapter);
    case.setting.write("text.txt", "What colour is snow?\nwhite\n");
    let eval = |args: &[&str]| case.run([&["eval", "--text", "text.txt", "--format", "json"], args].concat()).json();
    let tuned = eval(&["runs/colours"]);
    assert_eq!(eval(&["--model", ID, "--adapter", "acme/colours-lora"]), tuned);
    assert_eq!(eval(&["--model", &format!("hf://{ID}@v1.0"), "--adapter", "runs/colours/adapter"]), tuned);
    assert_ne!(eval(&["--model", ID]), tuned);
    let set =
        ["recipe.toml", "--set", "adapter.init_from=acme/colours-lora", "--set", &format!("tokenizer.path={ID}@main")];
    assert_eq!(eval(&set), tuned);
    let reply = case.run(["generate", "--model", ID, "--prompt", "What", "--raw", "--format", "json"]).json();
    assert!(!reply["token_ids"].as_array().unwrap().is_empty());
}

/// What is there as a folder is that folder; what looks like a misspelled path is not asked for on the hub.
#[test]
fn folders_go_before_ids() {
    let case = Case::new(ID);
    std::fs::create_dir(case.setting.path("acme")).unwrap();
    let err = case.run(["check", "recipe.toml"]).failed(2);
    insta::assert_snapshot!(err, @r"
    error: recipe.toml:6:11: `model.weights`: there is no file or folder acme/colours-base
        paths start from the recipe's folder; the one on the hub is hf://acme/colours-base
    ");
    assert_eq!(case.hub.asked().len(), 0);
    case.run(["check", "recipe.toml", "--set", &format!("model.weights=hf://{ID}")]).succeeded();
    case.hub.asked();
    std::fs::create_dir(case.setting.path(ID)).unwrap();
    for entry in std::fs::read_dir(base()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, case.setting.path(ID).join(path.file_name().unwrap())).unwrap();
    }
    let out = case.run(["check", "recipe.toml"]).succeeded().out;
    assert!(!out.contains("not downloaded") && case.hub.asked().is_empty(), "{out}");
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    let case = Case::new("acme/colors-base");
    let told = |said: String| {
        said.replace(&case.hub.endpoint, "HUB").replace(&case.setting.path("").display().to_string(), "")
    };
    insta::assert_snapshot!(told(case.run(["check", "recipe.toml", "--set", "tokenizer.path=acme/colours-base@v7"]).failed(2)), @r"
    error: --set tokenizer.path=acme/colours-base@v7: `tokenizer.path`: acme/colours-base has no revision `v7`
        its branches, tags and commits are listed at HUB/acme/colours-base/commits/main
    recipe.toml:6:11: `model.weights`: HUB has no model acme/colors-base, or shows it to its owner only
        check the spelling at HUB/acme/colors-base; if it is private, set HF_TOKEN, or `hf auth login`
    ");
    insta::assert_snapshot!(told(case.run(["generate", "--model", "acme/nothing", "--prompt", "x"]).failed(2)), @r"
    error: `--model`: HUB has no model acme/nothing, or shows it to its owner only
        check the spelling at HUB/acme/nothing; if it is private, set HF_TOKEN, or `hf auth login`
    ");
    let offline = said(case.command().env("HF_HUB_OFFLINE", "1").args(["check", "recipe.toml"])).failed(2);
    insta::assert_snapshot!(told(offline), @r"
    error: recipe.toml:6:11: `model.weights`: config.json of acme/colors-base is not in the cache hf/hub, and HF_HUB_OFFLINE is set
        unset HF_HUB_OFFLINE to download it; or `hf download acme/colors-base --local-dir colors-base` elsewhere, and give the folder
    ");
    let err = said(case.command().env("HF_ENDPOINT", "http://127.0.0.1:1").args(["check", "recipe.toml"])).failed(1);
    assert!(err.starts_with("error: acme/colors-base: cannot reach http://127.0.0.1:1: "), "{err}");
}

#[test]
fn tokens_are_neither_shown_nor_saved() {
    let case = Case::new(ID);
    case.hub.protect(ID, "hf_verysecret", false);
    let err = case.run(["train", "recipe.toml"]).failed(2);
    assert!(err.contains("is gated") && err.contains("set HF_TOKEN"), "{err}");
    let said = said(case.command().env("HF_TOKEN", "hf_verysecret").args(["-vv", "train", "recipe.toml"])).succeeded();
    assert!(!said.err.contains("hf_verysecret") && !said.out.contains("hf_verysecret"));
    for file in case.setting.files(".") {
        let bytes = case.setting.bytes(&file);
        assert!(!bytes.windows(13).any(|window| window == b"hf_verysecret"), "{file}");
    }
}

#[test]
fn killed_downloads_go_on_and_runs_at_once_share() {
    let case = Case::new(ID);
    case.hub.faults(Faults { slow: Duration::from_millis(100), ..Faults::default() });
    let mut first = case.command().args(["train", "recipe.toml"]).spawn().unwrap();
    let partial = || case.setting.files(".").into_iter().find(|file| file.ends_with(".incomplete"));
    let started = std::time::Instant::now();
    // A small file may have its name by the time its size is asked for.
    let size = |file: String| std::fs::metadata(case.setting.path(&file)).map_or(0, |about| about.len());
    while partial().map_or(0, size) < 20_000 {
        assert!(started.elapsed() < Duration::from_secs(120), "nothing is downloaded");
        thread::sleep(Duration::from_millis(20));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    case.hub.faults(Faults { slow: Duration::from_millis(2), ..Faults::default() });
    case.hub.asked();
    let both = thread::scope(|scope| {
        let run = |output: &'static str| case.run(["train", "recipe.toml", "--set", output]);
        [scope.spawn(move || run("output=a")), scope.spawn(move || run("output=b"))]
            .map(|run| run.join().unwrap().succeeded())
    });
    let ranges: Vec<_> = case.hub.asked().into_iter().filter(|a| a.cdn).map(|a| a.range).collect();
    assert!(matches!(&ranges[..], [Some(range)] if range != "bytes=0-"), "{ranges:?}");
    assert!(both.iter().any(|said| said.err.contains(", going on at byte ")), "{both:?}");
    assert_eq!(partial(), None);
}

/// The architecture comes from the id's config.json, and no weights are downloaded for it.
#[test]
fn a_recipe_is_begun_from_an_id() {
    let case = Case::new(ID);
    let written = case.run(["init", "--data", "data.csv", "--model", ID, "mine.toml"]).succeeded();
    assert_eq!(written.out, "wrote mine.toml\nnext: framework check mine.toml\n");
    let recipe = case.setting.read("mine.toml");
    assert!(recipe.contains(&format!("plugin = \"pythia\"\nweights = \"{ID}\"\n")), "{recipe}");
    assert!(
        case.cached().contains(&"config.json".to_owned()) && !case.cached().contains(&"model.safetensors".to_owned())
    );
    let short = ["check", "mine.toml", "--set", "prompt.max_length=120", "--set", "validation.fraction=0"];
    case.run(short).succeeded();
}
