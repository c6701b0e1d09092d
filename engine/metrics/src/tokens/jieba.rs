//! The words of Chinese texts, as Python's jieba finds them.

use jieba_rs::Jieba;
use regex::Regex;
use std::sync::LazyLock;

/// Loading the dictionary takes a third of a second; most runs do not need it.
static DICTIONARY: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// The words of a text, in the dictionary's order of preference and, where it knows none, by the hidden Markov model.
///
/// What is cut is what Python's version cuts: runs of the characters of [`is_cut`]. All others stand by themselves;
/// `jieba-rs` would take characters of the supplementary planes and full-width letters into words.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match is_cut(first) {
            true => rest.find(|c| !is_cut(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let run = &rest[..end];
        match is_cut(first) {
            true => DICTIONARY.cut(run, true).iter().for_each(|token| parts(token.word, &mut words)),
            false if super::is_space(first) => {}
            false => words.push(run.to_owned()),
        }
        rest = &rest[end..];
    }
    words
}

/// Takes compounds of letters, digits and signs apart, which `jieba-rs` keeps together: `state-of-the-art`, `a.m`.
fn parts(word: &str, into: &mut Vec<String>) {
    static ALPHANUMERIC: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"[a-zA-Z0-9]+(?:\.[0-9]+)?%?").expect("a constant"));
    if !word.is_ascii() || DICTIONARY.has_word(word) {
        return into.push(word.to_owned());
    }
    let mut at = 0;
    for found in ALPHANUMERIC.find_iter(word) {
        into.extend((at < found.start()).then(|| word[at..found.start()].to_owned()));
        into.push(found.as_str().to_owned());
        at = found.end();
    }
    into.extend((at < word.len()).then(|| word[at..].to_owned()));
}

fn is_cut(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fd5}' | 'a'..='z' | 'A'..='Z' | '0'..='9' | '+' | '#' | '&' | '.' | '_' | '%' | '-')
}
