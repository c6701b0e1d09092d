//! Checking and filling: from what was written to what runs.

use super::{
    Catalog, Parsed, Recipe,
    check::Checker,
    component::FAMILIES,
    node::{Content, Entry, Node},
    rules,
    schema::Schema,
    source::Findings,
};
use framework_base::{Error, Problem, Result};
use std::path::Path;

impl Parsed {
    /// Checks everything, and fills in every default: the recipe's, the plugins' and absolute paths.
    pub fn resolve(&self, catalog: &dyn Catalog) -> Result<Recipe> {
        let schema = framework_core::schema_of::<Recipe>();
        let schema = Schema::new(&schema);
        let mut root = self.root.clone();
        FAMILIES.iter().for_each(|family| family.add_default(&mut root));
        self.name_architecture(&mut root, catalog);
        let homes = homes(&root, schema, catalog);
        let mut checker = Checker { source: &self.source, found: Findings::default(), homes };

        let Content::Table(entries) = &mut root.content else { return Err(Error::failed("the recipe is not a table")) };
        let is_component = |e: &Entry| FAMILIES.iter().any(|f| f.key == e.name);
        let (mut components, mut rest): (Vec<_>, Vec<_>) = std::mem::take(entries).into_iter().partition(is_component);
        checker.table(&mut rest, root.origin, &[schema], None, "");
        let properties = schema.properties();
        for entry in &mut components {
            let family = FAMILIES.iter().find(|f| f.key == entry.name);
            let engine = properties.iter().find(|(name, _)| *name == entry.name);
            if let (Some(family), Some((_, engine))) = (family, engine) {
                family.check(&mut checker, &mut entry.node, *engine, catalog);
            }
        }
        rest.append(&mut components);
        root.content = Content::Table(rest);
        rules::check(&mut checker, &root, catalog, self.needs_tokenizer);
        self.check_architecture(&mut checker, &root, catalog);
        checker.found.finish()?;
        self.finish(&root)
    }

    /// The recipe itself; its own last defaults depend on other values.
    fn finish(&self, root: &Node) -> Result<Recipe> {
        let mut recipe: Recipe = serde_json::from_value(root.to_json()).map_err(|e| {
            let place = Some(framework_base::Place { file: self.source.path.clone(), position: None });
            Error::invalid(Problem { place, ..Problem::new(e.to_string()) })
        })?;
        if recipe.name.is_empty() {
            recipe.name = self.source.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        }
        if recipe.output.as_os_str().is_empty() {
            recipe.output = Path::new("runs").join(&recipe.name);
        }
        if recipe.train.epochs.is_none() && recipe.train.max_steps.is_none() {
            recipe.train.epochs = Some(1.0);
        }
        Ok(recipe)
    }
}

/// Which table each key belongs to, as far as the engine and the plugins that are named say.
fn homes(root: &Node, schema: Schema, catalog: &dyn Catalog) -> Vec<(String, String)> {
    let mut homes = Vec::new();
    let mut add = |table: &str, schema: Schema| {
        let keys = schema.properties().into_iter().filter(|(name, _)| *name != "plugin");
        homes.extend(keys.map(|(name, _)| (name.to_owned(), table.to_owned())));
    };
    add("", schema);
    for (table, schema) in schema.properties() {
        let component = FAMILIES.iter().any(|f| f.key == table && f.default.is_none());
        if !component && schema.types() == ["object"] {
            add(table, schema);
        }
    }
    for family in FAMILIES.iter().filter(|f| f.default.is_some()) {
        for (key, table) in family.tables(root) {
            let about = table.get("plugin").and_then(Node::text).map(|name| catalog.about(family.kind, name));
            if let Some(Ok(about)) = about {
                add(&key, Schema::new(&about.schema));
            }
        }
    }
    homes
}
