//! What keys mean together: combinations that types cannot rule out.

use super::{
    Catalog, TEMPLATES,
    check::Checker,
    component::refused,
    node::{Content, Node},
    objective,
    schema::Schema,
    source::Origin,
};
use framework_base::{Problem, suggest::nearest};
use framework_core::{About, ErrorKind, Kind, PluginError};
use serde_json::Value;

/// Checks the recipe as a whole. Keys of the wrong type have been reported and are passed over.
pub(super) fn check(checker: &mut Checker, root: &Node, catalog: &dyn Catalog, needs_tokenizer: bool) {
    model(checker, root, catalog);
    tokenizer(checker, root, needs_tokenizer);
    template(checker, root);
    validation(checker, root);
    lengths(checker, root);
    stops(checker, root);
    names(checker, root);
    warmup(checker, root);
    objective::check(checker, root);
}

fn model(checker: &mut Checker, root: &Node, catalog: &dyn Catalog) {
    let Some(model) = root.get("model") else { return };
    let Content::Table(_) = model.content else { return };
    let (weights, config) = (model.get("weights"), model.get("config"));
    match (weights, config) {
        (None, None) => checker.add(
            model.origin,
            "model",
            Problem::new("has neither `weights` nor `config`")
                .help("weights = \"<folder>\" starts from a trained model, config = \"config.json\" from scratch"),
        ),
        (Some(_), Some(config)) => checker.add(
            config.origin,
            "model.config",
            Problem::new("there are `weights` too, which have a configuration of their own")
                .help("keep `weights` to start from a trained model, or `config` to start from scratch"),
        ),
        _ => {}
    }
    let Some(plugin) = model.get("plugin") else { return };
    let Some(name) = plugin.text() else { return };
    let about = match catalog.about(Kind::Model, name) {
        Ok(about) => about,
        Err(message) => return checker.no_plugin(plugin.origin, "model", &message),
    };
    match config {
        Some(config) if matches!(config.content, Content::Table(_)) => {
            if let Err(e) = catalog.fill(Kind::Model, name, &config.to_json()) {
                bad_config(checker, config, &about, &e);
            }
        }
        Some(config) => {
            let ignored = model.get("ignore_keys").map(Node::elements).unwrap_or_default();
            let ignored: Vec<_> = ignored.iter().filter_map(Node::text).collect();
            if let Some(path) = config.text()
                && let Some(Err(message)) =
                    std::fs::read(path).ok().map(|bytes| config_file(&bytes, &ignored, name, catalog))
            {
                checker.add(config.origin, "model.config", Problem::new(message));
            }
        }
        None => {}
    }
}

/// Notes why a plugin has refused a configuration: a value's type, an unknown key, or else what it says itself.
/// What keys a `config.json` may have besides the plugin's options, only the plugin knows.
fn bad_config(checker: &mut Checker, config: &Node, about: &About, e: &PluginError) {
    static ANY: Value = Value::Bool(true);
    let before = checker.found.len();
    let mut entries = config.entries().to_vec();
    let properties = Schema::new(&about.schema).properties();
    checker.keys(&mut entries, &properties, Some(Schema::new(&ANY)), "model.config");
    if checker.found.len() > before {
        return;
    }
    let unknown = e.key.as_deref().filter(|_| e.kind == ErrorKind::UnknownKey);
    match unknown.and_then(|name| entries.iter().find(|entry| entry.name == name)) {
        Some(entry) => {
            let keys: Vec<_> = properties.iter().map(|(name, _)| *name).collect();
            let near = nearest(&entry.name, keys.iter().copied());
            let table = format!("A configuration of `{}`", about.name);
            checker.unknown(&entry.name, entry.origin, "model.config", near, &table, &keys);
        }
        None => refused(checker, &entries, config.origin, "model.config", e),
    }
}

fn config_file(bytes: &[u8], ignored: &[&str], plugin: &str, catalog: &dyn Catalog) -> Result<(), String> {
    let mut config: Value =
        framework_base::json::from_slice(bytes).map_err(|e| format!("the file is not JSON: {e}"))?;
    if let Some(config) = config.as_object_mut() {
        config.retain(|key, _| !ignored.contains(&key.as_str()));
    }
    catalog.fill(Kind::Model, plugin, &config).map(drop).map_err(|e| e.to_string())
}

