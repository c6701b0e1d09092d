//! Beam search.

use crate::golden::{Golden, id, list, plugins};
use framework_core::Kind;
use framework_engine::{executor::Network, generation::Generator, recipe::GenerateSettings};
use serde_json::{Value, json};
use std::{slice::from_ref, sync::Arc};

/// One search of the golden data.
struct Search {
    /// What the decoder plugin is given.
    options: Value,
    settings: GenerateSettings,
    eos: Vec<u32>,
    prompts: Vec<Vec<u32>>,
    expected: Vec<Vec<u32>>,
}

impl Search {
    /// All of a case.
    fn all(golden: &Golden) -> Vec<Self> {
        let searches = list(golden.value("beams"), |search| Self::read(golden, search));
        assert!(searches.len() >= 10);
        searches
    }

    fn read(golden: &Golden, search: &Value) -> Self {
        let size = |key: &str| search[key].as_u64().unwrap() as usize;
        let mut options = json!({});
        for key in ["num_beams", "length_penalty", "early_stopping"] {
            options[key] = search[key].clone();
        }
        let mut prompts = golden.rows("prompts");
        prompts.truncate(size("prompts"));
        Self {
            options,
            settings: GenerateSettings {
                max_new_tokens: size("max_new_tokens"),
                repetition_penalty: search["repetition_penalty"].as_f64().unwrap(),
                no_repeat_ngram_size: size("no_repeat_ngram_size"),
                ..GenerateSettings::default()
            },
            eos: if search["eos"].is_null() { Vec::new() } else { vec![id(&search["eos"])] },
            prompts,
            expected: list(&search["expected"], |row| list(row, id)),
        }
    }

    fn run(&self, network: &Arc<Network>, prompts: &[Vec<u32>]) -> Vec<Vec<u32>> {
        let decoder = plugins().find(Kind::Decoder, "beam").unwrap().decoder(&self.options).unwrap();
        let generator = Generator::new(network, &decoder, &self.settings, &self.eos, 0).unwrap();
        generator.generate(prompts, 0, &mut |_, _| panic!("no token is certain before the search has ended")).unwrap()
    }

    fn says(&self) -> String {
        let GenerateSettings { repetition_penalty, no_repeat_ngram_size, .. } = &self.settings;
        let Self { options, eos, prompts, .. } = self;
        let penalties = format!("penalty {repetition_penalty}, no repeat {no_repeat_ngram_size}");
        format!("{options}, {penalties}, end {eos:?}, {} prompts", prompts.len())
    }
}

/// Every search of every case that disagrees is told, with what it found.
#[test]
fn tokens_are_those_of_transformers() {
    Golden::each(|golden| {
        let network = golden.network("model", None);
        let mut wrong = Vec::new();
        for search in Search::all(golden) {
            let found = search.run(&network, &search.prompts);
            if found != search.expected {
                wrong.push(format!("{}:\n  found    {found:?}\n  expected {:?}", search.says(), search.expected));
            }
        }
        assert!(wrong.is_empty(), "{}:\n{}", golden.case, wrong.join("\n"));
    });
}

#[test]
fn prompts_do_not_disturb_each_other() {
    Golden::each(|golden| {
        let network = golden.network("model", None);
        for search in Search::all(golden).into_iter().filter(|s| s.prompts.len() == 2) {
            let alone = search.prompts.iter().map(|prompt| search.run(&network, from_ref(prompt)).swap_remove(0));
            assert_eq!(alone.collect::<Vec<_>>(), search.expected, "{} {}", golden.case, search.says());
            let reversed: Vec<_> = search.prompts.iter().rev().cloned().collect();
            let mut found = search.run(&network, &reversed);
            found.reverse();
            assert_eq!(found, search.expected, "{} {} reversed", golden.case, search.says());
        }
    });
}

/// The best of the three that transformers returns, with fewer tokens to go.
#[test]
fn the_best_result_is_returned() {
    Golden::each(|golden| {
        let network = golden.network("model", None);
        let prompts = golden.rows("prompts");
        for (key, eos) in [("beam3", vec![]), ("beam3_eos", vec![golden.token("eos")])] {
            let search = Search {
                options: json!({ "num_beams": 3, "length_penalty": 0.8, "early_stopping": false }),
                settings: GenerateSettings { max_new_tokens: 20, ..GenerateSettings::default() },
                eos,
                prompts: prompts[..1].to_vec(),
                expected: golden.rows(key),
            };
            assert_eq!(search.run(&network, &search.prompts)[0], search.expected[0], "{} {key}", golden.case);
        }
    });
}
