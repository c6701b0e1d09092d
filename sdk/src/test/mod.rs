//! Checks that every plugin of a kind should pass, for use in its crate's tests.
//!
//! Each check builds the plugin as the framework does, through the boundary and from a TOML table, and says what is
//! wrong. The built-in plugins are tested with the same functions, and `framework check-plugin` runs
//! [`all_plugins`] on a library.
//!
//! ```
//! # use framework_sdk::prelude::*;
//! # options! {
//! #     /// Passes records on.
//! #     pub struct Same {}
//! # }
//! # impl Augmenter for Same {
//! #     fn augment(&self, records: Records, _: u64) -> Result<Records> { Ok(records) }
//! # }
//! # register!(augmenter "same" => Same, example = "");
//! let records = framework_sdk::test::augmenter("same", "", [json!({"text": "a"})], 1);
//! assert_eq!(records[0]["text"], "a");
//! framework_sdk::test::all_plugins();
//! ```

mod compute;
mod data;
mod decode;

pub use compute::{adapter, model, optimizer, toy_spec};
pub use data::{augmenter, dataset};
pub use decode::decode;

use crate::{
    Kind,
    conformance::{self, Outcome},
    ffi::{Build, Declaration, install_panic_hook, linked},
};

/// The plugin of this kind and name in the crate under test, its documentation checked.
pub fn declaration(kind: Kind, name: &str) -> Declaration {
    install_panic_hook();
    let all = linked();
    let names: Vec<_> = all.iter().map(|d| d.about.label()).collect();
    let Some(found) = all.into_iter().find(|d| d.about.kind == kind && d.about.name == name) else {
        panic!("no {kind} `{name}` is registered in this crate; registered are: {}", names.join(", "));
    };
    let checked = conformance::documentation(&found.about).and_then(|()| conformance::example(&found.about));
    expect(checked);
    found
}

/// Runs every check that needs nothing but the plugin itself on all plugins of the crate under test: documentation,
/// example, defaults, a run on made-up input, and, for models and adapters, [`numbers`].
pub fn all_plugins() {
    install_panic_hook();
    let plugins = linked();
    assert!(!plugins.is_empty(), "no plugin is registered in this crate");
    let mut wrong = Vec::new();
    for Declaration { about, build } in plugins {
        let mut findings = conformance::check(&about, &build, &about.label());
        // Numbers are of no use where shapes are wrong.
        let sound = !findings.iter().any(|finding| matches!(finding.outcome, Outcome::Failed(_)));
        if let (true, Ok(options)) = (sound, conformance::example(&about)) {
            findings.extend(conformance::numbers(&about, &build, &about.label(), &options));
        }
        for finding in findings {
            if let Outcome::Failed(why) = finding.outcome {
                wrong.push(format!("{}: {}: {why}", about.label(), finding.check));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a model or an adapter computes, in 64 bits and with random weights: with a cache, padding, several sequences in a
/// row and blocks that are computed twice it gives the same as without, and gradients are those of finite differences. An
/// adapter, attached to [`toy_spec`]'s model, changes nothing at its start, and merged the same as beside the weights.
/// Panics with everything that is wrong. A model's `table` is its `config.json` as TOML.
pub fn numbers(kind: Kind, name: &str, table: &str) {
    let Declaration { about, build } = declaration(kind, name);
    let failed = |finding: &conformance::Finding| match &finding.outcome {
        Outcome::Failed(why) => Some(format!("{}: {}: {why}", about.label(), finding.check)),
        _ => None,
    };
    let findings = conformance::numbers(&about, &build, &about.label(), &options(table));
    assert!(!findings.is_empty(), "{} has no numbers to check, or cannot be built", about.label());
    let wrong: Vec<_> = findings.iter().filter_map(failed).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What builds the plugin, and what messages call it.
fn plugin(kind: Kind, name: &str) -> (Build, String) {
    let Declaration { about, build } = declaration(kind, name);
    (build, about.label())
}

fn options(table: &str) -> serde_json::Value {
    conformance::table(table).unwrap_or_else(|e| panic!("the options: {e}"))
}

#[track_caller]
fn expect<T>(result: crate::Result<T>) -> T {
    result.unwrap_or_else(|e| panic!("{e}"))
}
