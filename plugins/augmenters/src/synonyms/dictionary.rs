//! Groups of interchangeable words.

use crate::{texts::is_wide, words::JIEBA};
use framework_sdk::prelude::*;
use jieba_rs::Jieba;
use std::{collections::BTreeMap, ops::Range, path::Path, sync::LazyLock};

const SIMPLIFIED: &str = include_str!("chinese.txt");
const TRADITIONAL: &str = include_str!("traditional.txt");
const ENGLISH: &str = include_str!("english.txt");

/// The words that may stand instead of a word, as they are written.
#[derive(Default)]
pub struct Groups(BTreeMap<String, Vec<String>>);

impl Groups {
    /// Adds a file's groups.
    fn read(&mut self, file: &Path, text: &str) -> Result<()> {
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim_start_matches('\u{feff}');
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let tabs = line.contains('\t');
            let words = line.split(|c| if tabs { c == '\t' } else { matches!(c, ',' | '，') }).map(str::trim);
            let words: Vec<_> = words.collect();
            let wrong = |what: String| {
                Err(PluginError::at(file, number, format!("{what}; expected words with commas or tabs between them")))
            };
            if let Some(at) = words.iter().position(|word| word.is_empty()) {
                return wrong(format!("word {} is empty", at + 1));
            }
            if let [word] = words[..] {
                return wrong(format!("`{word}` stands alone"));
            }
            if let Some(word) = words.iter().enumerate().find_map(|(i, word)| words[..i].contains(word).then_some(word))
            {
                return wrong(format!("`{word}` stands twice"));
            }
            for word in &words {
                let synonyms = self.0.entry((*word).to_owned()).or_default();
                for other in words.iter().filter(|other| *other != word) {
                    if !synonyms.iter().any(|known| known == other) {
                        synonyms.push((*other).to_owned());
                    }
                }
            }
        }
        Ok(())
    }

    /// What may stand instead of `word`, in capitals as it is.
    pub fn synonyms(&self, word: &str) -> Option<Vec<String>> {
        if let Some(synonyms) = self.0.get(word) {
            return Some(synonyms.clone());
        }
        let small = word.to_lowercase();
        let synonyms = self.0.get(&small).filter(|_| small != word)?.iter();
        if word == super::capitalised(&small) {
            Some(synonyms.map(|word| super::capitalised(word)).collect())
        } else if word == small.to_uppercase() {
            Some(synonyms.map(|word| word.to_uppercase()).collect())
        } else {
            None
        }
    }
}

/// How a text's Chinese is written.
#[derive(Clone, Copy)]
pub enum Script {
    Simplified,
    Traditional,
    /// Today's words mean something else in it.
    Classical,
}

/// Groups, and what cuts Chinese into words so that theirs are not cut up.
struct BuiltIn {
    simplified: Groups,
    traditional: Groups,
    english: Groups,
    jieba: Jieba,
}

static BUILT_IN: LazyLock<BuiltIn> = LazyLock::new(|| {
    let read = |name: &str, text: &str| {
        let mut groups = Groups::default();
        groups.read(Path::new(name), text).map(|()| groups).unwrap_or_else(|e| panic!("{e}"))
    };
    let simplified = read("chinese.txt", SIMPLIFIED);
    let traditional = read("traditional.txt", TRADITIONAL);
    let english = read("english.txt", ENGLISH);
    let jieba = knowing(&JIEBA, simplified.0.keys().chain(traditional.0.keys()));
    BuiltIn { simplified, traditional, english, jieba: jieba.unwrap_or_else(|| JIEBA.clone()) }
});

/// A `jieba` that knows these words too, if there are any that it does not know.
fn knowing<'a>(jieba: &Jieba, words: impl Iterator<Item = &'a String>) -> Option<Jieba> {
    let unknown: Vec<_> = words.filter(|word| word.chars().all(is_wide) && !jieba.has_word(word)).collect();
    (!unknown.is_empty()).then(|| {
        let mut jieba = jieba.clone();
        for word in unknown {
            jieba.add_word(word, None, None);
        }
        jieba
    })
}

/// A file's groups and the built-in ones.
pub struct Dictionary {
    own: Groups,
    built_in: Option<&'static BuiltIn>,
    /// If there are words in `own` that need one.
    jieba: Option<Jieba>,
    /// The bytes of the longest word.
    pub longest: usize,
}

impl Dictionary {
    pub fn new(file: Option<&Path>, built_in: bool) -> Result<Self> {
        let mut own = Groups::default();
        if let Some(file) = file {
            let text = std::fs::read_to_string(file).map_err(|e| {
                PluginError::new(format!("`dictionary`: cannot read {}: {e}", file.display())).key("dictionary")
            })?;
            own.read(file, &text)?;
            if own.0.is_empty() {
                let message = "there are no words in it; expected a group of words on each line";
                return Err(PluginError::new(format!("`dictionary`: {}: {message}", file.display())).key("dictionary"));
            }
        }
        let built_in = built_in.then(|| &*BUILT_IN);
        let jieba = knowing(built_in.map_or(&JIEBA, |built_in| &built_in.jieba), own.0.keys());
        let given = built_in.map(|built_in| [&built_in.simplified, &built_in.traditional, &built_in.english]);
        let words = own.0.keys().chain(given.into_iter().flatten().flat_map(|groups| groups.0.keys()));
        let longest = words.map(String::len).max().unwrap_or(0);
        Ok(Self { own, built_in, jieba, longest })
    }

    /// The groups for a text, those that come first first.
    pub fn groups(&self, script: Script) -> impl Iterator<Item = &Groups> + Clone {
        let given = self.built_in.map(|given| {
            let chinese = match script {
                Script::Simplified => Some(&given.simplified),
                Script::Traditional => Some(&given.traditional),
                Script::Classical => None,
            };
            chinese.into_iter().chain([&given.english])
        });
        std::iter::once(&self.own).chain(given.into_iter().flatten())
    }

    /// The words of a text: Chinese ones; and others, with hyphens and apostrophes in them.
    pub fn words(&self, text: &str) -> Vec<Range<usize>> {
        let given = self.built_in.map_or(&*JIEBA, |built_in| &built_in.jieba);
        let jieba = self.jieba.as_ref().unwrap_or(given);
        let mut words = Vec::new();
        let mut chars = text.char_indices().peekable();
        while let Some((start, c)) = chars.next() {
            if !c.is_alphanumeric() {
                continue;
            }
            let wide = is_wide(c);
            let mut end = start + c.len_utf8();
            while let Some((at, c)) = chars.next_if(|(at, c)| {
                let next = text[at + c.len_utf8()..].chars().next();
                let inside = matches!(c, '-' | '\'' | '’') && next.is_some_and(|c| c.is_alphanumeric() && !is_wide(c));
                is_wide(*c) == wide && (c.is_alphanumeric() || *c == '_' || !wide && inside)
            }) {
                end = at + c.len_utf8();
            }
            if wide {
                let tokens = jieba.cut(&text[start..end], true).into_iter();
                words.extend(tokens.scan(start, |at, token| {
                    *at += token.word.len();
                    Some(*at - token.word.len()..*at)
                }));
            } else {
                words.push(start..end);
            }
        }
        words
    }
}
