//! Gates: what must hold before training makes sense.

use super::{Encoder, Example, fields::ANSWER};
use crate::{Problem, Result};
use framework_core::Record;
use serde::Serialize;

/// Something that is wrong with examples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// A short name, e.g. `end-not-trained`.
    pub name: &'static str,
    /// What is wrong.
    pub message: &'static str,
    /// What to do.
    pub help: &'static str,
    /// Numbers of the examples, counted from 0.
    pub examples: Vec<usize>,
}

const GATES: [(&str, &str, &str); 4] = [
    (
        "nothing-trained",
        "no trained token is left after cutting to the greatest length",
        "raise `prompt.max_length`, or shorten the prompts",
    ),
    (
        "end-not-trained",
        "the end token is not trained, so the model does not learn to stop",
        "raise `prompt.max_length`, or leave long examples out",
    ),
    ("empty-response", "the response is empty", "leave such records out, or name the field that has the response"),
    (
        "prompts-differ",
        "training and generation have different prompts",
        "take from the template what it reads of the response before the response itself",
    ),
];

impl Gate {
    /// As a problem with the recipe's data.
    pub fn problem(&self) -> Problem {
        let shown: Vec<_> = self.examples.iter().take(5).map(|i| (i + 1).to_string()).collect();
        let more = if self.examples.len() > shown.len() { ", …" } else { "" };
        let count = self.examples.len();
        Problem::new(format!("{} in {count} examples (number {}{more})", self.message, shown.join(", ")))
            .help(self.help)
    }
}

/// Checks records as they would be trained; each gate that does not hold is listed once with its examples.
///
/// # Errors
/// A record that the template cannot render.
pub fn gates(records: &[Record], encoder: &Encoder) -> Result<Vec<Gate>> {
    let new = |(name, message, help)| Gate { name, message, help, examples: Vec::new() };
    let mut gates = GATES.map(new);
    for (i, record) in records.iter().enumerate() {
        let example = encoder.template.render(record)?;
        let encoded = encoder.encode(&example)?;
        let trained = encoded.sequence.supervised() > 0;
        let differ = match &example {
            Example::Pair { prompt, .. } => encoder.template.prompt(&asked(record))? != *prompt,
            Example::Text(_) => false,
        };
        let failed = [!trained, trained && encoded.end_cut, example.is_empty(), differ];
        for (gate, failed) in gates.iter_mut().zip(failed) {
            gate.examples.extend(failed.then_some(i));
        }
    }
    Ok(gates.into_iter().filter(|gate| !gate.examples.is_empty()).collect())
}

/// The record as it stands when its response is not known.
fn asked(record: &Record) -> Record {
    record.iter().filter(|(key, _)| !ANSWER.contains(&key.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect()
}

impl Example {
    /// Whether there is nothing to learn but to stop.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Example::Pair { response, .. } => response.trim().is_empty(),
            Example::Text(text) => text.trim().is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::{Template, test::record},
        tokenizer::tests::trained,
    };
    use serde_json::json;

    fn found(template: &str, max_length: usize, fields: serde_json::Value) -> Vec<&'static str> {
        let tokenizer = trained();
        let template = Template::new(template, &tokenizer).unwrap();
        let encoder = Encoder { tokenizer: &tokenizer, template: &template, max_length, train_on_prompt: false };
        let good = record(json!({ "instruction": "a", "output": "b" }));
        let gates = gates(&[good, record(fields)], &encoder).unwrap();
        assert!(gates.iter().all(|gate| gate.examples == [1]), "{gates:?}");
        gates.iter().map(|gate| gate.name).collect()
    }

    #[test]
    fn each_gate_closes_on_its_own() {
        let plain = |max_length, fields| found("plain", max_length, fields);
        assert!(plain(9, json!({ "instruction": "a", "output": "xyz" })).is_empty());
        assert_eq!(plain(9, json!({ "instruction": "zyxwvutsrqp", "output": "b" })), ["nothing-trained"]);
        assert_eq!(plain(9, json!({ "instruction": "a", "output": "zyxwvutsrqp" })), ["end-not-trained"]);
        assert_eq!(plain(9, json!({ "instruction": "a", "output": " " })), ["empty-response"]);
        let leaks = "{{ record.output | default('') if record.leak }}: {{ output }}";
        let fields = json!({ "instruction": "a", "output": "b", "leak": true });
        assert_eq!(found(leaks, 20, fields), ["prompts-differ"]);
    }

    #[test]
    fn a_gate_is_a_problem_with_advice() {
        let (name, message, help) = GATES[1];
        let text = Gate { name, message, help, examples: (0..7).collect() }.problem().to_string();
        assert!(text.contains("in 7 examples (number 1, 2, 3, 4, 5, …)") && text.contains("max_length"), "{text}");
    }
}
