//! New tokens as text: without what the template makes every answer begin with, and up to a stop string.

use crate::tokenizer::{TextStream, Tokenizer};
use crate::verse;
use framework_base::Result;
use framework_recipe::GenerateSettings;

/// Reads answers.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    tokenizer: &'a Tokenizer,
    lead: &'a str,
    stop: Stops<'a>,
    verse: bool,
}

/// Texts before which an answer ends: the recipe's stop strings and the template's markers.
#[derive(Clone, Copy)]
struct Stops<'a>([&'a [String]; 2]);

impl<'a> Stops<'a> {
    fn iter(self) -> impl Iterator<Item = &'a String> {
        self.0.into_iter().flatten()
    }

    /// Where the first of them begins.
    fn first_in(self, text: &str) -> Option<usize> {
        self.iter().filter_map(|stop| text.find(stop.as_str())).min()
    }
}

impl<'a> Reader<'a> {
    /// Reads with a tokenizer. `lead` is what every answer begins with and is not shown; the text ends before the first
    /// of the settings' stop strings, which are looked for behind it, and is laid out as they say.
    pub fn new(tokenizer: &'a Tokenizer, lead: &'a str, settings: &'a GenerateSettings) -> Self {
        Self { tokenizer, lead, stop: Stops([&settings.stop, &[]]), verse: settings.verse }
    }

    /// The same, the text ending before the template's markers too.
    pub fn marked(self, marks: &'a [String]) -> Self {
        Self { stop: Stops([self.stop.0[0], marks]), ..self }
    }

    /// Whether there are stop strings.
    pub fn stops(&self) -> bool {
        self.stop.iter().next().is_some()
    }

    /// The text of an answer.
    pub fn text(&self, new: &[u32]) -> Result<String> {
        // As it is streamed: where an answer ends inside a character, decoding all of it at once may give other text.
        let (mut transcript, mut text) = (self.transcript(), String::new());
        for &token in new {
            text += &transcript.push(token)?;
        }
        Ok(text + &transcript.finish()?)
    }

    /// Whether an answer has come to a stop string.
    pub fn stopped(&self, answer: &[u32]) -> Result<bool> {
        let mut transcript = self.transcript();
        for &token in answer {
            transcript.push(token)?;
        }
        Ok(transcript.stopped)
    }

    /// Begins to read an answer token by token.
    pub fn transcript(&self) -> Transcript<'a> {
        Transcript {
            text: self.tokenizer.stream(true),
            lead: Lead::new(self.lead),
            stop: self.stop,
            held: String::new(),
            stopped: false,
            verse: self.verse.then(String::new),
        }
    }

    /// The tokens up to the one that completes a stop string.
    pub fn until_stop(&self, mut new: Vec<u32>) -> Result<Vec<u32>> {
        let mut transcript = self.transcript();
        for (i, &token) in new.iter().enumerate() {
            transcript.push(token)?;
            if transcript.stopped {
                new.truncate(i + 1);
                break;
            }
        }
        Ok(new)
    }

    /// The stop strings that are special tokens, which text does not show.
    pub fn special_stops(&self) -> Result<Vec<u32>> {
        let mut special = Vec::new();
        for id in self.stop.iter().filter_map(|stop| self.tokenizer.id(stop)) {
            if self.tokenizer.decode(&[id], true)?.is_empty() {
                special.push(id);
            }
        }
        Ok(special)
    }
}

/// An answer that is read token by token.
#[derive(Clone)]
pub struct Transcript<'a> {
    text: TextStream<'a>,
    lead: Lead<'a>,
    stop: Stops<'a>,
    /// What may turn out to be the beginning of a stop string.
    held: String,
    stopped: bool,
    /// The text so far, if it can be laid out only as a whole.
    verse: Option<String>,
}

