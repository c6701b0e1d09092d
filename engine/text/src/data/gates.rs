//! Gates: what must hold before training makes sense.

use super::{Encoded, Encoder, Example, Sequence};
use framework_base::{Problem, Result};
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

const GATES: [(&str, &str, &str); 6] = [
    (
        "nothing-trained",
        "no trained token is left after cutting to the greatest length",
        "raise `prompt.max_length`, or shorten the prompts",
    ),
    (
        "end-cut",
        "the end token is cut off, so the model does not learn to stop",
        "raise `prompt.max_length`, or leave long examples out",
    ),
    (
        "end-not-trained",
        "a trained part does not end with a token at which generation stops, so the model does not learn to stop",
        "let the template put `{{ eos_token }}` after the assistant's messages, inside of `{% generation %}` if it has that",
    ),
    ("empty-response", "the response is empty", "leave such records out, or name the field that has the response"),
    (
        "prompts-differ",
        "training and generation render differently",
        "take from the template what it reads of the response before the response itself",
    ),
    (
        "day-told",
        "the template tells what day it is: training and generation render differently from day to day",
        "fix the day with `prompt.date = \"2026-01-31\"`, or the template's own variable with `prompt.variables`",
    ),
];

impl Gate {
    /// As a problem with the recipe's data.
    pub fn problem(&self) -> Problem {
        let shown: Vec<_> = self.examples.iter().take(5).map(|i| (i + 1).to_string()).collect();
        let more = if self.examples.len() > shown.len() { ", …" } else { "" };
        let count = self.examples.len();
        let examples = if count == 1 { "example" } else { "examples" };
        Problem::new(format!("{} in {count} {examples} (number {}{more})", self.message, shown.join(", ")))
            .help(self.help)
    }
}

/// Checks records as they would be trained; each gate that does not hold is listed once with its examples.
///
/// # Errors
/// A record that the template cannot render.
pub fn gates(records: &[Record], encoder: &Encoder) -> Result<Vec<Gate>> {
    let mut gates = Gates::default();
    for record in records {
        gates.add(look(record, encoder)?.failed);
    }
    Ok(gates.closed())
}

/// Gates, as record after record comes to them.
pub(super) struct Gates {
    gates: [Gate; GATES.len()],
    records: usize,
}

impl Default for Gates {
    fn default() -> Self {
        let new = |(name, message, help)| Gate { name, message, help, examples: Vec::new() };
        Self { gates: GATES.map(new), records: 0 }
    }
}

impl Gates {
    /// The next record, with what [`look`] says of it.
    pub(super) fn add(&mut self, failed: Failed) {
        for (gate, failed) in self.gates.iter_mut().zip(failed) {
            gate.examples.extend(failed.then_some(self.records));
        }
        self.records += 1;
    }

    /// Those that a record did not pass.
    pub(super) fn closed(self) -> Vec<Gate> {
        self.gates.into_iter().filter(|gate| !gate.examples.is_empty()).collect()
    }
}

/// For each gate, whether a record does not pass it.
pub type Failed = [bool; GATES.len()];

/// What is found out of a record.
#[derive(Default)]
pub struct Looked {
    /// Which gates it does not pass.
    pub failed: Failed,
    /// What of it the template does not render.
    pub unused: Vec<String>,
    /// What is trained of it.
    pub sequences: Vec<Sequence>,
}

/// Looks at a record as it would be trained.
pub fn look(record: &Record, encoder: &Encoder) -> Result<Looked> {
    let template = encoder.template;
    if !template.is_consistent(record)? {
        return Ok(Looked { failed: [false, false, false, false, true, false], ..Looked::default() });
    }
    let examples = template.examples(record)?;
    let encoded = examples.iter().map(|example| encoder.encode(example)).collect::<Result<Vec<_>>>()?;
    let trained = |e: &Encoded| e.sequence.supervised() > 0;
    let failed = [
        !encoded.iter().all(trained),
        encoded.iter().any(|e| trained(e) && e.end_cut),
        !encoded.iter().all(|e| e.ends),
        examples.iter().any(Example::is_empty),
        differ(record, &encoded, encoder)?,
        template.tells_the_day(),
    ];
    Ok(Looked {
        failed,
        unused: examples.first().map_or_else(Vec::new, |example| example.unused().to_vec()),
        sequences: encoded.into_iter().map(|encoded| encoded.sequence).collect(),
    })
}

