//! The recipe reference and option tables, from the types' and plugins' own documentation.

use super::{Recipe, component::FAMILIES, schema::Schema};
use framework_core::{About, Kind};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;

/// One option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its key.
    pub key: String,
    /// What it takes, with the range.
    pub takes: String,
    /// Its default in TOML; none: there is no value unless one is given.
    pub default: Option<String>,
    /// Whether it must be given.
    pub required: bool,
    /// What it is for.
    pub text: String,
}

/// The recipe reference: a section per table.
pub fn markdown() -> String {
    let schema = framework_core::schema_of::<Recipe>();
    let schema = Schema::new(&schema);
    let defaults = Value::Null;
    let mut out = "# The recipe\n\n## Top level\n\n".to_owned();
    let (tables, values): (Vec<_>, Vec<_>) =
        schema.properties().into_iter().partition(|(_, s)| section_of(*s).is_some());
    let mut rows = rows(schema, &defaults);
    rows.retain(|row| values.iter().any(|(name, _)| *name == row.key));
    // the empty name and folder stand for what the text says
    rows.iter_mut().for_each(|row| row.default = row.default.take().filter(|text| text != "\"\""));
    table_into(&mut out, &rows);
    for (name, property) in tables {
        section(&mut out, name, property);
    }
    out
}

/// The options of a plugin as a Markdown table.
pub fn options_markdown(about: &About) -> String {
    let mut out = String::new();
    table_into(&mut out, &options(about));
    out
}

/// A table of the recipe.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// Its key, e.g. `train` or `tokenizer.train`.
    pub name: String,
    /// How a recipe begins it, e.g. `[train]` or `[[dataset]]`.
    pub header: String,
    /// What it is for.
    pub text: String,
    /// Its keys, without those of plugins.
    pub keys: Vec<Row>,
    /// The kind of the plugin that it names, if it names one.
    pub kind: Option<Kind>,
}

/// The tables of the recipe.
pub fn tables() -> Vec<Table> {
    let schema = framework_core::schema_of::<Recipe>();
    let mut tables = Vec::new();
    for (name, property) in Schema::new(&schema).properties() {
        tables_into(&mut tables, name, property);
    }
    tables
}

fn tables_into(tables: &mut Vec<Table>, name: &str, property: Schema) {
    let Some((schema, several)) = section_of(property) else { return };
    let header = if several { format!("[[{name}]]") } else { format!("[{name}]") };
    let text = paragraph(property.text("description").or(schema.text("description")).unwrap_or_default());
    let keys = rows(schema, property.get("default").unwrap_or(&Value::Null));
    let kind = FAMILIES.iter().find(|family| family.key == name).map(|family| family.kind);
    tables.push(Table { name: name.to_owned(), header, text, keys, kind });
    for (key, property) in schema.properties() {
        tables_into(tables, &format!("{name}.{key}"), property);
    }
}

/// Options as columns of text.
pub fn columns(rows: &[Row]) -> String {
    let rows: Vec<_> = rows.iter().map(Row::cells).collect();
    if rows.is_empty() {
        return "no options\n".to_owned();
    }
    let width = |i: usize| rows.iter().map(|cells| cells[i].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut out = String::new();
    for [key, takes, default, text] in &rows {
        let [a, b, c] = widths;
        let line = format!("{key:a$}  {takes:b$}  {default:c$}  {text}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// The options of a plugin.
pub fn options(about: &About) -> Vec<Row> {
    rows(Schema::new(&about.schema), &Value::Null)
}

impl Row {
    /// Key, what it takes, default and text.
    pub fn cells(&self) -> [String; 4] {
        let default = match &self.default {
            _ if self.required => "required".to_owned(),
            Some(value) => value.clone(),
            None => "-".to_owned(),
        };
        [self.key.clone(), self.takes.clone(), default, self.text.clone()]
    }
}

/// The table that a key holds, and whether there can be several.
fn section_of(schema: Schema) -> Option<(Schema, bool)> {
    let table = |s: Schema| s.types() == ["object"] && !s.properties().is_empty();
    match schema.branches().as_slice() {
        [one] if table(*one) => Some((*one, false)),
        [one] if one.types() == ["array"] => one.element(0).filter(|e| table(*e)).map(|e| (e, true)),
        _ => None,
    }
}

fn section(out: &mut String, name: &str, property: Schema) {
    let Some((schema, several)) = section_of(property) else { return };
    let header = if several { format!("[[{name}]]") } else { format!("[{name}]") };
    let text = property.text("description").or(schema.text("description")).unwrap_or_default();
    let _ = writeln!(out, "## `{header}`\n\n{}\n", paragraph(text));
    let defaults = property.get("default").unwrap_or(&Value::Null);
    let (nested, values): (Vec<_>, Vec<_>) =
        schema.properties().into_iter().partition(|(_, s)| section_of(*s).is_some());
    let rows = rows(schema, defaults).into_iter().filter(|row| values.iter().any(|(name, _)| *name == row.key));
    table_into(out, &rows.collect::<Vec<_>>());
    if let Some(family) = FAMILIES.iter().find(|f| f.key == name) {
        let kind = family.kind;
        let _ = writeln!(
            out,
            "The other keys are the plugin's own: `framework list-plugins --kind {kind}` lists the plugins,"
        );
        let _ = writeln!(out, "`framework describe NAME` one plugin's keys.\n");
    }
    for (key, property) in nested {
        section(out, &format!("{name}.{key}"), property);
    }
}

fn rows(schema: Schema, defaults: &Value) -> Vec<Row> {
    let required = schema.required();
    let row = |(key, option): (&str, Schema)| {
        let default = defaults.get(key).or_else(|| option.get("default")).filter(|v| !v.is_null());
        Row {
            key: key.to_owned(),
            takes: takes(option),
            default: default.map(inline),
            required: required.contains(&key) && default.is_none(),
            text: text(option),
        }
    };
    schema.properties().into_iter().map(row).collect()
}

fn takes(option: Schema) -> String {
    // "at least 0" is what an unsigned number says about itself
    match option.range() {
        Some(range) if range != "at least 0" || option.types() == ["number"] => {
            format!("{}, {range}", option.name(false))
        }
        _ => option.name(false),
    }
}

fn text(option: Schema) -> String {
    let text = paragraph(option.text("description").unwrap_or_default());
    let choices = option.branches().into_iter().flat_map(Schema::documented_choices);
    let choices: Vec<_> = choices.map(|(name, text)| format!("`{name}`: {}", paragraph(text))).collect();
    [vec![text], choices].concat().join(" ").trim().to_owned()
}

fn paragraph(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A default as it would stand in a recipe.
fn inline(value: &Value) -> String {
    if value.is_number() {
        // 1e-8 rather than 0.00000001; both are TOML
        return value.to_string();
    }
    toml::Value::try_from(value).map_or_else(|_| value.to_string(), |v| v.to_string())
}

fn table_into(out: &mut String, rows: &[Row]) {
    if rows.is_empty() {
        out.push_str("No keys of its own.\n\n");
        return;
    }
    out.push_str("| key | takes | default | |\n|---|---|---|---|\n");
    for row in rows {
        let default = match &row.default {
            _ if row.required => "required".to_owned(),
            Some(value) => format!("`{value}`"),
            None => String::new(),
        };
        let cell = |text: &str| text.replace('|', "\\|");
        let _ = writeln!(out, "| `{}` | {} | {} | {} |", row.key, cell(&row.takes), cell(&default), cell(&row.text));
    }
    out.push('\n');
}
