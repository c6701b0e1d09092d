//! The tokenization of NIST's `mteval-v13a`, and the one for Chinese that is built on it.
//!
//! Both give what sacrebleu's `13a` and `zh` give (Post, 2018, arXiv:1804.08771), whose numbers are the ones that people
//! compare.

use regex::Regex;
use std::{borrow::Cow, sync::LazyLock};

/// What is replaced, and by what, one after the other: punctuation; full stops and commas that are not within a number;
/// hyphens behind a digit.
static RULES: LazyLock<[(Regex, &str); 4]> = LazyLock::new(|| {
    let rule = |pattern: &str, by| (Regex::new(pattern).expect("a constant"), by);
    [
        rule(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])", " $1 "),
        rule(r"([^0-9])([\.,])", "$1 $2 "),
        rule(r"([\.,])([^0-9])", " $1 $2"),
        rule(r"([0-9])(-)", "$1 $2 "),
    ]
});

/// `13a`: tokens with white space between them.
pub fn words(text: &str) -> String {
    let mut text = text.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    if text.contains('&') {
        text = text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    }
    punctuated(&format!(" {text} "))
}

/// `zh`: the same rules, after each Chinese character has been put apart. Entities and hyphens at line ends stay.
pub fn chinese(text: &str) -> String {
    let mut spaced = String::new();
    for c in text.trim_matches(super::is_space).chars() {
        match is_chinese(c) {
            true => spaced.extend([' ', c, ' ']),
            false => spaced.push(c),
        }
    }
    punctuated(&spaced)
}

fn punctuated(text: &str) -> String {
    let step = |text: Cow<str>, (rule, by): &(Regex, &str)| Cow::Owned(rule.replace_all(&text, *by).into_owned());
    RULES.iter().fold(Cow::Borrowed(text), step).into_owned()
}

/// Whether sacrebleu takes a character for a Chinese one.
///
/// Its table has two ranges beyond 16 bits that are misspelled (`\u20000` is the character U+2000 and a zero). They make
/// U+2001 to U+2A6D and U+2F81 to U+2FA1 Chinese, general punctuation and arrows among them, and leave the rarer
/// characters of the supplementary planes out. Numbers that are to be compared with other people's have to have this, too.
pub fn is_chinese(c: char) -> bool {
    matches!(c,
        '\u{3400}'..='\u{4db5}' | '\u{4e00}'..='\u{9fbb}' | '\u{f900}'..='\u{fa2d}' | '\u{fa30}'..='\u{fa6a}'
        | '\u{fa70}'..='\u{fad9}' | '\u{2001}'..='\u{2a6d}' | '\u{2f81}'..='\u{2fa1}' | '\u{ff00}'..='\u{ffef}'
        | '\u{2e80}'..='\u{2eff}' | '\u{3000}'..='\u{303f}' | '\u{31c0}'..='\u{31ef}' | '\u{2f00}'..='\u{2fdf}'
        | '\u{2ff0}'..='\u{2fff}' | '\u{3100}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}' | '\u{fe10}'..='\u{fe1f}'
        | '\u{fe30}'..='\u{fe4f}' | '\u{3200}'..='\u{33ff}')
}
