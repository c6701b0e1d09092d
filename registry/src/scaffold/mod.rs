//! Writes the crate of a new plugin: `framework new-plugin KIND NAME`.
//!
//! The crate builds by itself, its tests pass at once, and there is something small and sensible in it to replace.

mod names;

use framework_core::Kind;
use names::{check_name, type_name};
use std::{
    error::Error,
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// Where the new crate's SDK comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SdkSource {
    /// A version from the crate registry.
    Version(String),
    /// A folder.
    Path(PathBuf),
}

impl SdkSource {
    /// The SDK of the checkout that this program was built from, if it is still there; else this program's version.
    pub fn detect() -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        match workspace.map(|folder| folder.join("sdk")) {
            Some(sdk) if sdk.join("Cargo.toml").is_file() => Self::Path(sdk),
            _ => Self::Version(env!("CARGO_PKG_VERSION").into()),
        }
    }

    /// The source in the new manifest. Paths become absolute, for the crate lies elsewhere.
    fn dependency(&self) -> Result<String, ScaffoldError> {
        // A JSON string is a TOML string.
        let quote = |text: &str| serde_json::Value::from(text).to_string();
        match self {
            Self::Version(version) => Ok(format!("version = {}", quote(version))),
            Self::Path(path) if !path.join("Cargo.toml").is_file() => Err(ScaffoldError::NoSdk(path.clone())),
            Self::Path(path) => {
                let path = std::path::absolute(path).map_err(|e| ScaffoldError::Io(path.clone(), e))?;
                Ok(format!("path = {}", quote(&path.to_string_lossy())))
            }
        }
    }
}

/// Why a crate could not be written.
#[derive(Debug)]
#[non_exhaustive]
pub enum ScaffoldError {
    /// The name cannot be a plugin's or a crate's.
    Name(String),
    /// There is no SDK in this folder.
    NoSdk(PathBuf),
    /// There is something already.
    Exists(PathBuf),
    /// The file system refuses.
    Io(PathBuf, io::Error),
}

impl fmt::Display for ScaffoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(why) => f.write_str(why),
            Self::NoSdk(path) => write!(f, "{} is not the folder of framework-sdk; correct the path", path.display()),
            Self::Exists(path) => write!(f, "{} exists; choose another name or remove it first", path.display()),
            Self::Io(path, e) => write!(f, "{}: {e}", path.display()),
        }
    }
}

impl Error for ScaffoldError {}

/// Writes the crate `dir/name` of a plugin and returns its folder. Nothing is left behind if that fails.
pub fn new_plugin(kind: Kind, name: &str, dir: &Path, sdk: &SdkSource) -> Result<PathBuf, ScaffoldError> {
    check_name(name)?;
    let sdk = sdk.dependency()?;
    let target = dir.join(name);
    if fs::symlink_metadata(&target).is_ok() {
        return Err(ScaffoldError::Exists(target));
    }
    // Written aside and moved into place when complete.
    let aside = dir.join(format!(".{name}.{}", std::process::id()));
    let written = write(kind, name, &sdk, &aside).and_then(|()| {
        fs::rename(&aside, &target).map_err(|e| match fs::symlink_metadata(&target) {
            Ok(_) => ScaffoldError::Exists(target.clone()),
            Err(_) => ScaffoldError::Io(target.clone(), e),
        })
    });
    if written.is_err() {
        let _ = fs::remove_dir_all(&aside);
    }
    written.map(|()| target)
}

fn write(kind: Kind, name: &str, sdk: &str, folder: &Path) -> Result<(), ScaffoldError> {
    for (path, template) in files(kind) {
        let path = folder.join(path);
        let text = fill(template, kind, name, sdk);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, text))
            .map_err(|e| ScaffoldError::Io(path.clone(), e))?;
    }
    Ok(())
}

fn files(kind: Kind) -> Vec<(&'static str, &'static str)> {
    let source = match kind {
        Kind::Dataset => include_str!("../../templates/dataset.rs"),
        Kind::Augmenter => include_str!("../../templates/augmenter.rs"),
        Kind::Model => include_str!("../../templates/model.rs"),
        Kind::Adapter => include_str!("../../templates/adapter.rs"),
        Kind::Optimizer => include_str!("../../templates/optimizer.rs"),
        Kind::Decoder => include_str!("../../templates/decoder.rs"),
    };
    let mut files = vec![
        ("Cargo.toml", include_str!("../../templates/Cargo.toml.in")),
        ("README.md", include_str!("../../templates/README.md.in")),
        (".gitignore", "/target\n"),
        ("src/lib.rs", source),
    ];
    if kind == Kind::Dataset {
        files.push(("sample.jsonl", include_str!("../../templates/sample.jsonl")));
    }
    files
}

fn fill(template: &str, kind: Kind, name: &str, sdk: &str) -> String {
    let library = name.replace('-', "_");
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    template
        .replace("__Type__", &type_name(name))
        .replace("__NAME__", &library.to_uppercase())
        .replace("__name__", name)
        .replace("__kind__", kind.name())
        .replace("__recipe__", recipe(kind))
        .replace("__library__", &format!("{prefix}{library}{suffix}"))
        .replace("__sdk__", sdk)
}

/// The header of the recipe's table that such a plugin stands in.
fn recipe(kind: Kind) -> &'static str {
    match kind {
        Kind::Dataset => "[[dataset]]",
        Kind::Augmenter => "[[augment]]",
        Kind::Model => "[model]",
        Kind::Adapter => "[adapter]",
        Kind::Optimizer => "[optimizer]",
        Kind::Decoder => "[generate]",
    }
}
