//! The right version, but a root module whose types are others: what a changed interface looks like to the loader if
//! its authors forgot to raise the version.
#![allow(non_upper_case_globals, non_camel_case_types, non_local_definitions)] // what abi_stable's macros expand to

use abi_stable::{
    StableAbi, declare_root_module_statics, export_root_module, library::RootModule, package_version_strings,
    prefix_type::PrefixTypeTrait, sabi_types::VersionStrings, std_types::RString,
};

#[repr(C)]
pub struct Header {
    magic: [u8; 8],
    abi_version: u32,
    panic_aborts: u32,
    sdk_version: [u8; 24],
}

#[unsafe(no_mangle)]
#[used]
static framework_plugin_header: Header = Header {
    magic: *b"FRAMEWRK",
    abi_version: 2,
    panic_aborts: 0,
    sdk_version: *b"0.1.0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
};

#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRoot_Ref)))]
#[sabi(missing_field(panic))]
pub struct PluginRoot {
    pub attach: extern "C" fn(RString),
    #[sabi(last_prefix_field)]
    pub plugins: extern "C" fn() -> RString,
}

impl RootModule for PluginRoot_Ref {
    declare_root_module_statics! {PluginRoot_Ref}
    const BASE_NAME: &'static str = "framework_plugin";
    const NAME: &'static str = "framework_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

extern "C" fn attach(_: RString) {}

extern "C" fn plugins() -> RString {
    "none".into()
}

#[export_root_module]
fn export() -> PluginRoot_Ref {
    PluginRoot { attach, plugins }.leak_into_prefix()
}
