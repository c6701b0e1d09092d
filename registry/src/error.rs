//! What can go wrong, each in one sentence that ends in a remedy.

use crate::Origin;
use framework_core::{Kind, PluginError, ffi::ABI_VERSION};
use std::{error::Error, fmt, io, path::PathBuf};

/// Version of the SDK whose libraries this program loads.
pub(crate) const SDK: &str = env!("CARGO_PKG_VERSION");

/// Why a library cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// The file is missing or may not be read.
    Unreadable(String),
    /// It is not the file that was meant.
    OtherHash {
        /// The SHA-256 that it should have.
        pinned: String,
        /// The SHA-256 that it has.
        found: String,
    },
    /// It is no dynamic library, or one for another kind of machine.
    Format(String),
    /// The system does not open it.
    Open(String),
    /// A library, but not a plugin.
    NotAPlugin,
    /// Built for another version of the plugin interface.
    OtherVersion {
        /// The version that it was built for.
        abi: u32,
        /// The SDK that built it.
        sdk: String,
    },
    /// Built so that a panic would end the whole program.
    PanicAborts,
    /// It claims our version of the interface, but its types look different in memory.
    Layout {
        /// The SDK that built it.
        sdk: String,
        /// The first difference.
        why: String,
    },
    /// It registers nothing.
    Empty,
    /// It registers only plugins of kinds that this program does not know: their kinds and names.
    UnknownKinds(Vec<String>),
    /// It failed while listing its plugins.
    Listing(PluginError),
}

impl LoadError {
    pub(crate) fn unreadable(e: &io::Error) -> Self {
        Self::Unreadable(match e.kind() {
            io::ErrorKind::NotFound => "there is no such file; correct the path or build the library".into(),
            _ => format!("it cannot be read ({e}); check the path and its permissions"),
        })
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) | Self::Format(why) => f.write_str(why),
            Self::OtherHash { pinned, found } => write!(
                f,
                "its SHA-256 is {found}, and `plugins` says {pinned}; it was not opened. If it was rebuilt on purpose, write its \
                 hash there; else restore the file"
            ),
            Self::Open(why) => write!(
                f,
                "the system cannot open it: {why}; rebuild it, and check that the libraries it needs are installed"
            ),
            Self::NotAPlugin => write!(
                f,
                "it is not a plugin of this framework; a plugin depends on framework-sdk {SDK} and is built as a \
                 `cdylib`"
            ),
            Self::OtherVersion { abi, sdk } => {
                let update = if *abi > ABI_VERSION { ", or update this program" } else { "" };
                write!(
                    f,
                    "it was built with framework-sdk {sdk} for plugin interface {abi}, and this program has interface \
                     {ABI_VERSION}; rebuild it with framework-sdk {SDK}{update}"
                )
            }
            Self::PanicAborts => f.write_str(
                "it was built with `panic = \"abort\"`, so that an error in it would end this program; rebuild it \
                 with `panic = \"unwind\"`, the default, in its profile",
            ),
            Self::Layout { sdk, why } => write!(
                f,
                "it was built with framework-sdk {sdk}, whose plugin interface differs from that of this program's {SDK} \
                 ({why}); rebuild it with framework-sdk {SDK}"
            ),
            Self::Empty => f.write_str("it registers no plugin; add a `register!` line and rebuild it"),
            Self::UnknownKinds(plugins) => {
                write!(f, "this program ({SDK}) has no such kind of plugin as {}; update it", plugins.join(", "))
            }
            Self::Listing(e) => write!(f, "it cannot list its plugins: {e}"),
        }
    }
}

/// One thing that is wrong with what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A library that cannot be used.
    Library {
        /// The library.
        path: PathBuf,
        /// Why.
        why: LoadError,
    },
    /// A name or alias that two plugins of a kind have.
    Duplicate {
        /// Their kind.
        kind: Kind,
        /// What both are called.
        name: String,
        /// Where the first comes from.
        first: Origin,
        /// Where the second comes from.
        second: Origin,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Duplicate { kind, name, first, second } if first == second => {
                write!(f, "{kind} `{name}` is registered twice ({first}); rename one of the two")
            }
            Self::Duplicate { kind, name, first, second } => {
                write!(f, "{kind} `{name}` is there twice ({first} and {second}); leave one out or rename it")
            }
        }
    }
}

/// Everything that is wrong with the plugins that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [one] => write!(f, "{one}"),
            all => {
                write!(f, "{} problems with plugins:", all.len())?;
                all.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

/// No plugin has this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The kind that was wanted.
    pub kind: Kind,
    /// The name that was wanted.
    pub name: String,
    /// The name that comes nearest.
    pub nearest: Option<String>,
    /// All names of that kind.
    pub names: Vec<String>,
    /// Another kind that has a plugin of this name.
    pub other: Option<Kind>,
    /// Where dynamic libraries were looked for.
    pub looked: Vec<String>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, .. } = self;
        write!(f, "there is no {kind} `{name}`")?;
        match (&self.nearest, self.other) {
            (_, Some(other)) => write!(f, "; `{name}` is the name of a plugin of kind {other}")?,
            (Some(nearest), None) => write!(f, "; did you mean `{nearest}`?")?,
            (None, None) => {}
        }
        match self.names.is_empty() {
            true => write!(f, "\n  there are no plugins of kind {kind}")?,
            false => write!(f, "\n  plugins of kind {kind}: {}", self.names.join(", "))?,
        }
        write!(f, "\n  libraries were looked for in: {}", self.looked.join(", "))
    }
}

impl Error for LoadError {}
impl Error for Problem {}
impl Error for RegistryError {}
impl Error for Unknown {}
