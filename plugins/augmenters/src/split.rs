//! `split`: long texts in several records.

use crate::{keep::field, words::sentences};
use framework_sdk::{prelude::*, tracing};
use std::ops::Range;

options! {
    /// Splits a long text into several records; the other fields are copied.
    ///
    /// Each part is as long as `max_chars` allows and ends at the end of a paragraph, sentence or character. A
    /// paragraph longer than that is divided at its sentences, and a sentence longer than that at its characters.
    /// Sentence ends of English and Chinese are recognised. Texts that are short enough stay unchanged. Characters are
    /// Unicode code points.
    ///
    /// This is unrelated to the division into training and validation data, which `[validation]` and the `split` of a
    /// `[[dataset]]` set.
    pub struct Split {
        /// The field with the text, which every record must have.
        #[serde(default = "text")]
        field: String,
        /// Maximum number of characters of a part.
        #[schemars(range(min = 1))]
        max_chars: usize,
        /// Where parts end.
        #[serde(default)]
        by: Unit,
        /// Maximum number of characters from the end of a part that are repeated at the beginning of the next one, in
        /// whole paragraphs, sentences or characters (see `by`).
        #[serde(default)]
        overlap: usize,
        /// Name of a new field with the part's number and the number of parts: `{"number": 1, "count": 3}`.
        #[serde(default)]
        number_field: Option<String>,
    }
}

options! {
    /// Where parts end.
    #[derive(Copy, Default)]
    #[serde(rename_all = "lowercase")]
    pub enum Unit {
        /// Between lines.
        #[default]
        Paragraph,
        /// Between sentences.
        Sentence,
        /// Anywhere.
        Characters,
    }
}

fn text() -> String {
    "text".into()
}

impl Augmenter for Split {
    fn validate(&self) -> Result<()> {
        if self.max_chars == 0 {
            return Err(PluginError::option("max_chars", "is 0; a part has at least one character"));
        }
        if self.overlap >= self.max_chars {
            let message = format!("`overlap` ({}) is not smaller than `max_chars` ({})", self.overlap, self.max_chars);
            return Err(PluginError::new(message).key("overlap"));
        }
        match &self.number_field {
            Some(name) if *name == self.field => {
                Err(PluginError::option("number_field", format!("is `{name}`, which is the field that is split")))
            }
            _ => Ok(()),
        }
    }

    fn augment(&self, mut records: Records, _seed: u64) -> Result<Records> {
        let (options, mut read, mut made, mut ready) = (self.clone(), 0_u64, 0_u64, Vec::new().into_iter());
        Ok(Box::new(std::iter::from_fn(move || {
            loop {
                if let Some(part) = ready.next() {
                    return Some(Ok(part));
                }
                let Some(record) = records.next() else {
                    tracing::info!("split made {made} records of {read}");
                    return None;
                };
                read += 1;
                let wrong = |e: PluginError| PluginError::new(format!("record {read}: {}", e.message));
                match record.and_then(|record| options.split(record).map_err(wrong)) {
                    Ok(parts) => {
                        made += parts.len() as u64;
                        ready = parts.into_iter();
                    }
                    Err(e) => return Some(Err(e)),
                }
            }
        })))
    }
}

impl Split {
    fn split(&self, record: Record) -> Result<Vec<Record>> {
        let value = field(&record, &self.field)?;
        let not_text = || PluginError::new(format!("the field `{}` is not text but {value}", self.field));
        let text = value.as_str().ok_or_else(not_text)?;
        if let Some(name) = self.number_field.as_ref().filter(|name| record.contains_key(*name)) {
            let message = format!("there is a field `{name}` already; choose another `number_field`");
            return Err(PluginError::new(message));
        }
        let parts = self.parts(text);
        let count = parts.len();
        let number = |(i, part): (usize, &str)| {
            let mut record = record.clone();
            record.insert(self.field.clone(), part.into());
            if let Some(name) = &self.number_field {
                record.insert(name.clone(), json!({"number": i + 1, "count": count}));
            }
            record
        };
        Ok(parts.into_iter().enumerate().map(number).collect())
    }

