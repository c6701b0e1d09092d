//! `synonyms`: other words for the same.

use crate::{
    copies::{self, Copies},
    sites::{self, Rewrite, Site, free},
    words::{is_classical, is_traditional},
};
use dictionary::{Dictionary, Script};
use framework_sdk::prelude::*;
use std::ops::Range;

mod dictionary;

options! {
    /// Makes copies of records in which some words are replaced by synonyms.
    ///
    /// Only whole words are replaced, the longest known one first; Chinese text is split into words with a dictionary.
    /// English words keep their capitals, and a replacement after `a` or `an` still fits the article. Each built-in
    /// group contains words of one part of speech and one inflection. Protected words (even within a longer word),
    /// field names, and quoted or non-prose text (`“…”`, `"…"`, 《…》, code, tags, formulas, addresses) are never
    /// changed. Copies that equal the record or each other are dropped; a record without copies passes unchanged.
    pub struct Synonyms {
        /// The fields to change, including all texts within them. Every record must have them.
        fields: Vec<String>,
        /// Share of the replaceable words that are replaced. If it is above 0, at least one word is replaced.
        #[serde(default = "share")]
        #[schemars(range(min = 0.0, max = 1.0))]
        rate: f64,
        /// Maximum number of changed copies of a record.
        #[serde(default = "copies::one")]
        #[schemars(range(min = 1))]
        copies: usize,
        /// Keep the original record, before its copies.
        #[serde(default = "copies::yes")]
        keep_original: bool,
        /// A file with one group of interchangeable words per line, separated by commas or tabs. Lines that start with
        /// `#` are comments. These groups take precedence over the built-in ones.
        #[serde(default)]
        dictionary: Option<FilePath>,
        /// Use the built-in groups for modern Chinese (simplified, and a few traditional characters) and English. For
        /// classical Chinese, where the same words have other meanings, use your own dictionary.
        #[serde(default = "copies::yes")]
        built_in: bool,
        /// Words that are never changed, regardless of case.
        #[serde(default)]
        protected: Vec<String>,
        /// Fields of the record that list words to leave unchanged in that record, such as those that `key-points`
        /// adds. A record may lack them.
        #[serde(default = "sites::keywords")]
        protected_fields: Vec<String>,
    }
}

fn share() -> f64 {
    0.3
}

impl Synonyms {
    fn rewrite(&self) -> Rewrite {
        let copies = Copies { plugin: "synonyms", count: self.copies, keep_original: self.keep_original };
        Rewrite {
            fields: self.fields.clone(),
            rate: self.rate,
            copies,
            protected: self.protected.clone(),
            protected_fields: self.protected_fields.clone(),
        }
    }
}

impl Augmenter for Synonyms {
    fn validate(&self) -> Result<()> {
        if !self.built_in && self.dictionary.is_none() {
            let message = "there are no words: `built_in` is false and there is no `dictionary`; give one of them";
            return Err(PluginError::new(message).key("built_in"));
        }
        self.rewrite().validate()
    }

    fn augment(&self, records: Records, seed: u64) -> Result<Records> {
        let dictionary = Dictionary::new(self.dictionary.as_deref(), self.built_in)?;
        Ok(self.rewrite().run(records, seed, move |text, fixed| sites(text, fixed, &dictionary)))
    }
}

/// The words of a text that have synonyms.
fn sites(text: &str, fixed: &[Range<usize>], dictionary: &Dictionary) -> Vec<Site> {
    let script = match (is_classical(free(text, fixed)), is_traditional(free(text, fixed))) {
        (true, _) => Script::Classical,
        (false, true) => Script::Traditional,
        (false, false) => Script::Simplified,
    };
    let groups = dictionary.groups(script);
    let words = dictionary.words(text);
    let (mut sites, mut i) = (Vec::new(), 0);
    while i < words.len() {
        let start = words[i].start;
        let ends = words[i..].iter().take_while(|word| word.end - start <= dictionary.longest).enumerate();
        let known = ends.filter_map(|(n, word)| {
            let range = start..word.end;
            let alternatives = groups.clone().find_map(|group| group.synonyms(&text[range.clone()]))?;
            Some((n, range, alternatives))
        });
        let Some((n, range, mut alternatives)) = known.last() else {
            i += 1;
            continue;
        };
        i += n + 1;
        if !stands_alone(text, &range) {
            continue;
        }
        if starts_sentence(&text[..start]) && text[start..].starts_with(char::is_uppercase) {
            alternatives.iter_mut().for_each(|word| *word = capitalised(word));
        }
        let article = text[..start].trim_end().rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        if matches!(article, "a" | "an" | "A" | "An") {
            let vowel = article.len() == 2;
            alternatives.retain(|word| sounds_like_vowel(word) == vowel);
        }
        sites.push(Site { range, alternatives });
    }
    sites
}

/// Whether what stands beside a word leaves it one: not in `big.csv`, `and/or` or `@big`.
fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let joins = |c: char| "_/\\@#$&=+*<>~^|%".contains(c);
    let mut after = text[range.end..].chars();
    let (next, second) = (after.next(), after.next());
    let dotted = matches!(next, Some('.' | ':' | '(' | '[' | '-' | '\'' | '’'));
    let goes_on = dotted && second.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '"' | ')' | ']'));
    let joined = text[..range.start].ends_with(|c| joins(c) || matches!(c, '.' | '-' | '\'' | '’'));
    !(joined || goes_on || next.is_some_and(joins))
}

fn starts_sentence(before: &str) -> bool {
    before.trim_end().chars().next_back().is_none_or(|c| ".!?:。！？：".contains(c)) || before.ends_with('\n')
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Whether a word has `an` before it.
fn sounds_like_vowel(word: &str) -> bool {
    let word = word.to_lowercase();
    let starts = |parts: &[&str]| parts.iter().any(|part| word.starts_with(part));
    starts(&["hour", "honest", "honor", "honour", "heir"])
        || starts(&["a", "e", "i", "o", "u"]) && !starts(&["uni", "use", "usu", "usa", "util", "eu", "one", "once"])
        || starts(&["unin", "unim", "unid"])
}

register!(augmenter "synonyms" => Synonyms, example = r#"
fields = ["question"]
rate = 0.3
copies = 2
protected = ["ByTheStream"]
"#);

#[cfg(test)]
#[path = "synonyms/tests.rs"]
mod tests;
