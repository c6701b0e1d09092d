//! Text to tokens, and which of them are trained.

use super::{Example, IGNORE, Sequence, Template, Turn, fields};
use crate::tokenizer::Tokenizer;
use framework_base::Result;
use framework_core::Record;
use std::ops::Range;

/// An encoded example and what was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// At most as long as allowed.
    pub sequence: Sequence,
    /// Tokens before anything was cut off.
    pub length: usize,
    /// Whether the end token was cut off.
    pub end_cut: bool,
    /// Whether every trained part ends with a token at which generation stops, cut off or not.
    pub ends: bool,
}

/// Turns examples into sequences.
#[derive(Debug, Clone, Copy)]
pub struct Encoder<'a> {
    /// The tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The prompt template.
    pub template: &'a Template,
    /// Longest sequence in tokens; the rest is cut off at the end.
    pub max_length: usize,
    /// Train on the prompt's tokens too.
    pub train_on_prompt: bool,
}

/// Tokens, and which of them are trained.
#[derive(Default)]
struct Tokens {
    ids: Vec<u32>,
    trained: Vec<Range<usize>>,
}

impl Encoder<'_> {
    /// The ids that generation starts from, for a prompt that the template made: those that training has before the
    /// response. Not cut to length.
    pub fn prompt_ids(&self, prompt: &str) -> Result<Vec<u32>> {
        self.tokenizer.encode_open(prompt, self.template.adds_special(prompt))
    }

    /// [`Encoder::prompt_ids`] for a record; its last response is not looked at.
    pub fn prompt(&self, record: &Record) -> Result<Vec<u32>> {
        match fields::whole_text(record) {
            Some(text) => self.text_ids(&text),
            None => match self.template.open(record)? {
                Example::Turns { turns, rest } => Ok(self.tokens(&turns, &rest)?.ids),
                Example::Text(text) => self.text_ids(&text),
            },
        }
    }

    /// An example as it is trained. The end token follows unless the response already ends with one.
    pub fn encode(&self, example: &Example) -> Result<Encoded> {
        let (Tokens { mut ids, mut trained }, open) = match example {
            Example::Turns { turns, rest } => (self.tokens(turns, rest)?, rest.is_empty()),
            Example::Text(text) => {
                let ids = self.text_ids(text)?;
                let whole = 0..ids.len();
                (Tokens { trained: vec![whole], ids }, true)
            }
        };
        if let Some(last) = trained.last_mut().filter(|_| open)
            && !self.ended(&ids[last.clone()])?
        {
            ids.push(self.tokenizer.end());
            last.end = ids.len();
        }
        let mut ends = true;
        for range in &trained {
            ends &= self.ended(&ids[range.clone()])?;
        }
        let length = ids.len();
        let last = trained.last().map_or(0, |range| range.end);
        ids.truncate(self.max_length);
        let whole = Range { start: 0, end: if self.train_on_prompt { ids.len() } else { 0 } };
        let mut labels = vec![IGNORE; ids.len()];
        for i in trained.into_iter().chain([whole]).flat_map(|range| range.start..range.end.min(ids.len())) {
            labels[i] = ids[i] as i32;
        }
        Ok(Encoded { sequence: Sequence { ids, labels }, length, end_cut: last > self.max_length, ends })
    }

    /// Turns as one text, so that tokens are those that generation sees: where a token would span the place at which a
    /// response begins, the text is cut there, because generation, too, begins a new token after the prompt.
    fn tokens(&self, turns: &[Turn], rest: &str) -> Result<Tokens> {
        let (mut text, mut spans) = (String::new(), Vec::new());
        for turn in turns {
            text += &turn.prompt;
            let start = text.len();
            text += &turn.response;
            spans.push(start..text.len());
        }
        text += rest;
        let special = self.template.adds_special(&text);
        if let ([span], "") = (&spans[..], rest) {
            // Where the tokens stand in the text need not be known: it takes time to find out.
            let prompt = self.tokenizer.encode_open(&text[..span.start], special)?;
            let ids = self.tokenizer.encode_open(&text, special)?;
            if ids.starts_with(&prompt) {
                let response = prompt.len()..ids.len();
                return Ok(Tokens { ids, trained: vec![response] });
            }
        }
        let whole = self.tokenizer.encode_places(&text, special)?;
        let mut cuts = Vec::new();
        for span in &spans {
            if !self.begins_a_token(&text, special, &whole, span.start)? {
                cuts.push(span.start);
            }
        }
        if cuts.is_empty() {
            let (ids, places) = whole;
            let trained = spans.iter().map(|span| covering(&places, span)).collect();
            return Ok(Tokens { ids, trained });
        }
        let (mut ids, mut places, mut at) = (Vec::new(), Vec::new(), 0);
        for cut in cuts.into_iter().chain([text.len()]) {
            let (piece, offsets) = match at {
                0 => self.tokenizer.encode_places(&text[..cut], special)?,
                _ => self.tokenizer.encode_after(&text[at..cut])?,
            };
            ids.extend(piece);
            places.extend(offsets.into_iter().map(|place| place.start + at..place.end + at));
            at = cut;
        }
        let trained = spans.iter().map(|span| covering(&places, span)).collect();
        Ok(Tokens { ids, trained })
    }

    /// Whether the tokens of a text begin with those of its first `at` bytes. A special token parts what is before it
    /// from what is after it, so that it is enough to look at what follows the last one: a long conversation takes time
    /// in proportion to its length.
    pub(super) fn begins_a_token(
        &self,
        text: &str,
        special: bool,
        (ids, places): &(Vec<u32>, Vec<Range<usize>>),
        at: usize,
    ) -> Result<bool> {
        let before = places.partition_point(|place| place.end <= at);
        let parts = |i: &usize| !places[*i].is_empty() && self.tokenizer.is_special(ids[*i]);
        Ok(match (0..before).rev().find(parts) {
            Some(i) => ids[i..].starts_with(&self.tokenizer.encode_open(&text[places[i].start..at], false)?),
            None => ids.starts_with(&self.tokenizer.encode_open(&text[..at], special)?),
        })
    }

    /// Whether ids end with a token at which generation stops, maybe with white space after it.
    fn ended(&self, ids: &[u32]) -> Result<bool> {
        let stops = self.template.stops();
        match ids.iter().rposition(|id| stops.contains(id)) {
            Some(at) => Ok(self.tokenizer.decode(&ids[at + 1..], false)?.trim().is_empty()),
            None => Ok(false),
        }
    }

    /// A text that is learned whole begins as every sequence does, whatever the template.
    fn text_ids(&self, text: &str) -> Result<Vec<u32>> {
        let bos = self.tokenizer.bos.and_then(|id| self.tokenizer.token(id));
        self.tokenizer.encode_open(text, !bos.is_some_and(|bos| text.starts_with(&bos)))
    }
}

