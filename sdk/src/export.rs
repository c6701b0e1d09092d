//! What every dynamic library built with this SDK exports: one header, one root module, however many plugins.
#![allow(unsafe_code)]

use abi_stable::{export_root_module, prefix_type::PrefixTypeTrait};
use framework_core::ffi::{PluginHeader, PluginRoot_Ref, abi_stable, root};

// SAFETY: the name is ours alone and nothing else defines it; a plain constant is read through it.
#[unsafe(no_mangle)]
#[used]
static framework_plugin_header: PluginHeader = PluginHeader::new(env!("CARGO_PKG_VERSION"), cfg!(panic = "abort"));

#[export_root_module]
fn export() -> PluginRoot_Ref {
    root().leak_into_prefix()
}
