//! What a dynamic library exports: a plain C header, and the root module that lists its plugins.

use super::{Build, LogSink, RawResult, from_json, guard, registered, to_json};
use crate::{About, Kind, Result, features::Features};
use abi_stable::{
    StableAbi, declare_root_module_statics,
    library::RootModule,
    package_version_strings,
    sabi_types::VersionStrings,
    std_types::{RStr, RString, RVec},
};
use serde_json::Value;
use std::str::FromStr;

/// Raised whenever the boundary changes so that libraries of the older version cannot be called.
pub const ABI_VERSION: u32 = 2;

/// The plain C symbol `framework_plugin_header`, read before anything else is believed.
#[repr(C)]
pub struct PluginHeader {
    /// `FRAMEWRK`, so that a symbol of the same name in another library is not mistaken for ours.
    pub magic: [u8; 8],
    /// [`ABI_VERSION`] of the SDK that built the library.
    pub abi_version: u32,
    /// 1 if the library was built with `panic = "abort"`.
    pub panic_aborts: u32,
    /// Version of the SDK, padded with zeros.
    pub sdk_version: [u8; 24],
}

impl PluginHeader {
    /// The value of [`PluginHeader::magic`].
    pub const MAGIC: [u8; 8] = *b"FRAMEWRK";

    /// The header of a library built with this SDK.
    pub const fn new(sdk_version: &str, panic_aborts: bool) -> Self {
        let (bytes, mut padded, mut i) = (sdk_version.as_bytes(), [0; 24], 0);
        while i < bytes.len() && i < padded.len() {
            padded[i] = bytes[i];
            i += 1;
        }
        Self { magic: Self::MAGIC, abi_version: ABI_VERSION, panic_aborts: panic_aborts as u32, sdk_version: padded }
    }
}

/// A plugin as its library declares it.
#[repr(C)]
#[derive(StableAbi, Clone)]
pub struct RawDeclaration {
    about: RString,
    build: Build,
}

/// What a library has.
pub struct Listed {
    /// Plugins that this version can use.
    pub plugins: Vec<Declaration>,
    /// Plugins of kinds that only newer versions know: kind and name.
    pub unknown: Vec<String>,
}

/// A plugin that can be built: what it is and how.
#[derive(Clone)]
pub struct Declaration {
    pub about: About,
    pub build: Build,
}

#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRoot_Ref)))]
#[sabi(missing_field(panic))]
pub struct PluginRoot {
    /// Called once after loading: where messages go.
    pub attach: extern "C" fn(LogSink),
    /// Called next: what the host can do, as JSON.
    pub host: extern "C" fn(RStr<'_>) -> RawResult<()>,
    /// The library's plugins.
    #[sabi(last_prefix_field)]
    pub plugins: extern "C" fn() -> RawResult<RVec<RawDeclaration>>,
    #[cfg(feature = "growth")]
    #[sabi(missing_field(option))]
    pub grown: extern "C" fn() -> u32,
}

impl RootModule for PluginRoot_Ref {
    declare_root_module_statics! {PluginRoot_Ref}
    const BASE_NAME: &'static str = "framework_plugin";
    const NAME: &'static str = "framework_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// The root module of a library built with this SDK.
pub const fn root() -> PluginRoot {
    PluginRoot {
        attach,
        host,
        plugins,
        #[cfg(feature = "growth")]
        grown,
    }
}

extern "C" fn attach(sink: LogSink) {
    super::install_panic_hook();
    super::forward_logs(sink);
}

extern "C" fn host(features: RStr<'_>) -> RawResult<()> {
    guard(|| {
        from_json::<Features>(&features)?.attach();
        Ok(())
    })
}

extern "C" fn plugins() -> RawResult<RVec<RawDeclaration>> {
    guard(|| {
        let declare = |r: &super::Registration| Ok(RawDeclaration { about: to_json(&r.about())?, build: r.build });
        let declared = registered().map(declare).collect::<Result<RVec<_>>>()?;
        #[cfg(feature = "growth")]
        let declared = with_a_new_kind(declared);
        Ok(declared)
    })
}

/// A plugin of a kind that this version does not know.
#[cfg(feature = "growth")]
fn with_a_new_kind(mut declared: RVec<RawDeclaration>) -> RVec<RawDeclaration> {
    if let Some(RawDeclaration { build, .. }) = declared.first() {
        let about = r#"{"kind": "grown", "name": "unheard-of", "more": 1}"#.into();
        declared.push(RawDeclaration { about, build: *build });
    }
    declared
}

#[cfg(feature = "growth")]
extern "C" fn grown() -> u32 {
    7
}

/// The plugins linked into this executable.
pub fn linked() -> Vec<Declaration> {
    registered().map(|r| Declaration { about: r.about(), build: r.build }).collect()
}

/// The plugins of a library whose layout has been checked.
pub fn declarations(root: PluginRoot_Ref) -> Result<Listed> {
    (root.attach())(LogSink(super::log::host_log));
    super::receive((root.host())(to_json(&Features::own())?.as_rstr()))?;
    let raw = super::receive((root.plugins())())?;
    let mut listed = Listed { plugins: Vec::new(), unknown: Vec::new() };
    for RawDeclaration { about, build } in raw {
        let about: Value = from_json(&about)?;
        let (kind, name) = (about["kind"].as_str().unwrap_or_default(), &about["name"]);
        match Kind::from_str(kind) {
            Ok(_) => listed.plugins.push(Declaration { about: serde_json::from_value(about)?, build }),
            Err(_) => listed.unknown.push(format!("{kind} `{}`", name.as_str().unwrap_or_default())),
        }
    }
    Ok(listed)
}
