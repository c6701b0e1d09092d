//! `context-expansion`: questions and instructions with more context.

use crate::{
    copies::{self, Copies, Random},
    keep,
    qa_pairs::Language,
    sites::{Words, fixed, free},
    words::{is_chinese, is_traditional, sentences},
};
use framework_sdk::prelude::*;
use wordings::{Script, label};

mod wordings;

options! {
    /// Makes copies of records in which one field is extended with context from the record's other fields.
    ///
    /// For example, a question about an article gets the article's title, author, volume, keywords or key sentences,
    /// and the sentences around one that it quotes; an instruction gets its input or category. Context that the text
    /// already contains is not repeated, and fields that the record lacks are ignored. The wording, and whether the
    /// context comes before or after the text, are chosen at random by the seed. Identical copies are dropped; a record
    /// without copies passes unchanged. Do not use sources that give the answer away.
    pub struct ContextExpansion {
        /// The field to expand, such as "question" or "instruction". It must be text.
        field: String,
        /// The fields from which the context is taken, in this order. Their values are texts, numbers, or lists of
        /// these.
        #[serde(default = "sources")]
        sources: Vec<String>,
        /// Number of sentences to add before and after a sentence of the article that the field quotes.
        #[serde(default)]
        neighbours: usize,
        /// The field with the article, for the neighbours.
        #[serde(default = "content")]
        content: String,
        /// Maximum number of sources in a copy, which are chosen at random. Default: all of them.
        #[serde(default)]
        #[schemars(range(min = 1))]
        most: Option<usize>,
        /// Maximum number of characters of the context. Lists and texts are cut after a whole word or sentence.
        #[serde(default = "max_chars")]
        #[schemars(range(min = 1))]
        max_chars: usize,
        /// The language of the wording.
        #[serde(default)]
        language: Language,
        /// Your own wordings, with `{text}` for the field's text and `{context}` for the context.
        #[serde(default)]
        templates: Vec<String>,
        /// Empty each field whose whole text the copy has taken over, for example `input` once `instruction` contains
        /// it.
        #[serde(default)]
        move_sources: bool,
        /// Maximum number of changed copies of a record.
        #[serde(default = "copies::one")]
        #[schemars(range(min = 1))]
        copies: usize,
        /// Keep the original record, before its copies.
        #[serde(default = "copies::yes")]
        keep_original: bool,
    }
}

fn sources() -> Vec<String> {
    ["title", "author", "volume", "keywords", "key_sentences"].map(str::to_owned).into()
}
fn content() -> String {
    "content".into()
}
fn max_chars() -> usize {
    400
}

impl ContextExpansion {
    fn copies(&self) -> Copies {
        Copies { plugin: "context-expansion", count: self.copies, keep_original: self.keep_original }
    }
}

impl Augmenter for ContextExpansion {
    fn validate(&self) -> Result<()> {
        let wrong = |key: &str, message: String| Err(PluginError::new(message).key(key));
        if self.sources.is_empty() && self.neighbours == 0 {
            return wrong(
                "sources",
                "there is no context: `sources` is empty and `neighbours` is 0; give one of them".into(),
            );
        }
        if self.sources.contains(&self.field) {
            return wrong("sources", format!("`sources` has `{}`, which is the `field` that is expanded", self.field));
        }
        if self.max_chars == 0 {
            return wrong("max_chars", "`max_chars` is 0, so that there would be no context; give 1 or more".into());
        }
        if self.most == Some(0) {
            return wrong(
                "most",
                "`most` is 0, so that there would be no context; give 1 or more, or leave it out".into(),
            );
        }
        let incomplete = |t: &&String| ["{text}", "{context}"].iter().any(|part| t.matches(part).count() != 1);
        if let Some(template) = self.templates.iter().find(incomplete) {
            return wrong(
                "templates",
                format!("`templates` has {template:?}; expected one {{text}} and one {{context}} in it"),
            );
        }
        self.copies().validate()
    }

    fn augment(&self, records: Records, seed: u64) -> Result<Records> {
        let (options, to_change) = (self.clone(), self.clone());
        let find = move |record: &Record| options.found(record);
        Ok(self
            .copies()
            .make(records, seed, find, move |record, found, random| to_change.expand(record, found, random)))
    }
}

/// What a record offers.
struct Found {
    text: String,
    script: Script,
    parts: Vec<Part>,
}

/// What one source says.
struct Part {
    source: String,
    items: Vec<String>,
    /// The items are pieces of one text, or sentences, and not words.
    running: bool,
}

impl ContextExpansion {
    fn found(&self, record: &Record) -> Result<Option<Found>> {
        let value = keep::field(record, &self.field)?;
        let not_text = || PluginError::new(format!("the field `{}` is not text but {value}", self.field));
        let text = value.as_str().ok_or_else(not_text)?.to_owned();
        let chinese = match self.language {
            Language::Auto => is_chinese(&text),
            Language::Zh => true,
            Language::En => false,
        };
        let script = match chinese {
            true if is_traditional(free(&text, &fixed(&text, &Words::default()))) => Script::Traditional,
            true => Script::Simplified,
            false => Script::English,
        };
        let mut parts = Vec::new();
        for source in &self.sources {
            parts.extend(record.get(source).map(|value| part(source, value, &text, script)).transpose()?.flatten());
        }
        if self.neighbours > 0 && !text.trim().is_empty() {
            let article = record.get(&self.content).and_then(Value::as_str).unwrap_or_default();
            let title = record.get("title").and_then(Value::as_str).unwrap_or_default();
            parts.extend(neighbours(article, title, &text, self.neighbours));
        }
        Ok((!parts.is_empty()).then_some(Found { text, script, parts }))
    }

