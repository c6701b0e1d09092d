//! Builds the plugin libraries of `tests/plugins` and `tests/third_party`, once per test run and as a third party would.
//!
//! For tests of several packages, which include this file by its path and use what they need of it.
#![allow(dead_code)]

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// The library of the test plugin `name`, such as `good` or `wrong-layout`.
pub fn library(name: &str) -> PathBuf {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(build);
    let (prefix, suffix) = (env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let path = BUILT.join(format!("{prefix}{}{suffix}", name.replace('-', "_")));
    assert!(path.is_file(), "{} was not built", path.display());
    path
}

/// A library that was built with a later SDK, which has one more of everything.
pub fn grown() -> PathBuf {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        run(cargo(&repository().join("tests/plugins")).args(["build", "--package", "grown"]));
        target().join("debug").join(format!("{}grown{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX))
    });
    BUILT.clone()
}

/// What a host of a later version says of libraries.
pub fn later_host(libraries: &[PathBuf]) -> String {
    run(cargo(&repository().join("tests/plugins")).args(["run", "--quiet", "--package", "host", "--"]).args(libraries))
}

/// The library of a package of `tests/third_party`.
pub fn third_party(package: &str) -> PathBuf {
    run(cargo(&repository().join("tests/third_party")).args(["build", "--quiet", "--package", package]));
    let (prefix, suffix) = (env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    target().join("debug").join(format!("{prefix}{package}{suffix}"))
}

/// The folder of this repository.
pub fn repository() -> PathBuf {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = folders.find(|folder| folder.join("tests/plugins/Cargo.toml").is_file());
    found.expect("tests/plugins lies in the repository").to_owned()
}

/// Where all plugin crates of the tests are built, so that the SDK is built once.
pub fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins")
}

/// Cargo in a crate or workspace of its own, away from the settings of the run that these tests are part of.
pub fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(folder).env("CARGO_TARGET_DIR", target()).env_remove("CARGO_BUILD_TARGET");
    // Loaded once and thrown away.
    let profile = [("DEBUG", "0"), ("INCREMENTAL", "false"), ("BUILD_OVERRIDE_DEBUG", "0")];
    cargo.envs(profile.map(|(key, value)| (format!("CARGO_PROFILE_DEV_{key}"), value)));
    cargo.envs(profile.map(|(key, value)| (format!("CARGO_PROFILE_TEST_{key}"), value)));
    cargo
}

/// Runs a command and returns what it says; that is shown if it fails.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} failed:\n{out}\n{err}");
    format!("{out}\n{err}")
}

fn build() -> PathBuf {
    let cargo = || cargo(&repository().join("tests/plugins"));
    run(cargo().args(["build", "--workspace", "--exclude", "aborts", "--exclude", "grown", "--exclude", "host"]));
    // The panic strategy is the whole build's.
    run(cargo().args(["build", "--package", "aborts"]).env("CARGO_PROFILE_DEV_PANIC", "abort"));
    target().join("debug")
}
