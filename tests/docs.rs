//! The generated pages of the book are what the schemas say.
//!
//! `FRAMEWORK_UPDATE_DOCS=1 cargo test --test docs` writes them anew.

use framework_core::Kind;
use framework_engine::recipe::reference;
use plugin_adapters as _;
use plugin_augmenters as _;
use plugin_datasets as _;
use plugin_decoders as _;
use plugin_models as _;
use plugin_optimizers as _;
use std::fmt::Write;

const NOTE: &str =
    "<!-- Generated from the option schemas by `FRAMEWORK_UPDATE_DOCS=1 cargo test --test docs`. -->\n\n";

fn is_current(page: &str, text: &str) {
    let path = format!("{}/docs/src/reference/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = format!("{NOTE}{}\n", text.trim_end());
    if std::env::var_os("FRAMEWORK_UPDATE_DOCS").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "docs/src/reference/{page} is out of date: FRAMEWORK_UPDATE_DOCS=1 cargo test --test docs");
}

#[test]
fn recipe_reference() {
    is_current("recipe.md", &reference::markdown());
}

#[test]
fn plugin_reference() {
    // Only what is linked in: a developer's own plugins are not part of the book.
    let sources = framework_registry::Sources { linked: true, ..Default::default() };
    let registry = framework_registry::Registry::open_with(&sources).unwrap();
    let mut text = String::from("# Built-in plugins\n");
    for kind in Kind::ALL {
        writeln!(text, "\n## Plugins of kind {kind}").unwrap();
        for entry in registry.list(Some(kind)) {
            let about = &entry.about;
            writeln!(text, "\n### {}\n\n{}", about.name, about.summary).unwrap();
            let options = reference::options_markdown(about);
            writeln!(text, "\n{}", options.trim_end()).unwrap();
            if !about.example.is_empty() {
                writeln!(text, "\n```toml\n{}\n```", about.example).unwrap();
            }
        }
    }
    is_current("plugins.md", &text);
}
