//! `framework completions` and `framework man`.

use crate::setting::{Said, Setting, said};
use std::process::Command;

#[test]
fn scripts_name_commands_options_and_plugins() {
    let setting = Setting::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = setting.run(["completions", shell]).succeeded().out;
        let has = |name: &&str| assert!(script.contains(name), "no {name} for {shell}");
        ["list-plugins", "check-plugin", "resume"].iter().for_each(has);
        // The generators of the other two take no values of arguments.
        if ["bash", "zsh", "fish"].contains(&shell) {
            ["instruction-csv", "tokenizer.train", "wgpu"].iter().for_each(has);
        }
    }
    let library = crate::plugins::library("good").display().to_string();
    let script = setting.run(["completions", "fish", "--plugin", &library]).succeeded().out;
    assert!(script.contains("counting"), "{script}");
    let err = setting.run(["completions", "csh"]).failed(2);
    assert!(err.contains("possible values: bash"), "{err}");
}

/// As bash itself completes a line that ends in a word.
fn completed(setting: &Setting, words: &[&str]) -> Said {
    let script = setting.run(["completions", "bash"]).succeeded().out;
    setting.write("framework.bash", &script);
    let line = format!(
        "source framework.bash; COMP_WORDS=({}); COMP_CWORD={}; _framework framework {:?} {:?}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words.len() - 1,
        words[words.len() - 1],
        words[words.len() - 2],
    );
    said(Command::new("bash").args(["--norc", "-c", &line]).current_dir(setting.path(".")))
}

#[test]
fn bash_completes_a_plugin() {
    let setting = Setting::new();
    let plugins = completed(&setting, &["framework", "describe", "adam"]).succeeded().out;
    assert_eq!(plugins, "adamw\nadamw-8bit\n");
    let commands = completed(&setting, &["framework", "tr"]).succeeded().out;
    assert_eq!(commands, "train\n");
    let kinds = completed(&setting, &["framework", "list-plugins", "--kind", "o"]).succeeded().out;
    assert_eq!(kinds, "optimizer\n");
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let setting = Setting::new();
    let page = setting.run(["man"]).succeeded().out;
    assert!(page.contains(".TH framework 1") && page.contains("framework\\-train(1)"), "{page}");
    setting.run(["man", "--to", "man1"]).succeeded();
    let pages = setting.files("man1");
    for name in ["framework.1", "framework-train.1", "framework-tokenizer-train.1", "framework-runs-prune.1"] {
        assert!(pages.iter().any(|page| page == name), "no {name} in {pages:?}");
    }
    let train = setting.read("man1/framework-train.1");
    assert!(train.contains("\\-\\-resume") && train.contains("Train a recipe"), "{train}");
    // Where the next command writes the same again.
    setting.run(["man", "--to", "man1"]).succeeded();
    assert_eq!(setting.files("man1"), pages);
}