impl Transcript<'_> {
    /// Takes the next token; gives the text that is certain with it, which may be empty.
    pub fn push(&mut self, token: u32) -> Result<String> {
        let piece = self.text.push(token)?;
        let piece = self.lead.strip(&piece);
        let shown = self.show(&piece);
        Ok(match &mut self.verse {
            Some(whole) => {
                whole.push_str(&shown);
                String::new()
            }
            None => shown,
        })
    }

    /// The rest of the text.
    pub fn finish(mut self) -> Result<String> {
        let rest = self.text.clone().finish()?;
        let rest = self.lead.strip(&rest) + &self.lead.finish();
        let rest = self.show(&rest) + &self.held;
        Ok(match self.verse {
            Some(whole) => verse::lay_out(&(whole + &rest)),
            None => rest,
        })
    }

    /// Whether the text has come to a stop string.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    fn show(&mut self, piece: &str) -> String {
        if self.stopped {
            return String::new();
        }
        self.held.push_str(piece);
        if let Some(at) = self.stop.first_in(&self.held) {
            self.stopped = true;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let begins = |at: &usize| self.stop.iter().any(|stop| stop.starts_with(&self.held[*at..]));
        let at = self.held.char_indices().map(|(at, _)| at).find(begins).unwrap_or(self.held.len());
        let kept = self.held.split_off(at);
        std::mem::replace(&mut self.held, kept)
    }
}

/// Holds a text's first characters back until it is known whether they are the template's.
#[derive(Clone)]
struct Lead<'a> {
    expected: &'a str,
    held: String,
    passed: bool,
}

impl<'a> Lead<'a> {
    fn new(expected: &'a str) -> Self {
        Self { expected, held: String::new(), passed: expected.is_empty() }
    }

