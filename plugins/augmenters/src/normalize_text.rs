//! `normalize-text`: one way of writing the same thing.

use crate::texts::{change, is_wide};
use framework_sdk::prelude::*;
use unicode_normalization::UnicodeNormalization;

options! {
    /// Normalizes texts: Unicode form, width of letters and digits, punctuation, white space.
    ///
    /// The steps run in the order of the options.
    pub struct NormalizeText {
        /// The fields to change, which every record must have. Empty: all fields.
        #[serde(default)]
        fields: Vec<String>,
        /// The Unicode normalization form (Unicode Standard Annex 15).
        #[serde(default)]
        form: Form,
        /// Write full-width letters, digits and spaces (`Ａ１`) as ASCII.
        #[serde(default = "yes")]
        narrow: bool,
        /// How punctuation is written.
        #[serde(default)]
        punctuation: Punctuation,
        /// Remove control and zero-width characters, replace runs of blanks by one space, remove blanks at the ends of
        /// lines, and merge several blank lines into one.
        #[serde(default = "yes")]
        white_space: bool,
    }
}

options! {
    /// A Unicode normalization form.
    #[derive(Copy, Default)]
    #[serde(rename_all = "lowercase")]
    pub enum Form {
        /// Unchanged.
        None,
        /// Composed characters.
        #[default]
        Nfc,
        /// Composed characters, with compatibility characters replaced: full-width punctuation becomes ASCII, and
        /// ligatures become letters.
        Nfkc,
    }
}

options! {
    /// How punctuation is written.
    #[derive(Copy, Default)]
    #[serde(rename_all = "lowercase")]
    pub enum Punctuation {
        /// Unchanged.
        #[default]
        Keep,
        /// Full-width after Chinese characters: `好,` becomes `好，`.
        Chinese,
        /// ASCII everywhere: `，` becomes `,`.
        Ascii,
    }
}

fn yes() -> bool {
    true
}

impl Augmenter for NormalizeText {
    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        let options = self.clone();
        Ok(change(records, "normalize-text", self.fields.clone(), move |text| options.normalize(text)))
    }
}

impl NormalizeText {
    fn normalize(&self, text: &str) -> String {
        let mut text: String = match self.form {
            Form::None => text.to_owned(),
            Form::Nfc => text.nfc().collect(),
            Form::Nfkc => text.nfkc().collect(),
        };
        if self.narrow {
            text = text.chars().map(narrow).collect();
        }
        match self.punctuation {
            Punctuation::Keep => {}
            Punctuation::Chinese => text = chinese(&text),
            Punctuation::Ascii => text = text.chars().map(ascii).collect(),
        }
        if self.white_space { white_space(&text) } else { text }
    }
}

fn narrow(c: char) -> char {
    match c {
        '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        _ => c,
    }
}

/// ASCII and full-width punctuation.
const PAIRS: [(char, char); 8] =
    [(',', '，'), ('.', '。'), ('!', '！'), ('?', '？'), (':', '：'), (';', '；'), ('(', '（'), (')', '）')];

fn ascii(c: char) -> char {
    PAIRS.iter().find(|(_, wide)| *wide == c).map_or(c, |(narrow, _)| *narrow)
}

fn chinese(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Brackets are a pair: the second is written as the first was.
    let mut brackets = Vec::new();
    for c in text.chars() {
        let after_wide = out.chars().next_back().is_some_and(is_wide);
        let wide = match c {
            '(' => {
                brackets.push(after_wide);
                after_wide
            }
            ')' => brackets.pop().unwrap_or(after_wide),
            _ => after_wide,
        };
        let pair = PAIRS.iter().find(|(narrow, _)| *narrow == c).filter(|_| wide);
        out.push(pair.map_or(c, |(_, full)| *full));
    }
    out
}

fn white_space(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let shown = |c: &char| {
            let invisible = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}');
            !invisible && (!c.is_control() || *c == '\t')
        };
        let line: String = line.chars().filter(shown).collect();
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if !line.is_empty() || lines.last().is_some_and(|last| !last.is_empty()) {
            lines.push(line);
        }
    }
    lines.join("\n").trim_end().to_owned()
}

register!(augmenter "normalize-text" => NormalizeText, example = r#"
fields = ["content"]
form = "nfc"
punctuation = "chinese"
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::test;

    #[track_caller]
    fn gives(options: &str, text: &str, expected: &str) {
        let records = test::augmenter("normalize-text", options, [json!({ "text": text })], 1);
        assert_eq!(records[0]["text"], expected);
    }

    #[test]
    fn unicode_forms() {
        gives("", "e\u{301}ﬁ", "\u{e9}ﬁ");
        gives("form = \"nfkc\"", "e\u{301}ﬁ①，", "\u{e9}fi1,");
        gives("form = \"none\"", "e\u{301}", "e\u{301}");
    }

    #[test]
    fn width_and_punctuation() {
        gives("", "第１２期　ＡＢc，", "第12期 ABc，");
        gives("narrow = false\nwhite_space = false", "Ａ　", "Ａ　");
        gives("punctuation = \"chinese\"", "好,真的吗?(是)3.5 (yes). ok,", "好，真的吗？（是）3.5 (yes). ok,");
        gives("punctuation = \"ascii\"", "好，真的吗？（是）", "好,真的吗?(是)");
    }

    #[test]
    fn white_space_is_tidied() {
        gives("", " a \t b\u{200b}\u{0}\r\n\n \n\nc\u{a0}\n\n", "a b\n\nc");
        gives("white_space = false", " a  b\n\n\n", " a  b\n\n\n");
        gives("", "", "");
    }
}