    fn expand(&self, record: &Record, found: &Found, random: &mut Random) -> Record {
        let mut order: Vec<usize> = (0..found.parts.len()).collect();
        if let Some(most) = self.most {
            random.shuffle(&mut order);
            order.truncate(most);
            order.sort_unstable();
        }
        let (mut context, mut copy) = (String::new(), record.clone());
        for part in order.into_iter().map(|i| &found.parts[i]) {
            let labels = label(&part.source, found.script);
            let label = random.pick(&labels[..]);
            let fits = |count: &usize| {
                let longer = found.script.add(&context, label, &part.items[..*count], part.running);
                (found.script.ended(&longer).chars().count() <= self.max_chars).then_some(longer)
            };
            let Some((count, longer)) = (1..=part.items.len()).rev().find_map(|n| Some((n, fits(&n)?))) else {
                continue;
            };
            context = longer;
            if let Some(Value::String(moved)) = copy.get_mut(&part.source)
                && self.move_sources
                && count == part.items.len()
            {
                moved.clear();
            }
        }
        if !context.is_empty() {
            let own: Vec<&str> = self.templates.iter().map(String::as_str).collect();
            let templates = if own.is_empty() { found.script.templates() } else { &own };
            let template: &&str = random.pick(templates);
            let text = fill(template, &found.text, &found.script.ended(&context));
            copy.insert(self.field.clone(), text.into());
        }
        copy
    }
}

/// The template with both texts, whatever they contain.
fn fill(template: &str, text: &str, context: &str) -> String {
    let (before, after) = template.split_once("{text}").unwrap_or((template, ""));
    [before.replace("{context}", context), text.to_owned(), after.replace("{context}", context)].concat()
}

/// What a field says that `text` does not say.
fn part(source: &str, value: &Value, text: &str, script: Script) -> Result<Option<Part>> {
    let wrong = |value: &Value| {
        PluginError::new(format!("the field `{source}` is neither text nor a number nor a list of them but {value}"))
    };
    let one = |value: &Value| match value {
        Value::String(item) => Ok(item.trim().to_owned()),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(wrong(other)),
    };
    let said = |item: &String| {
        let digits = item.bytes().all(|b| b.is_ascii_digit());
        item.is_empty() || !digits && text.contains(item.as_str())
    };
    let (mut items, mut running) = match value {
        Value::Null => return Ok(None),
        Value::Array(list) => (list.iter().map(one).collect::<Result<Vec<_>>>()?, false),
        value => (vec![one(value)?], false),
    };
    items.retain(|item| !said(item));
    for item in &mut items {
        *item = match source {
            "title" => script.title(item),
            "volume" => script.volume(item),
            _ => continue,
        };
    }
    items.retain(|item| !said(item));
    if let [item] = &items[..]
        && !matches!(source, "title" | "volume")
        && !value.is_array()
    {
        items = pieces(item);
        running = true;
    }
    let ends = |item: &String| item.ends_with(['。', '！', '？', '…', '”', '」', '.', '!', '?', '"']);
    running |= !items.is_empty() && items.iter().all(ends);
    Ok((!items.is_empty()).then(|| Part { source: source.to_owned(), items, running }))
}

/// A text in sentences, with what is between them.
fn pieces(text: &str) -> Vec<String> {
    let ends = sentences(text).into_iter().map(|s| s.as_ptr() as usize - text.as_ptr() as usize);
    let starts: Vec<_> = std::iter::once(0).chain(ends.skip(1)).chain([text.len()]).collect();
    starts.windows(2).map(|pair| text[pair[0]..pair[1]].to_owned()).collect()
}

/// The sentences before and after the longest one that `text` quotes, but for the title.
fn neighbours(article: &str, title: &str, text: &str, count: usize) -> Vec<Part> {
    let all = sentences(article);
    let quoted = |i: &usize| {
        let words = all[*i].trim_matches(|c: char| !c.is_alphanumeric());
        words.chars().count() >= 4 && !title.contains(words) && text.contains(words)
    };
    let Some(at) = (0..all.len()).filter(quoted).max_by_key(|i| (all[*i].chars().count(), std::cmp::Reverse(*i)))
    else {
        return Vec::new();
    };
    let part = |source: &str, range: &[&str]| {
        let items: Vec<_> = range.iter().filter(|s| !text.contains(**s)).map(|s| (*s).to_owned()).collect();
        (!items.is_empty()).then(|| Part { source: source.to_owned(), items, running: true })
    };
    let before = part(wordings::BEFORE, &all[at.saturating_sub(count)..at]);
    let after = part(wordings::AFTER, &all[at + 1..all.len().min(at + 1 + count)]);
    before.into_iter().chain(after).collect()
}

register!(augmenter "context-expansion" => ContextExpansion, example = r#"
field = "question"
sources = ["title", "author", "keywords"]
max_chars = 200
"#);

#[cfg(test)]
#[path = "context_expansion/tests.rs"]
mod tests;
