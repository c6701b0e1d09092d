//! `train --locked`: refuses whatever has changed since an earlier run, and says what.

use crate::setting::{Setting, copied_base};
use std::fs;

#[test]
fn what_has_changed_is_refused_by_name() {
    let setting = Setting::with(&[("max_steps = 60", "max_steps = 2"), ("weights = \"BASE\"", "weights = \"model\"")]);
    copied_base(&setting);
    let train = |more: &[&str]| setting.run([&["train", "recipe.toml"], more].concat());
    insta::assert_snapshot!(train(&["--locked"]).failed(2), @r"
error: `--locked`: there is no lock of an earlier run: no file runs/colours/lock.toml
    Train once without --locked, or give the lock of another run: --locked=FILE
");
    train(&[]).succeeded();
    let lock = setting.read("runs/colours/lock.toml");
    train(&["--locked"]).succeeded();
    assert_eq!(setting.read("runs/colours/lock.toml"), lock);
    assert!(setting.path("runs/colours.1").is_dir());

    // Data, weights and the tokenizer; everything at once, and before anything is trained.
    setting.write("data.csv", &setting.read("data.csv").replace("grey", "gray"));
    let mut weights = setting.bytes("model/model.safetensors");
    *weights.last_mut().unwrap() ^= 1;
    fs::write(setting.path("model/model.safetensors"), weights).unwrap();
    let hashes = without_hashes(&train(&["--locked"]).failed(2));
    insta::assert_snapshot!(hashes, @r"
error: recipe.toml:6:11: `model.weights`: model.safetensors is HASH… in the lock, and now HASH…
    Put it back, or train without --locked, which writes a new lock.
recipe.toml:10:8: `dataset.0.path`: data.csv is HASH… in the lock, and now HASH…
    Put it back, or train without --locked, which writes a new lock.
");
    assert!(!setting.path("runs/colours.2").exists());
    train(&["--locked=runs/colours/lock.toml", "--set", "output=other"]).failed(2);
    assert!(!setting.path("other").exists());
}

#[test]
fn template_and_tokenizer_are_locked() {
    let setting = Setting::with(&[("max_steps = 60", "max_steps = 2"), ("weights = \"BASE\"", "weights = \"model\"")]);
    copied_base(&setting);
    let train = |more: &[&str]| setting.run([&["train", "recipe.toml"], more].concat());
    train(&[]).succeeded();
    let err = train(&["--locked", "--set", "prompt.template=\"deepseek\""]).failed(2);
    let err: String = err.split_inclusive('\n').filter(|line| !line.starts_with(" WARN")).collect();
    insta::assert_snapshot!(without_hashes(&err), @r#"
error: --set prompt.template="deepseek": `prompt.template`: the template is HASH… in the lock, and now HASH…
    Put it back, or train without --locked, which writes a new lock.
the hash of the training tokens is HASH… in the lock, and now HASH…
    Put it back, or train without --locked, which writes a new lock.
"#);
    let config = setting.read("model/tokenizer_config.json");
    setting.write("model/tokenizer_config.json", &format!("{config}\n"));
    let err = train(&["--locked"]).failed(2);
    assert!(err.contains("the tokenizer's tokenizer_config.json is "), "{err}");
    // A resume says what has changed, too.
    let err = train(&["--resume", "--set", "train.max_steps=3"]).err;
    assert!(
        err.contains("were made with other data, weights or plugins") && err.contains("tokenizer_config.json is "),
        "{err}"
    );
}

/// Without the digits of hashes.
fn without_hashes(text: &str) -> String {
    let hash = |word: &str| word.len() >= 16 && word.chars().take(16).all(|c| c.is_ascii_hexdigit());
    let word = |word: &str| if hash(word) { word.replacen(&word[..16], "HASH", 1) } else { word.to_owned() };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
