//! A view of a JSON Schema, as schemars derives it from a struct of options.

use super::node::{Content, Node};
use framework_base::suggest::either;
use serde_json::Value;

/// A schema within the document that its references point into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema<'a> {
    root: &'a Value,
    here: &'a Value,
}

impl<'a> Schema<'a> {
    /// A whole document.
    pub(super) fn new(root: &'a Value) -> Self {
        Self { root, here: root }
    }

    fn child(self, here: &'a Value) -> Self {
        Self { here, ..self }
    }

    /// A keyword, from here or from what this refers to.
    pub(super) fn get(self, keyword: &str) -> Option<&'a Value> {
        let target = || self.root.pointer(self.here.get("$ref")?.as_str()?.strip_prefix('#')?);
        self.here.get(keyword).or_else(|| self.child(target()?).get(keyword))
    }

    /// A keyword's text.
    pub(super) fn text(self, keyword: &str) -> Option<&'a str> {
        self.get(keyword)?.as_str()
    }

    fn list(self, keyword: &str) -> impl Iterator<Item = Schema<'a>> {
        self.get(keyword).and_then(Value::as_array).into_iter().flatten().map(move |s| self.child(s))
    }

    fn alternatives(self) -> Vec<Schema<'a>> {
        self.list("anyOf").chain(self.list("oneOf")).filter(|s| s.text("type") != Some("null")).collect()
    }

    /// The keys of a table and what they take, those of its parts and alternatives included.
    pub(super) fn properties(self) -> Vec<(&'a str, Schema<'a>)> {
        let own = self.get("properties").and_then(Value::as_object).into_iter().flatten();
        let mut all: Vec<_> = own.map(|(name, s)| (name.as_str(), self.child(s))).collect();
        for part in self.list("allOf").chain(self.alternatives()) {
            for property in part.properties() {
                if !all.iter().any(|(name, _)| *name == property.0) {
                    all.push(property);
                }
            }
        }
        all
    }

    /// The keys that a table must have.
    pub(super) fn required(self) -> Vec<&'a str> {
        let own = self.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        own.chain(self.list("allOf").flat_map(Schema::required)).collect()
    }

    /// Whether a table may have other keys, and what these take.
    pub(super) fn others(self) -> Option<Schema<'a>> {
        match self.get("additionalProperties") {
            None | Some(Value::Bool(false)) => None,
            Some(other) => Some(self.child(other)),
        }
    }

    /// What the elements of a list take, by position.
    pub(super) fn element(self, index: usize) -> Option<Schema<'a>> {
        self.list("prefixItems").nth(index).or_else(|| self.get("items").map(|s| self.child(s)))
    }

    /// The strings that are allowed, if it is an enumeration of strings.
    pub(super) fn choices(self) -> Option<Vec<&'a str>> {
        if let Some(one) = self.text("const") {
            return Some(vec![one]);
        }
        if let Some(list) = self.get("enum").and_then(Value::as_array) {
            return list.iter().filter(|v| !v.is_null()).map(Value::as_str).collect();
        }
        let parts = self.alternatives();
        let all: Option<Vec<_>> = parts.iter().map(|s| s.choices()).collect();
        (!parts.is_empty()).then_some(all?.concat())
    }

    /// An enumeration's strings that have documentation, with it.
    pub(super) fn documented_choices(self) -> Vec<(&'a str, &'a str)> {
        let mut all: Vec<_> = self.text("const").zip(self.text("description")).into_iter().collect();
        all.extend(self.alternatives().into_iter().flat_map(Schema::documented_choices));
        all
    }

    /// The schemas one of which must fit; itself, if there is no choice.
    pub(super) fn branches(self) -> Vec<Schema<'a>> {
        let alternatives = self.alternatives();
        if alternatives.is_empty() || self.choices().is_some() || self.get("properties").is_some() {
            return vec![self];
        }
        alternatives.into_iter().flat_map(Schema::branches).collect()
    }

    /// The types that are allowed, by JSON Schema's names; none: any.
    pub(super) fn types(self) -> Vec<&'a str> {
        match self.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).filter(|t| *t != "null").collect(),
            _ if self.choices().is_some() => vec!["string"],
            _ if self.get("properties").is_some() => vec!["object"],
            _ => Vec::new(),
        }
    }

    /// Whether a value is of a type that is allowed.
    pub(super) fn accepts(self, node: &Node) -> bool {
        let types = self.types();
        let is = |names: &[&str]| types.is_empty() || types.iter().any(|t| names.contains(t));
        match node.content {
            Content::Null => true,
            Content::Bool(_) => is(&["boolean"]),
            Content::Integer(_) => is(&["integer", "number"]),
            Content::Float(_) => is(&["number"]),
            Content::Text(_) => is(&["string"]),
            Content::Date(_) => false,
            Content::List(_) => is(&["array"]),
            Content::Table(_) => is(&["object"]),
        }
    }

    /// For messages: `an integer`, `"epoch", "end" or a number of steps`.
    pub(super) fn expected(self) -> String {
        self.name(true)
    }

    /// What a value is called: `integer`, or with its article, `an integer`.
    pub(super) fn name(self, article: bool) -> String {
        if let Some(text) = self.text("x-expected") {
            return text.to_owned();
        }
        if let Some(choices) = self.choices() {
            return either(&choices.iter().map(|c| format!("{c:?}")).collect::<Vec<_>>());
        }
        let branches = self.branches();
        if branches.len() > 1 {
            let mut names: Vec<_> = branches.iter().map(|b| b.name(article)).collect();
            names.dedup();
            return either(&names);
        }
        // the one alternative of something optional
        let this = branches.first().copied().unwrap_or(self);
        let names: Vec<_> = this.types().iter().map(|t| this.type_name(t, article)).collect();
        if names.is_empty() { (if article { "a value" } else { "any" }).to_owned() } else { either(&names) }
    }

    fn type_name(self, of: &str, article: bool) -> String {
        let noun = match of {
            "integer" => return (if article { "an integer" } else { "integer" }).to_owned(),
            "boolean" => return (if article { "true or false" } else { "boolean" }).to_owned(),
            "string" if self.text("format") == Some("path") => "path".to_owned(),
            "object" => "table".to_owned(),
            "array" => match self.element(0).map(|e| e.types()).as_deref() {
                Some(["string"]) if self.element(0).and_then(|e| e.text("format")) == Some("path") => {
                    "list of paths".to_owned()
                }
                Some(["string"]) => "list of strings".to_owned(),
                Some(["integer"]) => "list of integers".to_owned(),
                Some(["number"]) => "list of numbers".to_owned(),
                Some(["object"]) => "list of tables".to_owned(),
                _ => "list".to_owned(),
            },
            other => other.to_owned(),
        };
        if article { format!("a {noun}") } else { noun }
    }

    /// For messages: `at least 1`, `above 0, up to 1`; none where any number will do.
    pub(super) fn range(self) -> Option<String> {
        let number = |keyword| self.get(keyword).and_then(Value::as_f64);
        let low = number("minimum").map(|n| (n, false)).or(number("exclusiveMinimum").map(|n| (n, true)));
        let high = number("maximum").map(|n| (n, false)).or(number("exclusiveMaximum").map(|n| (n, true)));
        Some(match (low, high) {
            (None, None) => return None,
            (Some((a, false)), None) => format!("at least {a}"),
            (Some((a, true)), None) => format!("above {a}"),
            (None, Some((b, false))) => format!("at most {b}"),
            (None, Some((b, true))) => format!("below {b}"),
            (Some((a, false)), Some((b, false))) => format!("from {a} to {b}"),
            (Some((a, false)), Some((b, true))) => format!("from {a} to below {b}"),
            (Some((a, true)), Some((b, false))) => format!("above {a}, up to {b}"),
            (Some((a, true)), Some((b, true))) => format!("between {a} and {b}"),
        })
    }

    /// Whether a number is within the range.
    pub(super) fn in_range(self, n: f64) -> bool {
        let holds = |keyword, test: fn(&f64, &f64) -> bool| {
            self.get(keyword).and_then(Value::as_f64).is_none_or(|limit| test(&n, &limit))
        };
        n.is_finite()
            && holds("minimum", f64::ge)
            && holds("maximum", f64::le)
            && holds("exclusiveMinimum", f64::gt)
            && holds("exclusiveMaximum", f64::lt)
    }

    /// The first sentence of the documentation.
    pub(super) fn summary(self) -> Option<String> {
        let words: Vec<_> = self.text("description")?.split_whitespace().collect();
        let text = words.join(" ");
        Some(text.split_once(". ").map_or(text.clone(), |(first, _)| format!("{first}.")))
    }
}