    fn parts<'a>(&self, text: &'a str) -> Vec<&'a str> {
        if !is_longer(text, self.max_chars) {
            return vec![text];
        }
        let pieces = pieces(text, self.by, self.max_chars);
        let length = |first: usize, last: usize| pieces[last].chars.end - pieces[first].chars.start;
        let (mut parts, mut first) = (Vec::new(), 0);
        while first < pieces.len() {
            let mut end = first + 1;
            while end < pieces.len() && length(first, end) <= self.max_chars {
                end += 1;
            }
            parts.push(&text[pieces[first].bytes.start..pieces[end - 1].bytes.end]);
            if end == pieces.len() {
                break;
            }
            // What is repeated must leave room for something new.
            let mut next = end;
            while next - 1 > first
                && length(next - 1, end - 1) <= self.overlap
                && length(next - 1, end) <= self.max_chars
            {
                next -= 1;
            }
            first = next;
        }
        if parts.is_empty() {
            parts.push(""); // nothing but white space
        }
        parts
    }
}

fn is_longer(text: &str, chars: usize) -> bool {
    text.len() > chars && text.chars().nth(chars).is_some()
}

/// Where something stands in a text, in bytes and in characters.
struct Piece {
    bytes: Range<usize>,
    chars: Range<usize>,
}

/// What a text is put together from again: units, or finer ones where they are too long.
fn pieces(text: &str, by: Unit, max_chars: usize) -> Vec<Piece> {
    let (mut byte, mut char) = (0, 0);
    let place = |unit: &str| {
        let start = unit.as_ptr() as usize - text.as_ptr() as usize;
        char += text[byte..start].chars().count();
        let chars = char..char + unit.chars().count();
        byte = start + unit.len();
        char = chars.end;
        Piece { bytes: start..byte, chars }
    };
    units(text, by, max_chars).into_iter().map(place).collect()
}

/// Without the white space around them.
fn units(text: &str, by: Unit, max_chars: usize) -> Vec<&str> {
    let (units, finer) = match by {
        Unit::Paragraph => (text.lines().map(str::trim).filter(|line| !line.is_empty()).collect(), Unit::Sentence),
        Unit::Sentence => (sentences(text), Unit::Characters),
        Unit::Characters => {
            let shown = text.char_indices().filter(|(_, c)| !c.is_whitespace());
            return shown.map(|(i, c)| &text[i..i + c.len_utf8()]).collect();
        }
    };
    let fitting = |unit| if is_longer(unit, max_chars) { self::units(unit, finer, max_chars) } else { vec![unit] };
    units.into_iter().flat_map(fitting).collect()
}

