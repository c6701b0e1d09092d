//! Plugins of others: what is wrong with them is one sentence each, and never a crash.

use crate::{
    plugins::{self, library},
    setting::{Setting, said},
};
use std::{
    env::consts,
    fs,
    path::{Path, PathBuf},
};

/// Runs a command with libraries, and returns what it says on failing with exit code 1.
fn refused(setting: &Setting, args: &[&str], libraries: &[PathBuf]) -> String {
    let mut command = setting.framework();
    command.args(args);
    libraries.iter().for_each(|library| {
        command.arg("--plugin").arg(library);
    });
    let err = said(&mut command).failed(1);
    libraries.iter().fold(setting.redact(&err), |text, library| {
        let folder = library.parent().unwrap();
        let folders = [folder.to_owned(), folder.canonicalize().unwrap_or_default()];
        folders.iter().fold(text, |text, f| text.replace(&format!("{}/", f.display()), ""))
    })
}

#[test]
fn libraries_that_cannot_be_used_are_one_sentence_each() {
    let setting = Setting::new();
    setting.write("libtext.so", "nothing to load");
    let refused = |libraries: &[PathBuf]| {
        let err = refused(&setting, &["train", "recipe.toml"], libraries);
        assert!(!setting.path("runs").exists());
        err
    };
    insta::assert_snapshot!(refused(&[library("wrong-layout")]), @"error: libwrong_layout.so: its plugin interface differs from this program's (mismatched type: expected LogSink, found RString); rebuild it with framework-sdk 0.1.0");
    insta::assert_snapshot!(refused(&[library("wrong-version")]), @"error: libwrong_version.so: it was built with framework-sdk 9.8.7 for plugin interface 999, and this program has interface 2; rebuild it with framework-sdk 0.1.0, or update this program");
    insta::assert_snapshot!(refused(&[library("aborts")]), @r#"error: libaborts.so: it was built with `panic = "abort"`, so that an error in it would end this program; rebuild it with `panic = "unwind"`, the default, in its profile"#);
    insta::assert_snapshot!(refused(&[library("not-a-plugin")]), @"error: libnot_a_plugin.so: it is not a plugin of this framework; a plugin depends on framework-sdk 0.1.0 and is built as a `cdylib`");
    insta::assert_snapshot!(refused(&[library("good"), library("duplicate")]), @"error: optimizer `sign-sgd` is there twice (from libgood.so and from libduplicate.so); leave one out or rename it");
    insta::assert_snapshot!(refused(&[setting.path("libtext.so")]), @"error: libtext.so: it is not a dynamic library; give the file that `cargo build` makes of a `cdylib` crate");
    insta::assert_snapshot!(refused(&[setting.path("libmissing.so")]), @"error: libmissing.so: there is no such file; correct the path or build the library");
    insta::assert_snapshot!(refused(&[library("aborts"), setting.path("libtext.so")]), @r#"
error: 2 problems with plugins:
  libaborts.so: it was built with `panic = "abort"`, so that an error in it would end this program; rebuild it with `panic = "unwind"`, the default, in its profile
  libtext.so: it is not a dynamic library; give the file that `cargo build` makes of a `cdylib` crate
"#);
}

#[test]
fn plugins_that_panic_or_raise_are_one_sentence_each() {
    let setting = Setting::with(&[("[prompt]", "[[augment]]\nplugin = \"panicking-augmenter\"\n\n[prompt]")]);
    let panics = [library("panics")];
    insta::assert_snapshot!(refused(&setting, &["train", "recipe.toml"], &panics), @"error: augmenter `panicking-augmenter` (from libpanics.so): panicked at panics/src/lib.rs:16: nothing can be augmented");
    insta::assert_snapshot!(refused(&setting, &["train", "recipe.toml", "--set", "augment.0.at=4"], &panics), @"error: augmenter `panicking-augmenter` (from libpanics.so): panicked at panics/src/lib.rs:20: record 4 is too much");
    assert!(!setting.path("runs").exists());

    // An error that a plugin raises is told as it is.
    let setting = Setting::with(&[("[prompt]", "[[augment]]\nplugin = \"refusing\"\n\n[prompt]")]);
    let mut train = setting.framework();
    train.args(["train", "recipe.toml", "--plugin"]).arg(library("raises"));
    insta::assert_snapshot!(said(&mut train).failed(1), @"error: augmenter `refusing` (from libraises.so): the field `mood` is missing");

    // An optimizer that asks for what cannot be computed.
    let setting = Setting::with(&[("plugin = \"adamw\"\nlearning_rate = 2e-2", "plugin = \"misshapen\"")]);
    insta::assert_snapshot!(refused(&setting, &["train", "recipe.toml"], &[library("raises")]), @"error: optimizer `misshapen` (from libraises.so): matrix product of [8, 32] and [8, 32]");
    assert!(!setting.path("runs").exists());
}

#[test]
fn plugins_of_others_work_when_they_are_named() {
    let library = library("good").display().to_string();
    let setting = Setting::with(&[
        ("name = \"colours\"", &format!("name = \"colours\"\nplugins = [{library:?}]")),
        ("plugin = \"adamw\"\nlearning_rate = 2e-2", "plugin = \"sign-sgd\""),
        ("[prompt]", "[[augment]]\nplugin = \"shout\"\n\n[prompt]"),
        ("max_steps = 60", "max_steps = 3"),
    ]);
    setting.run(["train", "recipe.toml"]).succeeded();
    assert!(setting.read("runs/colours/lock.toml").contains("origin = \"from "));
    let shown = setting.run(["preview", "recipe.toml", "-n", "1"]).succeeded().out;
    assert!(shown.contains("GREY"), "{shown}");
    let mut list = setting.framework();
    list.args(["list-plugins", "--kind", "optimizer"]).env("FRAMEWORK_PLUGIN_PATH", &library);
    assert!(said(&mut list).succeeded().out.contains("sign-sgd"));
}

/// A library of a later SDK trains here; what this program does not know of it is told once.
#[test]
fn plugins_of_a_later_sdk_work_but_for_what_is_new() {
    let setting = Setting::with(&[("plugin = \"adamw\"\nlearning_rate = 2e-2", "plugin = \"grown-sgd\"")]);
    let train = |set: &str| {
        let mut train = setting.framework();
        train.args(["train", "recipe.toml", "--set", "train.max_steps=3", "--set", set, "--plugin"]);
        said(train.arg(plugins::grown()))
    };
    let trained = train("optimizer.learning_rate=1e-2").succeeded();
    assert!(
        trained.err.contains("grown `unheard-of` is left out: this program (0.1.0) has no such kind"),
        "{trained:?}"
    );
    let insisted = train("optimizer.insist=true").failed(1);
    assert!(
        insisted.contains("optimizer `grown-sgd` (from libgrown.so): ") && insisted.contains("newer SDK"),
        "{insisted}"
    );
}

/// The library that was built and stripped when the interface got its number: see tests/plugins/kept/keep.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn the_library_that_was_kept_runs_in_every_later_version() {
    const KEPT: &[u8] = include_bytes!("../plugins/kept/interface-2-x86_64-linux.so.gz");
    let scratch = "plugin = \"plain\"\nconfig = { vocab_size = 300, hidden_size = 16, num_attention_heads = 2, \
                   num_hidden_layers = 2 }\n\n[tokenizer]\ntrain = { kind = \"byte-level-bpe\", vocab_size = 300 }";
    let setting = Setting::with(&[
        ("name = \"colours\"", "name = \"colours\"\nplugins = [\"libkept.so\"]"),
        ("plugin = \"pythia\"\nweights = \"BASE\"", scratch),
        ("[prompt]", "[[augment]]\nplugin = \"shout\"\n\n[prompt]"),
        ("plugin = \"lora\"\nr = 8\nalpha = 16\ntargets = \"all-linear\"", "plugin = \"full\""),
        ("plugin = \"adamw\"\nlearning_rate = 2e-2", "plugin = \"sign-sgd\"\nlearning_rate = 5e-3"),
        ("max_steps = 60", "max_steps = 40"),
        ("[generate]", "[generate]\nplugin = \"contrary\""),
    ]);
    let mut library = fs::File::create(setting.path("libkept.so")).unwrap();
    std::io::copy(&mut flate2::read::GzDecoder::new(KEPT), &mut library).unwrap();
    drop(library);
    let report = setting.run(["check-plugin", "libkept.so"]).succeeded().out;
    assert!(report.contains("adapter `bitfit`") && !report.contains("FAILED"), "{report}");
    setting.run(["train", "recipe.toml"]).succeeded();
    let summary: serde_json::Value = serde_json::from_str(&setting.read("runs/colours/summary.json")).unwrap();
    let loss = |key: &str| summary[key].as_f64().unwrap();
    assert!(loss("train_loss") < 0.8 * loss("first_loss"), "{summary}");
    let bits = ["train", "recipe.toml", "--set", "adapter={plugin=\"bitfit\"}", "--set", "train.max_steps=2"];
    setting.run(bits).succeeded();
    setting.run(["generate", "--run", "runs/colours", "--prompt", "What"]).succeeded();
}

/// `new-plugin` of every kind writes a crate; one is built and trained with.
#[test]
fn new_plugins_go_from_a_name_to_a_run() {
    let setting = Setting::new();
    for kind in ["dataset", "augmenter", "model", "adapter", "optimizer", "decoder"] {
        let name = format!("my-{kind}");
        let out = setting.run(["new-plugin", kind, &name]).succeeded().out;
        assert!(
            out.contains(&format!("cd ./{name} && cargo test")) || out.contains(&format!("cd {name} && cargo test")),
            "{out}"
        );
        for file in ["Cargo.toml", "README.md", "src/lib.rs"] {
            assert!(setting.read(&format!("{name}/{file}")).contains(&name), "{file} of {kind}");
        }
    }
    let again = setting.run(["new-plugin", "model", "my-model"]);
    insta::assert_snapshot!(setting.redact(&again.failed(2)), @"error: my-model exists; choose another name or remove it first");
    let unknown = setting.run(["new-plugin", "modle", "x"]).failed(2);
    assert!(unknown.contains("modle") && unknown.contains("optimizer"), "{unknown}");

    let folder = setting.path("my-optimizer");
    fs::copy(plugins::repository().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    plugins::run(plugins::cargo(&folder).arg("build"));
    let file = format!("{}my_optimizer{}", consts::DLL_PREFIX, consts::DLL_SUFFIX);
    let built: &Path = &plugins::target().join("debug").join(file);
    said(setting.framework().arg("check-plugin").arg(built)).succeeded();
    let recipe = setting.read("recipe.toml").replace("plugin = \"adamw\"", "plugin = \"my-optimizer\"");
    setting.write("recipe.toml", &recipe.replace("max_steps = 60", "max_steps = 3"));
    said(setting.framework().args(["train", "recipe.toml", "--plugin"]).arg(built)).succeeded();
    assert!(setting.read("runs/colours/lock.toml").contains("my-optimizer"));
}
