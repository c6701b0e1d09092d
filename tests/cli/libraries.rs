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
    insta::assert_snapshot!(refused(&[library("wrong-layout")]), @"error: libwrong_layout.so: it was built with framework-sdk 0.1.0, whose plugin interface differs from that of this program's 0.1.0 (mismatched type: expected LogSink, found RString); rebuild it with framework-sdk 0.1.0");
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

/// The command that goes on with a run names the libraries that the first one did.
#[test]
fn remedies_name_the_libraries() {
    let library = library("good").display().to_string();
    let setting = Setting::with(&[
        ("learning_rate = 2e-2", "learning_rate = 1e38\nweight_decay = 0.0"),
        ("save_every = 30", "save_every = 1\nmax_grad_norm = 0.0"),
    ]);
    let err = setting.run(["train", "recipe.toml", "--plugin", &library]).failed(1);
    assert!(err.contains(&format!("=1e37 --plugin {library}\n")), "{err}");
}

/// A library that is pinned is opened only if it is the file that was meant, and a run goes on only with its own.
#[test]
fn libraries_can_be_pinned_by_their_hash() {
    let setting = Setting::with(&[
        ("name = \"colours\"", "name = \"colours\"\nplugins = [{ path = \"libgood.so\", sha256 = \"HASH\" }]"),
        ("plugin = \"adamw\"\nlearning_rate = 2e-2", "plugin = \"sign-sgd\""),
        ("max_steps = 60", "max_steps = 3"),
    ]);
    fs::copy(library("good"), setting.path("libgood.so")).unwrap();
    let listed = setting.run(["list-plugins", "--plugin", "libgood.so", "--format", "json"]).json();
    let of = |name: &str| listed["plugins"].as_array().unwrap().iter().find(|p| p["name"] == name).unwrap().clone();
    assert!(of("adamw")["sha256"].is_null());
    let hash = of("sign-sgd")["sha256"].as_str().unwrap().to_owned();
    assert_eq!(hash, sha256(&setting.bytes("libgood.so")));
    let text = setting.run(["list-plugins", "--plugin", "libgood.so"]).succeeded().out;
    assert!(text.contains(&format!("libgood.so, sha256 {hash}]")), "{text}");

    let recipe = setting.read("recipe.toml");
    let train = |hash: &str, more: &[&str]| {
        setting.write("recipe.toml", &recipe.replace("HASH", hash));
        setting.run([&["train", "recipe.toml"], more].concat())
    };
    let short = train("9f86d0", &[]).failed(2);
    assert!(short.contains("`plugins.0.sha256`: expected 64 hexadecimal digits, found"), "{short}");
    let other = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let refused = train(other, &[]).failed(1);
    let expected =
        format!("libgood.so: its SHA-256 is {hash}, and `plugins` says {other}; it was not opened. If it was");
    assert!(refused.contains(&expected), "{refused}");
    assert!(!setting.path("runs").exists());
    train(&hash.to_uppercase(), &[]).succeeded();
    let lock = setting.read("runs/colours/lock.toml");
    assert!(lock.contains(&format!("sha256 = \"{hash}\"")), "{lock}");

    // The same plugins in another file: a library may be followed by anything.
    let plain = recipe.replace("{ path = \"libgood.so\", sha256 = \"HASH\" }", "\"libgood.so\"");
    setting.write("plain.toml", &plain.replace("name = \"colours\"", "name = \"plain\""));
    setting.run(["train", "plain.toml"]).succeeded();
    let longer = [setting.bytes("libgood.so"), b"more".to_vec()].concat();
    fs::write(setting.path("libgood.so"), &longer).unwrap();
    let run = setting.run(["generate", "--run", "runs/colours", "--prompt", "What"]).failed(1);
    assert!(run.contains("it was not opened"), "{run}");
    let more = ["--resume", "--set", "train.max_steps=4"];
    let err = train(&sha256(&longer), &more).failed(2);
    assert!(err.contains("`plugins.0.sha256`: is"), "{err}");
    let err = setting.run([&["train", "plain.toml"], &more[..]].concat());
    assert_eq!(err.code, Some(1), "{}", err.err);
    assert!(err.err.contains("were made with other data, weights or plugins"), "{}", err.err);
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of a library that is not the one that is pinned, no code runs: one that would end the program does not.
#[test]
fn nothing_of_another_library_than_the_pinned_one_runs() {
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let pinned = format!("name = \"colours\"\nplugins = [{{ path = \"libnone.so\", sha256 = \"{hash}\" }}]");
    let setting = Setting::with(&[("name = \"colours\"", &pinned)]);
    setting.write("libnone.so", "no library at all");
    let err = setting.run(["check", "recipe.toml"]).failed(1);
    assert!(err.contains("its SHA-256 is") && !err.contains("dynamic library"), "{err}");
}

/// Plugins that never end, want more than there is, or give what is no text.
#[test]
fn hostile_plugins_are_one_sentence_each() {
    let hostile = [library("hostile")];
    let setting = Setting::new();
    let mut check = setting.framework();
    let report = said(check.args(["check-plugin", "--time-limit", "5"]).arg(&hostile[0]));
    assert_eq!(report.code, Some(1), "{}", report.err);
    let line = |beginning: &str, plugin: &str| {
        let of = report.out.split(plugin).nth(1).unwrap_or_else(|| panic!("{plugin}: {}", report.out));
        let line = of.lines().find(|line| line.contains(beginning));
        line.unwrap_or_else(|| panic!("{beginning}: {}", report.out)).trim().to_owned()
    };
    insta::assert_snapshot!(line("time", "`waiting-data`"), @"FAILED  time: it has not come to an end in 5 s: it waits, or computes without end; `--time-limit` gives it longer");
    insta::assert_snapshot!(line("read", "`endless-data`"), @"ok      read");
    insta::assert_snapshot!(line("update", "`greedy-optimizer`"), @"FAILED  update: Full { shape: [1073741824, 1073741824], value: 0.0, dtype: f32 } of [4, 3] would have the shape [1073741824, 1073741824], which fits into no memory");

    insta::assert_snapshot!(line("augment", "`garbled`"), @"FAILED  augment: what it gives is not UTF-8, at byte 69");

    // A run takes as many of endless records as it is told.
    let endless = "plugin = \"endless-data\"\nlimit = 20\n\n[prompt]";
    let setting = Setting::with(&[
        ("plugin = \"instruction-csv\"\npath = \"data.csv\"\n\n[prompt]", endless),
        ("max_steps = 60", "max_steps = 2"),
    ]);
    said(setting.framework().args(["train", "recipe.toml", "--plugin"]).arg(&hostile[0])).succeeded();

    let setting = Setting::with(&[("plugin = \"adamw\"\nlearning_rate = 2e-2", "plugin = \"greedy-optimizer\"")]);
    insta::assert_snapshot!(refused(&setting, &["train", "recipe.toml"], &hostile), @"error: optimizer `greedy-optimizer` (from libhostile.so): Full { shape: [1073741824, 1073741824], value: 0.0, dtype: f32 } of [8, 32] would have the shape [1073741824, 1073741824], which fits into no memory");
    // What shapes without data do not show, the executor refuses.
    let later = refused(&setting, &["train", "recipe.toml", "--set", "optimizer.later=true"], &hostile);
    assert!(later.contains("would take 4294967296 GiB, more than this machine has"), "{later}");

    let setting = Setting::with(&[("[prompt]", "[[augment]]\nplugin = \"garbled\"\n\n[prompt]")]);
    insta::assert_snapshot!(refused(&setting, &["train", "recipe.toml"], &hostile), @r"
error: augmenter `garbled` (from libhostile.so): what it gives is not UTF-8, at byte 76
    do not make strings with `from_utf8_unchecked`
");
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
