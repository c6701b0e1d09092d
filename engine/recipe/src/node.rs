//! The recipe as it was written: values that know where they came from.

use super::source::Origin;
use serde_json::{Map, Value};
use toml::{Spanned, de::DeValue};

/// A value of the recipe.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) content: Content,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Only in options that a plugin filled in.
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    /// Dates and times, which no key of a recipe is.
    Date(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Where the key is, which for a table may not be where its value is.
    pub(super) origin: Origin,
    pub(super) node: Node,
}

impl Node {
    /// A table without keys.
    pub(super) fn table(origin: Origin) -> Node {
        Node { origin, content: Content::Table(Vec::new()) }
    }

    /// What TOML has; integers that do not fit go to `too_large`, by position.
    pub(super) fn from_toml(value: &Spanned<DeValue>, too_large: &mut Vec<usize>) -> Node {
        let start = value.span().start;
        let content = match value.get_ref() {
            DeValue::Boolean(b) => Content::Bool(*b),
            DeValue::Integer(i) => match i64::from_str_radix(i.as_str(), i.radix()) {
                Ok(i) => Content::Integer(i),
                Err(_) => {
                    too_large.push(start);
                    Content::Integer(0)
                }
            },
            // the parser has checked the grammar; too large a number becomes infinite and is refused by the check
            DeValue::Float(f) => Content::Float(f.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::String(s) => Content::Text(s.to_string()),
            DeValue::Datetime(d) => Content::Date(d.to_string()),
            DeValue::Array(a) => Content::List(a.iter().map(|v| Node::from_toml(v, too_large)).collect()),
            DeValue::Table(t) => Content::Table(
                t.iter()
                    .map(|(key, value)| Entry {
                        name: key.get_ref().to_string(),
                        origin: Origin::File(key.span().start),
                        node: Node::from_toml(value, too_large),
                    })
                    .collect(),
            ),
        };
        Node { origin: Origin::File(start), content }
    }

    /// What JSON has, all of it from one place.
    pub(super) fn from_json(value: &Value, origin: Origin) -> Node {
        let content = match value {
            Value::Null => Content::Null,
            Value::Bool(b) => Content::Bool(*b),
            Value::Number(n) => n.as_i64().map_or(Content::Float(n.as_f64().unwrap_or(f64::NAN)), Content::Integer),
            Value::String(s) => Content::Text(s.clone()),
            Value::Array(a) => Content::List(a.iter().map(|v| Node::from_json(v, origin)).collect()),
            Value::Object(o) => Content::Table(o.iter().map(|(k, v)| Entry::from_json(k, v, origin)).collect()),
        };
        Node { origin, content }
    }

    /// The value alone. Keys without a value are left out.
    pub(super) fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(b) => (*b).into(),
            Content::Integer(i) => (*i).into(),
            Content::Float(f) => (*f).into(),
            Content::Text(s) | Content::Date(s) => s.as_str().into(),
            Content::List(a) => a.iter().map(Node::to_json).collect(),
            Content::Table(t) => Value::Object(entries_to_json(t)),
        }
    }

    /// The entries, if it is a table.
    pub(super) fn entries(&self) -> &[Entry] {
        if let Content::Table(entries) = &self.content { entries } else { &[] }
    }

    /// The value of a key, if it is a table that has it.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.entries().iter().find(|e| e.name == name).map(|e| &e.node)
    }

    /// The elements, if it is a list.
    pub(super) fn elements(&self) -> &[Node] {
        if let Content::List(elements) = &self.content { elements } else { &[] }
    }

    /// The characters, if it is a string.
    pub(super) fn text(&self) -> Option<&str> {
        if let Content::Text(s) = &self.content { Some(s) } else { None }
    }

    /// The number, if it is one.
    pub(super) fn number(&self) -> Option<f64> {
        match self.content {
            Content::Integer(i) => Some(i as f64),
            Content::Float(f) => Some(f),
            _ => None,
        }
    }

    /// What there is at a dotted path such as `dataset.0.path`.
    pub(super) fn at(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, part| match &node.content {
            Content::List(elements) => elements.get(part.parse::<usize>().ok()?),
            _ => node.get(part),
        })
    }

    /// For messages: `the string "8"`, `a list`.
    pub(super) fn describe(&self) -> String {
        match &self.content {
            Content::Null => "nothing".into(),
            Content::Bool(b) => b.to_string(),
            Content::Integer(i) => format!("the integer {i}"),
            Content::Float(f) => format!("the number {f:?}"),
            Content::Text(s) if s.chars().count() > 40 => {
                format!("the string {:?}…", s.chars().take(40).collect::<String>())
            }
            Content::Text(s) => format!("the string {s:?}"),
            Content::Date(d) => format!("the date {d}"),
            Content::List(_) => "a list".into(),
            Content::Table(_) => "a table".into(),
        }
    }
}

impl Entry {
    /// A key and a value from one place.
    pub(super) fn from_json(name: &str, value: &Value, origin: Origin) -> Entry {
        Entry { name: name.to_owned(), origin, node: Node::from_json(value, origin) }
    }
}

/// Entries as a JSON object. Keys without a value are left out.
pub(super) fn entries_to_json(entries: &[Entry]) -> Map<String, Value> {
    let given = entries.iter().filter(|e| !matches!(e.node.content, Content::Null));
    given.map(|e| (e.name.clone(), e.node.to_json())).collect()
}