/// The tokens that a part of the text is made of. A token of white space alone may have an empty place at its end.
fn covering(places: &[Range<usize>], span: &Range<usize>) -> Range<usize> {
    let start = places.partition_point(|place| place.end <= span.start);
    let inside = |place: &Range<usize>| place.start < span.end || (place.is_empty() && place.end == span.end);
    let count = places[start..].iter().take_while(|place| inside(place)).count();
    start..start + count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::{Batch, test::record},
        tokenizer::tests::{folder, trained},
    };
    use serde_json::json;

    fn encode(tokenizer: &Tokenizer, template: &str, fields: serde_json::Value, max_length: usize) -> Encoded {
        let template = Template::new(template, tokenizer).unwrap();
        let encoder = Encoder { tokenizer, template: &template, max_length, train_on_prompt: false };
        let record = record(fields);
        let encoded = encoder.encode(&template.examples(&record).unwrap()[0]).unwrap();
        let prompt = encoder.prompt(&record).unwrap();
        let n = prompt.len().min(max_length);
        assert_eq!(encoded.sequence.ids[..n], prompt[..n], "training begins as generation does");
        encoded
    }

    const TASK: &str = "{{ instruction }}{{ output }}";

    /// The tokenizer of [`folder`]: `▁a` 4, `b` 5, `▁` 6, `a` 7, `▁b` 8; `<bos>` 0 before and `</s>` 1 after.
    fn letters() -> Tokenizer {
        Tokenizer::load(folder(r#"{"eos_token": "</s>", "bos_token": "<bos>"}"#).path()).unwrap()
    }

    #[test]
    fn the_response_and_its_end_are_trained() {
        let Encoded { sequence, length, end_cut, .. } =
            encode(&letters(), TASK, json!({ "instruction": "ab", "output": "bb" }), 9);
        assert_eq!(sequence.ids, [0, 4, 5, 5, 5, 1], "<bos> ▁a b b b </s>: no space within the word");
        assert_eq!(sequence.labels, [-100, -100, -100, 5, 5, 1]);
        assert_eq!((length, end_cut, sequence.supervised()), (6, false, 3));
    }

    #[test]
    fn the_end_is_not_doubled_and_an_empty_response_still_ends() {
        let ids = |fields| encode(&letters(), TASK, fields, 9).sequence.ids;
        assert_eq!(ids(json!({ "instruction": "a", "output": "b</s>" })), [0, 4, 5, 1]);
        assert_eq!(ids(json!({ "instruction": "a</s>", "output": "" })), [0, 4, 1, 1]);
    }

    /// `a b` is `▁a ▁b`, but what generation sees of it, `a `, is `▁a ▁`: the model goes on with `b`.
    #[test]
    fn a_token_that_would_span_the_boundary_is_cut_there() {
        let spaced =
            encode(&letters(), "{{ instruction }} {{ output }}", json!({ "instruction": "a", "output": "b" }), 9);
        assert_eq!(spaced.sequence.ids, [0, 4, 6, 5, 1]);
        assert_eq!(spaced.sequence.labels, [-100, -100, -100, 5, 1]);
        let t = trained();
        assert_eq!(t.encode("The dog", false).unwrap().len(), 2, "of which ` dog` is one");
        let byte_level =
            encode(&t, "{{ instruction }} {{ output }}", json!({ "instruction": "The", "output": "dog" }), 9);
        let parts = [t.encode("The ", false).unwrap(), t.encode("dog", false).unwrap(), vec![t.end()]];
        assert_eq!(byte_level.sequence.ids, parts.concat());
    }

    /// A pad that is the end token: the trained end is there in the batch, the padding is not.
    #[test]
    fn the_end_is_trained_even_if_it_is_what_fills_batches_up() {
        let dir = folder(r#"{"eos_token": "</s>", "bos_token": "<bos>", "pad_token": "</s>"}"#);
        let t = Tokenizer::load(dir.path()).unwrap();
        assert_eq!(t.pad, t.end());
        let sequence = |output: &str| encode(&t, TASK, json!({ "instruction": "a", "output": output }), 9).sequence;
        let batch = Batch::new([&sequence("b"), &sequence("bbb")], t.pad);
        assert_eq!(batch.ids, [0, 4, 5, 1, 1, 1, 0, 4, 5, 5, 5, 1]);
        assert_eq!(batch.labels, [-100, -100, 5, 1, -100, -100, -100, -100, 5, 5, 5, 1]);
        assert_eq!((batch.supervised(), batch.segments.as_slice()), (6, [vec![4], vec![6]].as_slice()));
    }

    #[test]
    fn what_is_too_long_is_cut_at_the_end() {
        let long = json!({ "instruction": "ab", "output": "bb" });
        let cut = encode(&letters(), TASK, long.clone(), 5);
        assert_eq!((cut.sequence.labels, cut.length, cut.end_cut), (vec![-100, -100, -100, 5, 5], 6, true));
        assert_eq!(encode(&letters(), TASK, long, 3).sequence.supervised(), 0);
    }

    #[test]
    fn texts_are_trained_whole() {
        let encoded = encode(&letters(), TASK, json!({ "text": "ab" }), 9);
        assert_eq!(encoded.sequence.ids, [0, 4, 5, 1]);
        assert_eq!((encoded.sequence.labels.clone(), encoded.sequence.supervised()), (vec![0, 4, 5, 1], 3));
        let spelled_out = encode(&letters(), TASK, json!({ "text": "<bos>ab" }), 9);
        assert_eq!(spelled_out.sequence.ids, [0, 7, 5, 1], "one <bos>, not two");
    }

    #[test]
    fn training_on_the_prompt_is_an_option() {
        let (tokenizer, example) = (
            letters(),
            Example::Turns {
                turns: vec![Turn { prompt: "a".into(), response: "b".into(), ..Default::default() }],
                rest: String::new(),
            },
        );
        let template = Template::new(TASK, &tokenizer).unwrap();
        let encoder = Encoder { tokenizer: &tokenizer, template: &template, max_length: 9, train_on_prompt: true };
        assert_eq!(encoder.encode(&example).unwrap().sequence.labels, [0, 4, 5, 1]);
    }

    /// The seed's `process_func`: no special tokens before the prompt, the response with its end token, and the pad
    /// id, which is the end token and is trained.
    #[test]
    fn deepseek_as_its_tutorials_encode_it() {
        let t = trained();
        let encoded = encode(&t, "deepseek", json!({ "instruction": "The ", "input": "dog", "output": "fox" }), 384);
        let instruction = t.encode("User: The dog\n\n", false).unwrap();
        let mut response = t.encode("Assistant: fox<|endoftext|>", false).unwrap();
        response.push(t.end());
        assert_eq!(encoded.sequence.ids, [instruction.clone(), response.clone()].concat());
        let labels = instruction.iter().map(|_| -100).chain(response.iter().map(|id| *id as i32));
        assert_eq!(encoded.sequence.labels, labels.collect::<Vec<_>>());
    }
}
