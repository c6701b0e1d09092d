//! Examples as they are trained, for people to look at.

use super::{
    Encoded, Encoder, Gate, IGNORE, Sequence,
    gates::{Failed, Gates, look},
};
use crate::tokenizer::Tokenizer;
use framework_base::Result;
use framework_core::Record;
use serde::Serialize;

/// What stands around trained text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// Before it.
    pub start: &'static str,
    /// After it.
    pub end: &'static str,
}

impl Marks {
    /// Brackets.
    pub const PLAIN: Marks = Marks { start: "⟦", end: "⟧" };
    /// Green, for terminals.
    pub const ANSI: Marks = Marks { start: "\u{1b}[32m", end: "\u{1b}[0m" };
}

/// An example as it is trained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Decoded text, special tokens spelled out, trained parts marked.
    pub text: String,
    /// Tokens that are kept.
    pub tokens: usize,
    /// Of these, those that the loss counts.
    pub supervised: usize,
    /// Tokens cut off at the end.
    pub cut: usize,
}

/// Examples and what is wrong with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// The examples, in the records' order.
    pub examples: Vec<Shown>,
    /// What is wrong with any of the records that were given. Empty: they can be trained.
    pub gates: Vec<Gate>,
}

/// Shows the first `show` of the records as they are trained; all of them pass the gates.
///
/// # Errors
/// A record that the template cannot render.
pub fn preview(records: &[Record], encoder: &Encoder, show: usize, marks: Marks) -> Result<Preview> {
    let mut previewing = Previewing::new(show, marks);
    for record in records {
        previewing.add(record, look(record, encoder)?.failed, encoder)?;
    }
    Ok(previewing.done())
}

/// A preview, as record after record comes to it.
pub struct Previewing {
    examples: Vec<Shown>,
    gates: Gates,
    show: usize,
    marks: Marks,
}

impl Previewing {
    /// Will show so many examples.
    pub fn new(show: usize, marks: Marks) -> Self {
        Self { examples: Vec::new(), gates: Gates::default(), show, marks }
    }

    /// The next record, with what [`look`] says of it.
    pub fn add(&mut self, record: &Record, failed: Failed, encoder: &Encoder) -> Result<()> {
        self.gates.add(failed);
        // Both answers of a pair.
        let most = if encoder.template.reads_pairs() { 2 * self.show } else { self.show };
        if self.examples.len() >= most || !encoder.template.is_consistent(record)? {
            return Ok(());
        }
        for example in encoder.template.examples(record)?.iter().take(most - self.examples.len()) {
            let Encoded { sequence, length, .. } = encoder.encode(example)?;
            let text = marked(&sequence, encoder.tokenizer, self.marks)?;
            let (tokens, supervised) = (sequence.len(), sequence.supervised());
            self.examples.push(Shown { text, tokens, supervised, cut: length - tokens });
        }
        Ok(())
    }

    /// Returns what was found.
    pub fn done(self) -> Preview {
        Preview { examples: self.examples, gates: self.gates.closed() }
    }
}

fn marked(sequence: &Sequence, tokenizer: &Tokenizer, marks: Marks) -> Result<String> {
    let (mut text, mut stream, mut trained) = (String::new(), tokenizer.stream(false), false);
    for (id, label) in sequence.ids.iter().zip(&sequence.labels) {
        if trained != (*label != IGNORE) {
            text += if trained { marks.end } else { marks.start };
            trained = !trained;
        }
        text += &stream.push(*id)?;
    }
    text += &stream.finish()?;
    Ok(text + if trained { marks.end } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::{Template, test::record},
        tokenizer::tests::trained,
    };
    use serde_json::json;

    #[test]
    fn trained_text_is_marked() {
        let tokenizer = trained();
        let template = Template::new("plain", &tokenizer).unwrap();
        let encoder = Encoder { tokenizer: &tokenizer, template: &template, max_length: 100, train_on_prompt: false };
        let records = [
            record(json!({ "instruction": "春天", "output": "花" })),
            record(json!({ "text": "月" })),
            record(json!({ "text": "湖" })),
        ];
        let preview = preview(&records, &encoder, 2, Marks::PLAIN).unwrap();
        let texts: Vec<_> = preview.examples.iter().map(|shown| shown.text.as_str()).collect();
        assert_eq!(texts, ["春天\n⟦花<|endoftext|>⟧", "⟦月<|endoftext|>⟧"]);
        assert!(preview.gates.is_empty());
    }

    #[test]
    fn what_is_cut_off_is_counted() {
        let tokenizer = trained();
        let template = Template::new("plain", &tokenizer).unwrap();
        let encoder = Encoder { tokenizer: &tokenizer, template: &template, max_length: 3, train_on_prompt: false };
        let record = record(json!({ "instruction": "q", "output": "zz" }));
        let shown = &preview(&[record], &encoder, 1, Marks::ANSI).unwrap().examples[0];
        assert_eq!((shown.tokens, shown.supervised, shown.cut), (3, 1, 2));
        assert_eq!(shown.text, "q\n\u{1b}[32mz\u{1b}[0m");
    }
}
