//! Answers about the articles of a magazine: do they name the article, its author and issue, and the sources that the
//! reference names?
//!
//! Fields are read from answers that are JSON, under their Chinese or English names, at any depth. White space within them
//! does not count. What is not JSON has no fields.

use crate::{Counted, Pair, json::parsed, mean, tokens::squeezed};
use regex::Regex;
use serde_json::Value;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::LazyLock,
};

/// A field of an article.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Its title: 标题 or `title`.
    Title,
    /// Its author: 作者 or `author`.
    Author,
    /// The issue that it appeared in: 卷期 or `volume`.
    Volume,
}

impl Field {
    fn names(self) -> [&'static str; 2] {
        match self {
            Field::Title => ["标题", "title"],
            Field::Author => ["作者", "author"],
            Field::Volume => ["卷期", "volume"],
        }
    }
}

/// The share of answers whose field is that of the reference, among the pairs whose reference has it.
pub fn field(pairs: &[Pair], field: Field) -> Box<dyn Counted> {
    mean(pairs.iter().map(|pair| {
        let expected = field_of(&parsed(&pair.reference)?, field)?;
        let found = parsed(&pair.answer).and_then(|answer| field_of(&answer, field));
        Some(f64::from(found == Some(expected)))
    }))
}

/// How far the keywords of answers agree with those of references: a mean of F-measures, over the pairs whose reference
/// has keywords. They are the keys of 关键词解释, or the list `keywords`.
pub fn keywords(pairs: &[Pair]) -> Box<dyn Counted> {
    mean(pairs.iter().map(|pair| {
        let expected = words(&parsed(&pair.reference)?).filter(|words| !words.is_empty())?;
        let found = parsed(&pair.answer).and_then(|answer| words(&answer)).unwrap_or_default();
        Some(agreement(&found, &expected))
    }))
}

/// How far the sources that answers cite are those of the references: a mean of F-measures, over the pairs in which either
/// cites any. Sources are titles in 《》 and issues such as 第3期, in prose as in JSON, and the title field. An answer that
/// cites what the reference does not is as wrong as one that leaves a source out.
pub fn citations(pairs: &[Pair]) -> Box<dyn Counted> {
    mean(pairs.iter().map(|pair| {
        let (found, expected) = (sources(&pair.answer), sources(&pair.reference));
        (!found.is_empty() || !expected.is_empty()).then(|| agreement(&found, &expected))
    }))
}

static TITLE: LazyLock<Regex> = LazyLock::new(|| Regex::new("《([^《》]+)》").expect("a constant"));
static ISSUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"第\s*[0-9０-９一二三四五六七八九十百]+\s*[期卷]").expect("a constant"));

fn sources(text: &str) -> BTreeSet<String> {
    let titles = TITLE.captures_iter(text).map(|found| squeezed(&found[1]));
    let issues = ISSUE.find_iter(text).map(|found| squeezed(found.as_str()));
    let named = parsed(text).and_then(|value| field_of(&value, Field::Title)).filter(|title| !title.is_empty());
    titles.chain(issues).chain(named).collect()
}

/// The first text or number with one of a field's names, the outer tables first.
fn field_of(value: &Value, field: Field) -> Option<String> {
    let mut open = VecDeque::from([value]);
    while let Some(value) = open.pop_front() {
        let Value::Object(table) = value else { continue };
        for value in field.names().iter().filter_map(|name| table.get(*name)) {
            match value {
                Value::String(text) => return Some(squeezed(text)),
                Value::Number(number) => return Some(number.to_string()),
                _ => {}
            }
        }
        open.extend(table.values());
    }
    None
}

fn words(value: &Value) -> Option<BTreeSet<String>> {
    match (&value["关键词解释"], &value["keywords"]) {
        (Value::Object(table), _) => Some(table.keys().map(|word| squeezed(word)).collect()),
        (_, Value::Array(list)) => Some(list.iter().filter_map(Value::as_str).map(squeezed).collect()),
        _ => None,
    }
}

/// The F-measure of two sets.
fn agreement(found: &BTreeSet<String>, expected: &BTreeSet<String>) -> f64 {
    if found.is_empty() || expected.is_empty() {
        return 0.0;
    }
    2.0 * found.intersection(expected).count() as f64 / (found.len() + expected.len()) as f64
}