register!(augmenter "split" => Split, example = r#"
field = "text"
max_chars = 1000
by = "sentence"
overlap = 100
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::{Kind, test};

    #[track_caller]
    fn gives(options: &str, text: &str, expected: &[&str]) {
        let record = json!({"id": 7, "text": text, "end": true});
        let records = test::augmenter("split", options, [record], 1);
        assert!(records.iter().all(|record| record.keys().eq(["id", "text", "end"]) && record["id"] == 7));
        let parts: Vec<_> = records.iter().map(|record| record["text"].as_str().unwrap()).collect();
        assert_eq!(parts, expected);
    }

    #[test]
    fn paragraphs_stay_together_where_they_fit() {
        gives("max_chars = 10", "ab cd\n\n ef \ngh\n", &["ab cd\n\n ef", "gh"]);
        gives("max_chars = 5", "ab cd\n\n ef \ngh\n", &["ab cd", "ef", "gh"]);
        gives("max_chars = 99", " short \n", &[" short \n"]);
        gives("max_chars = 1", "", &[""]);
        gives("max_chars = 2", " \n  ", &[""]);
    }

    #[test]
    fn sentences_of_both_languages() {
        let text = "春天来了。花开了！ “真的？”她问。";
        gives("max_chars = 10\nby = \"sentence\"", text, &["春天来了。花开了！", "“真的？”她问。"]);
        gives("max_chars = 5\nby = \"sentence\"", text, &["春天来了。", "花开了！", "“真的？”", "她问。"]);
        let text = "Pi is 3.14. Is it? \"Yes.\" Good";
        gives("max_chars = 18\nby = \"sentence\"", text, &["Pi is 3.14. Is it?", "\"Yes.\" Good"]);
    }

    #[test]
    fn finer_units_where_one_is_too_long() {
        // The second line is longer than a part, and so is the second of its three sentences: it goes on where the
        // first left room.
        let text = "甲。\n乙乙。丙丙丙丙丙丙丙丙。丁。";
        gives("max_chars = 6", text, &["甲。\n乙乙。", "丙丙丙丙丙丙", "丙丙。丁。"]);
        gives("max_chars = 5", text, &["甲。", "乙乙。丙丙", "丙丙丙丙丙", "丙。丁。"]);
    }

    #[test]
    fn characters_are_code_points() {
        gives("max_chars = 3\nby = \"characters\"", "一二三四五六七", &["一二三", "四五六", "七"]);
        gives("max_chars = 3\nby = \"characters\"", "ab cd ef", &["ab", "cd", "ef"]);
        gives("max_chars = 1\nby = \"characters\"", " é🙂 ", &["é", "🙂"]);
    }

    #[test]
    fn overlap_is_whole_units_that_have_room() {
        let by = |unit: &str, more: &str| format!("by = {unit:?}\n{more}");
        gives(&by("characters", "max_chars = 4\noverlap = 2"), "abcdefg", &["abcd", "cdef", "efg"]);
        let text = "一一。二。三三三。四。";
        gives(&by("sentence", "max_chars = 6\noverlap = 3"), text, &["一一。二。", "二。三三三。", "四。"]);
        gives(&by("sentence", "max_chars = 7\noverlap = 2"), text, &["一一。二。", "二。三三三。", "四。"]);
        gives(&by("sentence", "max_chars = 6\noverlap = 1"), text, &["一一。二。", "三三三。四。"]);
    }

    /// Whatever the text: nothing is lost, no part is too long, and without overlap nothing comes twice.
    #[test]
    fn nothing_is_lost() {
        let text = "The first. 第二句很长很长很长很长很长！\nA line without an end\n\n？！ “引用。” ... x\n".repeat(3);
        let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        for by in [Unit::Paragraph, Unit::Sentence, Unit::Characters] {
            for max_chars in 1..60 {
                for overlap in [0, max_chars / 3, max_chars - 1] {
                    let split = Split { field: "text".into(), max_chars, by, overlap, number_field: None };
                    let parts = split.parts(&text);
                    assert!(parts.iter().all(|part| part.chars().count() <= max_chars), "{split:?}");
                    if overlap == 0 {
                        assert_eq!(bare(&parts.concat()), bare(&text), "{split:?}");
                    }
                    let at = |part: &&str| part.as_ptr() as usize - text.as_ptr() as usize;
                    let mut end = 0;
                    for part in &parts {
                        assert!(bare(text.get(end..at(part)).unwrap_or_default()).is_empty(), "{split:?}: lost");
                        assert!(at(part) + part.len() > end, "{split:?}: nothing new");
                        end = at(part) + part.len();
                    }
                    assert!(bare(&text[end..]).is_empty());
                }
            }
        }
    }

    #[test]
    fn parts_are_numbered() {
        let options = "max_chars = 2\nby = \"characters\"\nnumber_field = \"part\"";
        let records = test::augmenter("split", options, [json!({"text": "abc"}), json!({"text": "a"})], 1);
        let numbers: Vec<_> = records.iter().map(|record| record["part"].clone()).collect();
        let part = |number: u32, count: u32| json!({"number": number, "count": count});
        assert_eq!(numbers, [part(1, 2), part(2, 2), part(1, 1)]);
    }

    #[test]
    #[should_panic(expected = "record 1: there is a field `n` already; choose another `number_field`")]
    fn a_number_takes_no_fields_place() {
        test::augmenter("split", "max_chars = 2\nnumber_field = \"n\"", [json!({"text": "a", "n": 1})], 1);
    }

    #[test]
    #[should_panic(expected = "record 2: the field `text` is not text but 3")]
    fn what_is_no_text_is_an_error() {
        test::augmenter("split", "max_chars = 2", [json!({"text": "a"}), json!({"text": 3})], 1);
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        for (options, expected) in [
            (json!({"max_chars": 3, "overlap": 3}), "`overlap` (3) is not smaller than `max_chars` (3)"),
            (json!({"max_chars": 0}), "`max_chars` is 0; "),
            (json!({"max_chars": 3, "number_field": "text"}), "`number_field` is `text`, which is the field"),
        ] {
            let declaration = test::declaration(Kind::Augmenter, "split");
            let error = declaration.build.augmenter("split", &options).err().expect(expected);
            assert!(error.message.starts_with(expected), "{}", error.message);
        }
    }
}
