//! The token cache: a second run starts from the tokens of the first, and only if nothing has changed.

use crate::setting::{Said, Setting, base};
use std::{fs, path::PathBuf};

const SHORT: [&str; 6] =
    ["--set", "train.max_steps=4", "--set", "train.save_every=\"end\"", "--set", "generate.prompts=[]"];

struct Cached(Setting);

impl Cached {
    fn new() -> Self {
        Self(Setting::new())
    }

    fn run(&self, args: &[&str]) -> Said {
        let mut command = self.0.framework();
        command.env("FRAMEWORK_TOKEN_CACHE", self.0.path("cache")).arg("-v").args(args);
        crate::setting::said(&mut command).succeeded()
    }

    fn entries(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> =
            fs::read_dir(self.0.path("cache")).into_iter().flatten().map(|e| e.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Whether `check` found its tokens in the cache.
    fn hits(&self, set: &[&str]) -> bool {
        let set = set.iter().flat_map(|set| ["--set", set]);
        let args: Vec<_> = ["check", "recipe.toml"].into_iter().chain(set).collect();
        self.run(&args).err.contains("come from the token cache")
    }
}

#[test]
fn the_second_run_trains_on_the_same_tokens() {
    let cached = Cached::new();
    let train = |output: &str, args: &[&str]| {
        let output = format!("output=\"{output}\"");
        let said = cached.run(&[&["train", "recipe.toml", "--set", &output], &SHORT[..], args].concat());
        said.err.contains("come from the token cache")
    };
    let split = ["--set", "validation.fraction=0.2"];
    assert!(!train("cold", &split) && train("warm", &split));
    assert!(!train("without", &[&split[..], &["--set", "data.cache=false"]].concat()));
    assert_eq!(cached.entries().len(), 1);
    let [cold, warm, without] =
        ["cold", "warm", "without"].map(|run| cached.0.bytes(&format!("{run}/adapter/adapter_model.safetensors")));
    assert!(cold == warm && cold == without, "the same adapter, to the last bit");
    let report = |args: &[&str]| {
        let mut report = cached.run(&[&["check", "recipe.toml", "--format", "json"], args].concat()).json();
        // What is measured is another each time.
        for key in ["seconds", "flops_per_second", "free_memory"] {
            report.as_object_mut().unwrap().remove(key);
        }
        report["memory"].as_object_mut().unwrap().remove("program");
        report
    };
    assert_eq!(report(&split), report(&[&split[..], &["--set", "data.cache=false"]].concat()), "and the same report");
}

#[test]
fn whatever_changes_the_tokens_misses() {
    let cached = Cached::new();
    assert!(!cached.hits(&[]) && cached.hits(&[]));
    assert!(cached.hits(&["train.batch_size=3"]), "what does not change them hits");
    for set in [
        "prompt.max_length=32",
        "prompt.template=\"zephyr\"",
        "prompt.train_on_prompt=true",
        "seed=8",
        "validation.fraction=0.3",
        "dataset.0.limit=9",
    ] {
        assert!(!cached.hits(&[set]) && cached.hits(&[set]), "{set}");
    }
    // A tokenizer that differs in nothing but its chat template.
    let tokenizer = cached.0.path("tokenizer");
    fs::create_dir(&tokenizer).unwrap();
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        fs::copy(base().join(file), tokenizer.join(file)).unwrap();
    }
    let other = format!("tokenizer.path={:?}", tokenizer.display().to_string());
    let _ = cached.hits(&[&other]);
    assert!(cached.hits(&[&other]));
    fs::write(tokenizer.join("chat_template.jinja"), "{{ messages[0].content }}").unwrap();
    assert!(!cached.hits(&[&other]));
    // A row.
    assert!(cached.hits(&[]));
    let data = cached.0.read("data.csv");
    cached.0.write("data.csv", &data.replacen("grey", "pale", 1));
    assert!(!cached.hits(&[]));
    cached.0.write("data.csv", &data);
    assert!(cached.hits(&[]), "by content, not by date");
}

#[test]
fn a_damaged_entry_is_made_anew() {
    let cached = Cached::new();
    assert!(!cached.hits(&[]));
    let [entry] = &cached.entries()[..] else { panic!("{:?}", cached.entries()) };
    let good = fs::read(entry).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    for bad in [bad, good[..good.len() - 40].to_vec(), Vec::new()] {
        fs::write(entry, bad).unwrap();
        let said = cached.run(&["check", "recipe.toml"]);
        assert!(said.err.contains("is damaged"), "{}", said.err);
        assert_eq!(fs::read(entry).unwrap(), good);
    }
    assert!(cached.hits(&[]));
}

#[test]
fn what_is_not_known_to_depend_on_files_alone_is_not_kept() {
    let cached = Cached::new();
    // A template that tells the day.
    let template = "prompt.template=\"{{ strftime_now('%Y') }}{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}\"";
    assert!(!cached.hits(&[template]) && !cached.hits(&[template]));
    assert_eq!(cached.entries().len(), 0);
    // No folder for it.
    let mut command = cached.0.framework();
    let said = crate::setting::said(
        command.env("FRAMEWORK_TOKEN_CACHE", cached.0.path("data.csv")).args(["check", "recipe.toml"]),
    );
    assert!(said.succeeded().err.contains("the token cache was not written"));
}
