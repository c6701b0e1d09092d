//! Greedy tokens.

use crate::golden::{Golden, plugins};
use framework_core::Kind;
use framework_engine::{
    executor::{Network, Wanted},
    generation::{Continuation, Generator, LanguageModel},
    recipe::GenerateSettings,
};
use serde_json::json;
use std::{cell::Cell, slice::from_ref, sync::Arc};

fn settings() -> GenerateSettings {
    GenerateSettings { max_new_tokens: 40, ..GenerateSettings::default() }
}

fn penalties() -> GenerateSettings {
    GenerateSettings { repetition_penalty: 1.3, no_repeat_ngram_size: 3, ..settings() }
}

/// What follows each prompt.
fn greedy(network: &Arc<Network>, settings: &GenerateSettings, prompts: &[Vec<u32>], eos: &[u32]) -> Vec<Vec<u32>> {
    let decoder = plugins().find(Kind::Decoder, "greedy").unwrap().decoder(&json!({})).unwrap();
    let generator = Generator::new(network, &decoder, settings, eos, 0).unwrap();
    generator.generate(prompts, 0, &mut |_, _| {}).unwrap()
}

/// The same without a cache: everything is computed again for each token.
fn uncached(network: &Arc<Network>, settings: &GenerateSettings, prompt: &[u32]) -> Vec<u32> {
    let vocab = network.spec().vocab_size;
    let processors = framework_engine::generation::pipeline(settings, false, &[]);
    let mut ids = prompt.to_vec();
    for _ in 0..settings.max_new_tokens {
        let logits = network.logits(ids.iter().map(|&id| id as i32).collect(), 1).unwrap();
        let mut scores = logits[logits.len() - vocab..].to_vec();
        processors.iter().for_each(|p| p.apply(&ids, prompt.len(), &mut scores));
        let best = (0..vocab).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
        ids.push(best as u32);
    }
    ids.split_off(prompt.len())
}

#[test]
fn tokens_are_those_of_transformers() {
    Golden::each(|golden| {
        let network = golden.network("model", None);
        let prompt = golden.rows("prompts").swap_remove(0);
        for (settings, key) in [(settings(), "greedy"), (penalties(), "greedy_penalty")] {
            let expected = golden.ids(key);
            assert_eq!(expected.len(), 40);
            assert_eq!(greedy(&network, &settings, from_ref(&prompt), &[])[0], expected, "{} {key}", golden.case);
            assert_eq!(uncached(&network, &settings, &prompt), expected, "{} {key} without a cache", golden.case);
        }
    });
}

/// A network whose scores are far away, as on a GPU.
struct Far(Arc<Network>);

impl LanguageModel for Far {
    fn vocab(&self) -> usize {
        self.0.vocab()
    }

    fn positions(&self) -> Option<usize> {
        self.0.positions()
    }

    fn is_far(&self) -> bool {
        true
    }

    fn begin(
        &self,
        prompts: &[Vec<u32>],
        pad: u32,
        wanted: Wanted,
    ) -> framework_engine::Result<(Box<dyn Continuation + '_>, Vec<f32>)> {
        assert!(wanted.best.is_some());
        self.0.begin(prompts, pad, wanted)
    }
}

#[test]
fn the_highest_scores_are_enough() {
    let sampled = GenerateSettings { temperature: 1.3, top_k: 20, top_p: 0.9, ..settings() };
    let decoders = [
        ("greedy", json!({}), settings()),
        ("top-p", json!({}), sampled.clone()),
        ("beam", json!({ "num_beams": 3 }), settings()),
        ("beam", json!({ "num_beams": 3, "sample": true }), sampled),
    ];
    Golden::each(|golden| {
        let network = golden.network("model", None);
        let prompts = golden.rows("prompts");
        for (name, options, settings) in &decoders {
            let decoder = plugins().find(Kind::Decoder, name).unwrap().decoder(options).unwrap();
            let with = |model: &dyn LanguageModel| {
                let generator = Generator::new(model, &decoder, settings, &[3, 7], 0).unwrap();
                generator.generate(&prompts, 5, &mut |_, _| {}).unwrap()
            };
            assert_eq!(with(&Far(network.clone())), with(&network), "{} {name} {options}", golden.case);
        }
    });
}

#[test]
fn an_adapter_takes_part() {
    Golden::each(|golden| {
        let network = golden.network("model", Some("lora"));
        let prompt = golden.rows("prompts").swap_remove(0);
        let expected = golden.ids("lora_greedy");
        assert_eq!(greedy(&network, &settings(), from_ref(&prompt), &[])[0], expected, "{}", golden.case);
        assert_eq!(uncached(&network, &settings(), &prompt), expected, "{} without a cache", golden.case);
    });
}

#[test]
fn the_end_token_ends() {
    Golden::each(|golden| {
        let network = golden.network("model", None);
        let prompt = golden.rows("prompts").swap_remove(0);
        let found = greedy(&network, &settings(), &[prompt], &[golden.token("eos")]);
        assert_eq!(found[0], golden.ids("greedy_eos"), "{}", golden.case);
    });
}

#[test]
fn prompts_of_any_lengths_go_together() {
    Golden::each(|golden| {
        let network = golden.network("model", None);
        let prompts = golden.rows("prompts");
        assert_eq!(greedy(&network, &settings(), &prompts, &[]), golden.rows("greedy_batch"), "{}", golden.case);
        let found = greedy(&network, &settings(), &prompts, &[golden.token("eos")]);
        assert_eq!(found, golden.rows("greedy_batch_eos"), "{}", golden.case);
        let reversed: Vec<_> = prompts.into_iter().rev().collect();
        let mut expected = golden.rows("greedy_batch");
        expected.reverse();
        assert_eq!(greedy(&network, &settings(), &reversed, &[]), expected, "{} reversed", golden.case);
    });
}

/// Where tokens come to lie beyond the positions that a model was first made for, it may change all rotary frequencies.
#[test]
fn frequencies_change_on_the_way() {
    let changing = Cell::new(0);
    Golden::each(|golden| {
        if !golden.has("crossing") {
            return;
        }
        let (network, prompt) = (golden.network("model", None), golden.ids("crossing_prompt"));
        let settings = GenerateSettings { max_new_tokens: 20, ..GenerateSettings::default() };
        let expected = golden.ids("crossing");
        assert_eq!(uncached(&network, &settings, &prompt), expected, "{} without a cache", golden.case);
        assert_eq!(greedy(&network, &settings, from_ref(&prompt), &[])[0], expected, "{}", golden.case);
        changing.set(changing.get() + 1);
    });
    assert!(changing.get() >= 1);
}
