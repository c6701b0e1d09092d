//! Tables that name a plugin: the engine's keys in them, the plugin's options, and the plugin's own opinion.

use super::{
    Catalog,
    check::{Checker, join},
    node::{Content, Entry, Node},
    schema::Schema,
    source::Origin,
};
use framework_base::Problem;
use framework_core::{About, Kind, PluginError};
use serde_json::Value;

/// A key of the recipe that holds one table, or a list of tables, that each name a plugin.
pub(super) struct Family {
    pub(super) key: &'static str,
    pub(super) kind: Kind,
    /// Whether there can be several tables.
    pub(super) list: bool,
    /// The plugin that is used unless the recipe names one.
    pub(super) default: Option<&'static str>,
}

const fn family(key: &'static str, kind: Kind, list: bool, default: Option<&'static str>) -> Family {
    Family { key, kind, list, default }
}

/// All such keys.
pub(super) const FAMILIES: [Family; 5] = [
    family("dataset", Kind::Dataset, true, None),
    family("augment", Kind::Augmenter, true, None),
    family("adapter", Kind::Adapter, false, Some("lora")),
    family("optimizer", Kind::Optimizer, false, Some("adamw")),
    family("generate", Kind::Decoder, false, Some("greedy")),
];

impl Family {
    /// Its tables with their paths.
    pub(super) fn tables<'a>(&self, root: &'a Node) -> Vec<(String, &'a Node)> {
        match root.get(self.key) {
            Some(node) if self.list => {
                node.elements().iter().enumerate().map(|(i, n)| (format!("{}.{i}", self.key), n)).collect()
            }
            Some(node) => vec![(self.key.to_owned(), node)],
            None => Vec::new(),
        }
    }

    /// Names the default plugin where the recipe names none.
    pub(super) fn add_default(&self, root: &mut Node) {
        let (Some(plugin), Content::Table(entries)) = (self.default, &mut root.content) else { return };
        if !entries.iter().any(|e| e.name == self.key) {
            let node = Node::table(Origin::Default);
            entries.push(Entry { name: self.key.to_owned(), origin: Origin::Default, node });
        }
        if let Some(entry) = entries.iter_mut().find(|e| e.name == self.key)
            && let Content::Table(keys) = &mut entry.node.content
            && !keys.iter().any(|e| e.name == "plugin")
        {
            keys.push(Entry::from_json("plugin", &plugin.into(), entry.node.origin));
        }
    }

    /// Checks what the recipe has under this key and fills in the plugins' defaults.
    pub(super) fn check(&self, checker: &mut Checker, node: &mut Node, engine: Schema, catalog: &dyn Catalog) {
        match &mut node.content {
            Content::List(tables) if self.list => {
                let Some(engine) = engine.element(0) else { return };
                for (i, table) in tables.iter_mut().enumerate() {
                    self.table(checker, table, engine, &format!("{}.{i}", self.key), catalog);
                }
            }
            _ if self.list => checker.value(node, engine, self.key),
            _ => self.table(checker, node, engine, self.key, catalog),
        }
    }

    fn table(&self, checker: &mut Checker, node: &mut Node, engine: Schema, key: &str, catalog: &dyn Catalog) {
        let origin = node.origin;
        let Content::Table(entries) = &mut node.content else { return checker.value(node, engine, key) };
        let plugin = entries.iter().find(|e| e.name == "plugin").map(|e| e.node.clone());
        let about = plugin.as_ref().and_then(|p| Some((p, p.text()?))).and_then(|(node, name)| {
            let about = catalog.about(self.kind, name);
            about.map_err(|message| checker.no_plugin(node.origin, key, &message)).ok()
        });
        let before = checker.found.len();
        let Some(About { name, schema, .. }) = about else {
            // what the other keys may be is not known
            return checker.table(entries, origin, &[engine], engine.others(), key);
        };
        let options = Schema::new(&schema);
        checker.table(entries, origin, &[engine, options], options.others(), key);
        if checker.found.len() > before {
            return;
        }
        let engine_keys: Vec<_> = engine.properties().into_iter().map(|(name, _)| name).collect();
        let (mut kept, own): (Vec<_>, Vec<_>) =
            std::mem::take(entries).into_iter().partition(|e| engine_keys.contains(&e.name.as_str()));
        let given = super::node::entries_to_json(&own);
        match catalog.fill(self.kind, &name, &Value::Object(given)) {
            Ok(filled) => {
                let mut filled = Node::from_json(&filled, origin);
                // defaults may be paths too
                checker.value(&mut filled, options, key);
                let Content::Table(filled) = filled.content else { return };
                kept.extend(filled.into_iter().filter(|e| !engine_keys.contains(&e.name.as_str())));
            }
            Err(e) => refused(checker, &own, origin, key, &e),
        }
        *entries = kept;
    }
}

/// Notes what a plugin says about its options, at the option that it names.
pub(super) fn refused(checker: &mut Checker, options: &[Entry], origin: Origin, key: &str, e: &PluginError) {
    // Of `near.shingle`, where the recipe gives `near`.
    let given = |named: &&str| options.iter().find(|o| Some(o.name.as_str()) == named.split('.').next());
    let named = e.key.as_deref().and_then(|named| Some((named, given(&named)?)));
    let (origin, key) = named.map_or((origin, key.to_owned()), |(named, o)| (o.node.origin, join(key, named)));
    checker.add(origin, &key, Problem::of(e));
}