/// Whether what generation starts from is anywhere other than what training has there.
fn differ(record: &Record, encoded: &[Encoded], encoder: &Encoder) -> Result<bool> {
    if super::fields::whole_text(record).is_some() {
        return Ok(false);
    }
    // What the turns between are asked with is within the last one's.
    let some = |k: usize, all: usize| encoded.len() > 1 || [0, all / 2, all.saturating_sub(1)].contains(&k);
    for (k, asked) in encoder.template.asked(record, some)? {
        let prompt = encoder.prompt(&asked)?;
        let ids = &encoded[if encoded.len() == 1 { 0 } else { k }].sequence.ids;
        let seen = prompt.len().min(ids.len());
        if prompt[..seen] != ids[..seen] {
            return Ok(true);
        }
    }
    Ok(false)
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
        assert_eq!(plain(9, json!({ "instruction": "a", "output": "zyxwvutsrqp" })), ["end-cut"]);
        assert_eq!(plain(9, json!({ "instruction": "a", "output": " " })), ["empty-response"]);
        let leaks = "{{ record.output | default('') if record.leak }}: {{ output }}";
        assert_eq!(found(leaks, 20, json!({ "instruction": "a", "output": "b", "leak": true })), ["prompts-differ"]);
        let reads = "{{ 'empty' if output == 'x' else 'full' }}: {{ output }}";
        assert!(found(reads, 20, json!({ "output": "y" })).is_empty());
        assert_eq!(
            found(reads, 20, json!({ "output": "x" })),
            ["prompts-differ"],
            "and no error that ends the preview"
        );
    }

    const OUTSIDE: &str = "{% for m in messages %}{% if m.role == 'assistant' and not m.open %}{% generation %}{{ m.content }}\
        {% endgeneration %}{{ eos_token }}{% elif m.role == 'assistant' %}{% generation %}{{ m.content }}{{ eos_token }}\
        {% endgeneration %}{% else %}{{ m.content }}: {% endif %}{% endfor %}";

    #[test]
    fn an_end_token_outside_of_the_block_is_not_trained() {
        let message = |role: &str, open: bool| json!({ "role": role, "content": "a", "open": open });
        let tokenizer = trained();
        let template = Template::new(OUTSIDE, &tokenizer).unwrap();
        let encoder = Encoder { tokenizer: &tokenizer, template: &template, max_length: 99, train_on_prompt: false };
        let talk = |open| record(json!({ "messages": [message("user", false), message("assistant", open)] }));
        let gates = gates(&[talk(true), talk(false)], &encoder).unwrap();
        assert_eq!((gates.len(), gates[0].name, gates[0].examples.as_slice()), (1, "end-not-trained", [1].as_slice()));
        let text = gates[0].problem().to_string();
        assert!(text.contains("(number 2)") && text.contains("{% generation %}"), "{text}");
    }

    #[test]
    fn a_template_that_tells_the_day_is_fixed_with_a_date() {
        let tokenizer = trained();
        let source = "{{ strftime_now('%Y-%m-%d') }}{% for m in messages %}{{ m.content }}{% endfor %}";
        let record = [record(json!({ "instruction": "a", "output": "b" }))];
        for (date, expected) in [(None, vec!["day-told"]), (Some("2024-02-29".to_owned()), vec![])] {
            let prompt = framework_recipe::Prompt { template: source.into(), date, ..Default::default() };
            let template = Template::of(&prompt, &tokenizer).unwrap();
            let encoder =
                Encoder { tokenizer: &tokenizer, template: &template, max_length: 99, train_on_prompt: false };
            let names: Vec<_> = gates(&record, &encoder).unwrap().iter().map(|gate| gate.name).collect();
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn a_gate_is_a_problem_with_advice() {
        let (name, message, help) = GATES[1];
        let text = Gate { name, message, help, examples: (0..7).collect() }.problem().to_string();
        assert!(text.contains("in 7 examples (number 1, 2, 3, 4, 5, …)") && text.contains("max_length"), "{text}");
    }
}
