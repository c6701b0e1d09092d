//! What `new-plugin` writes builds outside this repository, and its tests pass at once.

#[path = "../../tests/common/plugins.rs"]
mod plugins;

use framework_core::Kind;
use framework_registry::{
    check::check_library,
    scaffold::{SdkSource, new_plugin},
};
use std::{env::consts, fs};

#[test]
fn a_new_plugin_of_every_kind_passes_its_tests() {
    let folder = tempfile::tempdir().unwrap();
    for kind in Kind::ALL {
        // An awkward name: what the type would be called is taken.
        let name = kind.name();
        let written = new_plugin(kind, name, folder.path(), &SdkSource::detect()).unwrap();
        assert_eq!(written, folder.path().join(name));
        // The versions that this repository is tested with, which are there already.
        fs::copy(plugins::repository().join("Cargo.lock"), written.join("Cargo.lock")).unwrap();
        for command in ["test", "build"] {
            let said = plugins::run(plugins::cargo(&written).arg(command));
            assert!(!said.contains(&format!("warning: `{name}`")), "{said}");
        }
        let file = format!("{}{name}{}", consts::DLL_PREFIX, consts::DLL_SUFFIX);
        let report = check_library(&plugins::target().join("debug").join(file)).unwrap();
        assert!(report.passed() && report.plugins.len() == 1, "{report}");
    }
}

#[test]
fn nothing_is_overwritten_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let sdk = SdkSource::Version("0.1".into());
    let first = new_plugin(Kind::Optimizer, "my-lion", folder.path(), &sdk).unwrap();
    let manifest = fs::read_to_string(first.join("Cargo.toml")).unwrap();
    assert!(manifest.contains("framework-sdk = { version = \"0.1\" }"), "{manifest}");
    fs::write(first.join("src/lib.rs"), "// mine").unwrap();
    let error = new_plugin(Kind::Decoder, "my-lion", folder.path(), &sdk).unwrap_err().to_string();
    assert!(error.ends_with("exists; choose another name or remove it first"), "{error}");
    assert_eq!(fs::read_to_string(first.join("src/lib.rs")).unwrap(), "// mine");
    let error = new_plugin(Kind::Decoder, "../away", folder.path(), &sdk).unwrap_err().to_string();
    assert_eq!(error, "`../away` is not a plugin's name; write it like `my-plugin`");
    let error = new_plugin(Kind::Decoder, "mine", folder.path(), &SdkSource::Path("no/sdk".into())).unwrap_err();
    assert_eq!(error.to_string(), "no/sdk is not the folder of framework-sdk; correct the path");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn no_placeholder_is_left() {
    let folder = tempfile::tempdir().unwrap();
    for kind in Kind::ALL {
        let name = format!("my-{kind}");
        let written = new_plugin(kind, &name, folder.path(), &SdkSource::detect()).unwrap();
        for file in ["Cargo.toml", "README.md", "src/lib.rs"] {
            let text = fs::read_to_string(written.join(file)).unwrap();
            assert!(!text.contains("__") && text.contains(&name), "{file} of {kind}:\n{text}");
        }
    }
}