    fn strip(&mut self, piece: &str) -> String {
        if self.passed {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        if self.held.len() < self.expected.len() && self.expected.starts_with(&self.held) {
            return String::new();
        }
        self.finish()
    }

    fn finish(&mut self) -> String {
        self.passed = true;
        let held = std::mem::take(&mut self.held);
        held.strip_prefix(self.expected).unwrap_or(&held).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::tests::{folder, trained};

    fn stopping<const N: usize>(stop: [&str; N]) -> GenerateSettings {
        GenerateSettings { stop: stop.map(str::to_owned).to_vec(), ..GenerateSettings::default() }
    }

    /// The pieces as they come, and the rest.
    fn pieces(reader: Reader, ids: &[u32]) -> Vec<String> {
        let mut transcript = reader.transcript();
        let mut pieces: Vec<_> = ids.iter().map(|&id| transcript.push(id).unwrap()).collect();
        pieces.push(transcript.finish().unwrap());
        pieces
    }

    #[test]
    fn the_template_s_lead_is_not_shown() {
        let tokenizer = trained();
        for (text, shown) in [("Assistant: Hello", "Hello"), ("Assisted.", "Assisted."), ("As", "As"), ("", "")] {
            let ids = tokenizer.encode(text, false).unwrap();
            let plain = GenerateSettings::default();
            let reader = Reader::new(&tokenizer, "Assistant: ", &plain);
            assert_eq!(pieces(reader, &ids).concat(), shown);
            assert_eq!(reader.text(&ids).unwrap(), shown);
        }
    }

    /// A marker of the template ends the text as a stop string does, whatever stop strings there are.
    #[test]
    fn the_text_ends_before_a_marker_of_the_template() {
        let tokenizer = trained();
        let marks = ["<|im_end|>".to_owned()];
        let ids = tokenizer.encode("Yes, A <b>.<|im_end|>\nNo.", false).unwrap();
        for (stop, shown) in [(stopping([]), "Yes, A <b>."), (stopping(["A"]), "Yes, ")] {
            let reader = Reader::new(&tokenizer, "", &stop).marked(&marks);
            assert_eq!(
                (pieces(reader, &ids).concat(), reader.text(&ids).unwrap()),
                (shown.to_owned(), shown.to_owned())
            );
            assert!(reader.until_stop(ids.clone()).unwrap().len() < ids.len());
        }
    }

    /// Whatever the tokens, no part of a stop string is shown, and nothing is held back that could not be one.
    #[test]
    fn the_text_ends_before_a_stop_string() {
        let tokenizer = trained();
        let stop = stopping(["\n\n", "User:", "月光下"]);
        let cases = [
            ("One.\n\nTwo.", "One.", true),
            ("A User: no", "A ", true),
            ("春天的月光下的湖泊", "春天的", true),
            ("User:", "", false),
            ("A Use\nUser", "A Use\nUser", false),
            ("月光 Us\nUser", "月光 Us\nUser", false),
            ("One.\n", "One.\n", false),
        ];
        for (text, shown, more) in cases {
            let reader = Reader::new(&tokenizer, "", &stop);
            let ids = tokenizer.encode(text, false).unwrap();
            let all = pieces(reader, &ids);
            assert_eq!((all.concat(), reader.text(&ids).unwrap()), (shown.to_owned(), shown.to_owned()), "{text}");
            let kept = reader.until_stop(ids.clone()).unwrap();
            assert_eq!(kept.len() < ids.len(), more, "{text}");
            assert_eq!(reader.text(&kept).unwrap(), shown);
        }
        // Each token alone is shown at once if no stop string can begin with it.
        let ids = tokenizer.encode("The quick brown fox", false).unwrap();
        let reader = Reader::new(&tokenizer, "", &stop);
        let mut transcript = reader.transcript();
        assert!(ids.iter().all(|&id| !transcript.push(id).unwrap().is_empty()) && !transcript.stopped());
    }

    #[test]
    fn stop_strings_are_looked_for_behind_the_lead() {
        let tokenizer = trained();
        let stop = stopping(["\n\n"]);
        let reader = Reader::new(&tokenizer, "<think>\n\n", &stop);
        let ids = tokenizer.encode("<think>\n\nSo.\n\nYes.", false).unwrap();
        assert_eq!(pieces(reader, &ids).concat(), "So.");
        assert_eq!(reader.text(&ids).unwrap(), "So.");
    }

    #[test]
    fn verse_is_laid_out_as_a_whole() {
        let tokenizer = trained();
        let settings = GenerateSettings { verse: true, ..stopping(["湖泊"]) };
        let reader = Reader::new(&tokenizer, "", &settings);
        let ids = tokenizer.encode("春 天。 月 光 下 的湖泊，", false).unwrap();
        assert_eq!(reader.text(&ids).unwrap(), "春天。");
        let all = pieces(reader, &ids);
        assert_eq!((all.concat().as_str(), all.last().map(String::as_str)), ("春天。", Some("春天。")));
    }

    /// Bytes as tokens: decoding a run of them that ends inside a character at once replaces the whole characters too.
    #[test]
    fn an_answer_cut_inside_a_character_is_the_same_streamed() {
        let vocab: serde_json::Map<_, _> =
            (0..=255u8).map(|byte| (format!("<0x{byte:02X}>"), u32::from(byte).into())).collect();
        let file = serde_json::json!({
            "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null, "post_processor": null,
            "decoder": { "type": "Sequence", "decoders": [{ "type": "ByteFallback" }, { "type": "Fuse" }] },
            "model": { "type": "BPE", "byte_fallback": true, "vocab": vocab, "merges": [] },
        });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("tokenizer.json"), file.to_string()).unwrap();
        std::fs::write(dir.path().join("tokenizer_config.json"), r#"{"eos_token": "<0x00>"}"#).unwrap();
        let tokenizer = Tokenizer::load(dir.path()).unwrap();
        let plain = GenerateSettings::default();
        let reader = Reader::new(&tokenizer, "", &plain);
        let ids: Vec<u32> = "好月".bytes().map(u32::from).take(5).collect();
        assert_eq!(tokenizer.decode(&ids, true).unwrap(), "\u{fffd}".repeat(5));
        assert_eq!(reader.text(&ids).unwrap(), "好\u{fffd}\u{fffd}");
        assert_eq!(pieces(reader, &ids).concat(), "好\u{fffd}\u{fffd}");
    }

    #[test]
    fn special_tokens_are_known_by_their_ids() {
        let dir = folder(r#"{"eos_token": "</s>"}"#);
        let tokenizer = Tokenizer::load(dir.path()).unwrap();
        let stop = stopping(["<end>", "b", "zz"]);
        assert_eq!(Reader::new(&tokenizer, "", &stop).special_stops().unwrap(), [2]);
    }
}
