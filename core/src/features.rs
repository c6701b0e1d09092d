//! What a host can do, by name: a plugin asks, and a host refuses what it would otherwise leave out.

use crate::{CtxOp, Op, PluginError, Result};
use abi_stable::nonexhaustive_enum::GetEnumInfo;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    sync::{LazyLock, OnceLock},
};

/// What plugins can declare, beside operators and requests.
const DECLARED: &[&str] = &[
    "adapter.embed",
    "adapter.frozen",
    "adapter.initial",
    "adapter.output",
    "adapter.prefix",
    "adapter.prompt",
    "adapter.saved",
    "adapter.storage",
    "attention.bidirectional",
    "attention.dropout",
    "attention.softcap",
    "attention.window",
    "needs.backends",
    "needs.frozen",
    "needs.layers",
    "needs.precisions",
    "needs.uncached",
    "needs.unpacked",
    "optimizer.initial",
    "optimizer.storage",
    "output.scale",
    "output.softcap",
    "state",
    "stored.in_out",
];

/// What a host tells the libraries that it loads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Features {
    /// The version of the framework.
    pub version: String,
    /// Names such as `op.rms_norm`, `request.scan` and `output.softcap`.
    pub features: BTreeSet<String>,
}

static HOST: OnceLock<Features> = OnceLock::new();
static OWN: LazyLock<Features> = LazyLock::new(Features::own);

impl Features {
    /// What this version can do.
    pub fn own() -> Self {
        let named = |prefix: &str, names: &[String]| names.iter().map(|n| format!("{prefix}.{n}")).collect::<Vec<_>>();
        let ops: Vec<_> = Op::ENUM_INFO.variant_names_iter().map(snake_case).collect();
        let requests: Vec<_> = CtxOp::ENUM_INFO.variant_names_iter().map(snake_case).collect();
        let declared = DECLARED.iter().map(|&name| name.to_owned());
        let features = declared.chain(named("op", &ops)).chain(named("request", &requests)).collect();
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), features }
    }

    /// Called once in a library, by the host that loads it.
    pub fn attach(self) {
        let _ = HOST.set(self);
    }
}

/// Whether the host that runs this plugin has an operator (`op.rms_norm`), a request (`request.scan`) or something that
/// a plugin declares (`output.softcap`), so that a plugin of a newer SDK can do without it on an older host.
pub fn supports(feature: &str) -> bool {
    HOST.get().unwrap_or(&OWN).features.contains(feature)
}

/// Everything that this version can do, by name: see [`supports`].
pub fn features() -> impl Iterator<Item = &'static str> {
    OWN.features.iter().map(String::as_str)
}

/// An error unless this host has all of `required`.
pub(crate) fn require(required: &[String]) -> Result<()> {
    match required.iter().find(|name| !OWN.features.contains(*name)) {
        None => Ok(()),
        Some(name) => Err(PluginError::new(format!("needs `{name}`, which framework {} does not have", OWN.version))
            .help("update this program, or use an older version of the plugin")),
    }
}

/// `RmsNorm` as `rms_norm`.
fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_requests_and_declarations_have_names() {
        assert!(["op.rms_norm", "op.add", "request.scan", "output.softcap"].into_iter().all(supports));
        assert!(!supports("op.fft") && !supports("rms_norm"));
        let e = require(&["state".to_owned(), "output.sinks".to_owned()]).unwrap_err();
        assert!(e.message.contains("needs `output.sinks`"), "{e}");
    }
}