fn tokenizer(checker: &mut Checker, root: &Node, needed: bool) {
    let find = |path: &str| root.at(path);
    let (path, train) = (find("tokenizer.path"), find("tokenizer.train"));
    if let (Some(_), Some(train)) = (path, train) {
        checker.add(
            train.origin,
            "tokenizer.train",
            Problem::new("there is a `path` too").help("keep `path` to use a tokenizer, or `train` to train one"),
        );
    } else if let (Some(train), Some(_)) = (train, find("model.weights")) {
        checker.add(
            train.origin,
            "tokenizer.train",
            Problem::new("a new tokenizer would give the weights' tokens other meanings")
                .help("train one only with `model.config`; the weights bring their own"),
        );
    }
    if let (true, None, None, Some(config), None) = (needed, path, train, find("model.config"), find("model.weights")) {
        checker.add(
            config.origin,
            "tokenizer",
            Problem::new("a model from scratch needs a tokenizer")
                .help("[tokenizer] path = \"<folder>\", or train = { kind = \"byte-level-bpe\", vocab_size = 4096 }"),
        );
    }
}

fn template(checker: &mut Checker, root: &Node) {
    let Some(node) = root.at("prompt.template") else { return };
    let Some(text) = node.text() else { return };
    let jinja = text.contains("{{") || text.contains("{%");
    if TEMPLATES.contains(&text) || text.starts_with("chat:") || jinja {
        return;
    }
    let near = nearest(text, TEMPLATES).map(|t| format!("did you mean {t:?}? "));
    let names = TEMPLATES.map(|t| format!("{t:?}")).join(", ");
    checker.add(
        node.origin,
        "prompt.template",
        Problem::new(format!("expected a template's name or a Jinja template, found {}", node.describe()))
            .help(format!("{}the names are {names}; Jinja has {{{{ }}}}", near.unwrap_or_default())),
    );
}

fn validation(checker: &mut Checker, root: &Node) {
    let fraction = root.at("validation.fraction").and_then(Node::number).unwrap_or(0.0);
    let datasets = root.get("dataset").map(Node::elements).unwrap_or_default();
    let split = datasets.iter().any(|d| d.get("split").and_then(Node::text) == Some("validation"));
    if fraction > 0.0 || split {
        return;
    }
    let mut needs = |key: &str, node: &Node| {
        checker.add(
            node.origin,
            key,
            Problem::new("there is no validation data to compare by")
                .help("[validation] fraction = 0.1, or a [[dataset]] with split = \"validation\""),
        );
    };
    if let Some(node) = root.at("train.load_best").filter(|n| matches!(n.content, Content::Bool(true))) {
        needs("train.load_best", node);
    }
    if let Some(node) = root.at("train.early_stopping").filter(|n| matches!(n.content, Content::Table(_))) {
        needs("train.early_stopping", node);
    }
}

fn lengths(checker: &mut Checker, root: &Node) {
    let value = |key: &str| root.at(&format!("generate.{key}")).map(|n| (n.origin, n.number()));
    let (Some((origin, Some(min))), max) = (value("min_new_tokens"), value("max_new_tokens")) else { return };
    let default = super::GenerateSettings::default().max_new_tokens as f64;
    let (max_origin, max) = max.map_or((Origin::Default, default), |(o, n)| (o, n.unwrap_or(f64::INFINITY)));
    if min > max {
        checker.add(
            origin.max(max_origin),
            "generate.min_new_tokens",
            Problem::new(format!("{min} is more than `max_new_tokens`, which is {max}")),
        );
    }
}

fn stops(checker: &mut Checker, root: &Node) {
    let stops = root.at("generate.stop").map(Node::elements).unwrap_or_default();
    for (i, stop) in stops.iter().enumerate().filter(|(_, stop)| stop.text() == Some("")) {
        let problem = Problem::new("an empty string is everywhere").help("for example stop = [\"\\n\\n\"]");
        checker.add(stop.origin, &format!("generate.stop.{i}"), problem);
    }
}

/// A run's name is the name of its folder.
fn names(checker: &mut Checker, root: &Node) {
    let Some(node) = root.get("name") else { return };
    let Some(name) = node.text() else { return };
    let wrong = name == "." || name == ".." || name.contains(['/', '\\']) || name.chars().any(char::is_control);
    if wrong {
        let problem = Problem::new(format!("{name:?} cannot be the name of a folder"));
        checker.add(node.origin, "name", problem.help("a name has no / and no \\; `output` says where a run goes"));
    }
}

fn warmup(checker: &mut Checker, root: &Node) {
    let steps = root.at("train.warmup_steps").and_then(Node::number).unwrap_or(0.0);
    if let (true, Some(node)) = (steps > 0.0, root.at("train.warmup_ratio")) {
        let problem = Problem::new(format!("there is `warmup_steps` = {steps}, too"));
        checker.add(node.origin, "train.warmup_ratio", problem.help("keep one of the two"));
    }
}
