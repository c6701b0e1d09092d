//! Every way in which a library can be wrong is one sentence that names the library and the remedy.

#[path = "../../tests/common/plugins.rs"]
mod plugins;

use framework_core::Kind;
use framework_registry::{Origin, Registry, Sources};
use good as _; // so that its plugins are linked in
use plugins::library;
use std::{env, fs, path::PathBuf};

/// Why this library is refused, without its path.
fn refusal(path: PathBuf) -> String {
    let error = Registry::from_libraries(std::slice::from_ref(&path)).unwrap_err().to_string();
    let path = path.canonicalize().unwrap_or(path);
    error.strip_prefix(&format!("{}: ", path.display())).unwrap_or_else(|| panic!("no path in {error}")).to_owned()
}

#[test]
fn a_library_of_another_version_is_refused() {
    assert_eq!(
        refusal(library("wrong-version")),
        "it was built with framework-sdk 9.8.7 for plugin interface 999, and this program has interface 2; rebuild it \
         with framework-sdk 0.1.0, or update this program"
    );
}

#[test]
fn a_library_that_aborts_on_panics_is_refused() {
    assert_eq!(
        refusal(library("aborts")),
        "it was built with `panic = \"abort\"`, so that an error in it would end this program; rebuild it with `panic \
         = \"unwind\"`, the default, in its profile"
    );
}

#[test]
fn a_library_with_other_types_is_refused_in_one_line() {
    assert_eq!(
        refusal(library("wrong-layout")),
        "it was built with framework-sdk 0.1.0, whose plugin interface differs from that of this program's 0.1.0 (mismatched type: expected LogSink, found RString); rebuild \
         it with framework-sdk 0.1.0"
    );
}

#[test]
fn a_library_that_registers_nothing_is_refused() {
    assert_eq!(refusal(library("empty")), "it registers no plugin; add a `register!` line and rebuild it");
}

/// The system would end the program when it touches what is missing.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn a_library_that_is_cut_off_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(library("good")).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    for length in [64, 200, whole.len() / 10, whole.len() / 2] {
        let cut = refusal(file("libcut.so", &whole[..length]));
        assert!(cut.starts_with("it is cut off: ") && cut.ends_with("build or copy it again"), "{length}: {cut}");
    }
}

#[test]
fn other_libraries_and_other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    assert_eq!(
        refusal(library("wrong-magic")),
        "it is not a plugin of this framework; a plugin depends on framework-sdk 0.1.0 and is built as a `cdylib`"
    );
    assert_eq!(
        refusal(library("not-a-plugin")),
        "it is not a plugin of this framework; a plugin depends on framework-sdk 0.1.0 and is built as a `cdylib`"
    );
    assert_eq!(
        refusal(file("libtext.so", b"nothing to load")),
        "it is not a dynamic library; give the file that `cargo build` makes of a `cdylib` crate"
    );
    assert_eq!(
        refusal(folder.path().join("libmissing.so")),
        "there is no such file; correct the path or build the library"
    );
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn libraries_for_other_machines_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libother.so");
    let mut bytes = fs::read(library("not-a-plugin")).unwrap();
    bytes[18] = 183; // the ELF header's machine
    fs::write(&path, &bytes).unwrap();
    assert_eq!(
        refusal(path),
        "it was built for Linux or Unix on aarch64, and this program runs on Linux or Unix on x86_64; rebuild it for \
         this machine"
    );
}

#[test]
fn all_problems_are_reported_at_once() {
    let wrong = ["wrong-version", "aborts", "not-a-plugin"].map(library);
    let error = Registry::from_libraries(&wrong).unwrap_err();
    assert_eq!(error.problems.len(), 3);
    assert!(error.to_string().starts_with("3 problems with plugins:\n  "), "{error}");
}

#[test]
fn a_name_that_is_there_twice_names_both_origins() {
    let (good, duplicate) = (library("good"), library("duplicate"));
    let text = |path: &PathBuf| path.canonicalize().unwrap().display().to_string();
    let error = Registry::from_libraries(&[good.clone(), duplicate.clone()]).unwrap_err().to_string();
    let (first, second) = (text(&good), text(&duplicate));
    assert_eq!(
        error,
        format!("optimizer `sign-sgd` is there twice (from {first} and from {second}); leave one out or rename it")
    );
    let sources = Sources { linked: true, ..Sources::only(&[duplicate]) };
    let error = Registry::open_with(&sources).unwrap_err().to_string();
    assert!(error.contains(&format!("(built in and from {second})")), "{error}");
}

#[test]
fn a_library_that_is_named_twice_is_loaded_once() {
    let good = library("good");
    let roundabout = good.parent().unwrap().join(".").join(good.file_name().unwrap());
    let registry = Registry::from_libraries(&[good.clone(), roundabout]).unwrap();
    assert_eq!(registry.list(None).count(), 6);
    let entry = registry.find(Kind::Dataset, "counting").unwrap();
    assert_eq!(entry.origin, Origin::Library(good.canonicalize().unwrap()));
    assert_eq!(entry.about.version, "1.2.3");
}

#[test]
fn libraries_are_found_by_the_variable_and_in_the_users_folder() {
    let folder = tempfile::tempdir().unwrap();
    let copied = folder.path().join(library("good").file_name().unwrap());
    fs::copy(library("good"), &copied).unwrap();
    let variable = Sources { path_variable: Some(env::join_paths([&copied]).unwrap()), ..Sources::default() };
    let users = Sources { user_folder: Some(folder.path().to_owned()), ..Sources::default() };
    for sources in [variable, users, Sources::only(&[folder.path().to_owned()])] {
        let registry = Registry::open_with(&sources).unwrap();
        assert!(registry.by_alias(Kind::Model, "plain_lm").is_ok(), "{sources:?}");
    }
}

#[test]
fn unknown_names_get_help() {
    let sources = Sources { linked: true, path_variable: Some("".into()), ..Sources::default() };
    let registry = Registry::open_with(&sources).unwrap();
    let unknown = |kind, name| registry.find(kind, name).unwrap_err().to_string();
    assert_eq!(
        unknown(Kind::Optimizer, "sign_sgd"),
        "there is no optimizer `sign_sgd`; did you mean `sign-sgd`?\n  plugins of kind optimizer: sign-sgd\n  libraries \
         were looked for in: the recipe's `plugins` and `--plugin` (none named), FRAMEWORK_PLUGIN_PATH (not set)"
    );
    assert!(unknown(Kind::Model, "plain_lm").contains("did you mean `plain`?"));
    assert!(unknown(Kind::Model, "shout").contains("`shout` is the name of a plugin of kind augmenter"));
    assert!(!unknown(Kind::Model, "zzz").contains("did you mean"));
}
