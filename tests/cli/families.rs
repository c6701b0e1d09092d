//! The built-in families from dynamic libraries, as a third party's would come: the same numbers to the last bit.

use crate::{
    plugins,
    setting::{Setting, said},
};
use serde_json::Value;
use std::{env::consts, path::PathBuf, sync::LazyLock};

const FAMILIES: [&str; 6] = ["datasets", "augmenters", "models", "adapters", "optimizers", "decoders"];

/// The libraries of the families. Cargo has built them beside the command, which depends on their crates.
pub static LIBRARIES: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_BIN_EXE_framework")).with_file_name("deps");
    let file = |family| format!("{}plugin_{family}{}", consts::DLL_PREFIX, consts::DLL_SUFFIX);
    FAMILIES.map(|family| folder.join(file(family))).to_vec()
});

#[test]
fn loaded_families_train_to_the_same_bits() {
    let setting = Setting::with(&[
        ("targets = \"all-linear\"", "targets = \"all-linear\"\ndropout = 0.1"),
        ("[prompt]", "[[augment]]\nplugin = \"deduplicate\"\n\n[prompt]"),
        ("max_steps = 60", "max_steps = 20"),
        ("log_every = 5", "log_every = 1"),
        ("[generate]\n", "[generate]\nplugin = \"top-p\"\n"),
    ]);
    setting.run(["train", "recipe.toml", "--set", "output=linked"]).succeeded();
    let mut train = setting.framework();
    train.args(["--no-built-in", "train", "recipe.toml", "--set", "output=loaded"]);
    LIBRARIES.iter().for_each(|library| {
        train.arg("--plugin").arg(library);
    });
    said(&mut train).succeeded();

    let losses = |run: &str| setting.metrics(run).iter().map(|m| (m["loss"].clone(), m["grad_norm"].clone())).collect();
    let [linked, loaded]: [Vec<(Value, Value)>; 2] = ["linked", "loaded"].map(losses);
    assert_eq!(linked.len(), 20);
    assert_eq!(linked, loaded);
    for file in ["adapter/adapter_model.safetensors", "adapter/adapter_config.json", "samples.md"] {
        let [linked, loaded] = ["linked", "loaded"].map(|run| setting.bytes(&format!("{run}/{file}")));
        assert!(linked == loaded, "{file} differs");
    }
    let origins = setting.read("loaded/lock.toml");
    assert!(origins.contains("libplugin_models.so") && !origins.contains("built in"), "{origins}");

    // Without the built-in ones there is nothing but what is named.
    let mut list = setting.framework();
    list.args(["--no-built-in", "list-plugins"]).arg("--plugin").arg(&LIBRARIES[0]);
    assert!(said(&mut list).succeeded().out.lines().all(|l| l.starts_with("dataset ") || l.starts_with("backend ")));
}

#[test]
fn families_pass_the_checks_of_libraries() {
    let setting = Setting::new();
    for library in &*LIBRARIES {
        let out = said(setting.framework().arg("check-plugin").arg(library)).succeeded().out;
        assert!(out.contains("  ok ") && !out.contains("FAILED"), "{out}");
    }
    let out = said(setting.framework().arg("check-plugin").arg(plugins::library("raises")));
    assert_eq!(out.code, Some(1));
    assert!(out.out.contains("FAILED"), "{}", out.out);
}
