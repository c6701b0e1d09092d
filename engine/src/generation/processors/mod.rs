//! Logit processors: each changes the scores of one row; they compose with any decoder.

mod min_new_tokens;
mod min_p;
mod no_repeat_ngram;
mod repetition_penalty;
mod temperature;
mod top_k;
mod top_p;

use framework_core::DecoderTraits;
use framework_recipe::GenerateSettings;
use min_new_tokens::MinNewTokens;
use min_p::MinP;
use no_repeat_ngram::NoRepeatNgram;
use repetition_penalty::RepetitionPenalty;
use temperature::Temperature;
use top_k::TopK;
use top_p::TopP;

/// Changes the scores of one row.
pub trait Processor: Send + Sync {
    /// `history` holds the prompt, of `prompt` tokens, and what followed; an excluded token's score is `-inf`.
    fn apply(&self, history: &[u32], prompt: usize, scores: &mut [f32]);
}

/// The processors that the settings ask for, in the order in which transformers applies them. Those that shape a
/// distribution are left out unless the decoder samples.
pub fn pipeline(settings: &GenerateSettings, sample: bool, eos: &[u32]) -> Vec<Box<dyn Processor>> {
    pipeline_for(settings, DecoderTraits::default().sample(sample), eos)
}

/// The same for a decoder. Beams need something to go on with, so that the filters leave them a token that ends no
/// sequence.
pub(super) fn pipeline_for(
    settings: &GenerateSettings,
    decoder: DecoderTraits,
    eos: &[u32],
) -> Vec<Box<dyn Processor>> {
    let s = settings;
    let mut all: Vec<Box<dyn Processor>> = Vec::new();
    if s.repetition_penalty != 1.0 {
        all.push(Box::new(RepetitionPenalty(s.repetition_penalty as f32)));
    }
    if s.no_repeat_ngram_size > 0 {
        all.push(Box::new(NoRepeatNgram(s.no_repeat_ngram_size)));
    }
    if s.min_new_tokens > 0 {
        all.push(Box::new(MinNewTokens { least: s.min_new_tokens, eos: eos.to_vec() }));
    }
    if !decoder.sample {
        return all;
    }
    let keep = kept(decoder, eos);
    if s.temperature != 1.0 {
        all.push(Box::new(Temperature(s.temperature as f32)));
    }
    if s.top_k > 0 {
        all.push(Box::new(TopK(s.top_k.max(keep))));
    }
    if s.top_p < 1.0 {
        all.push(Box::new(TopP { p: s.top_p, keep }));
    }
    if s.min_p > 0.0 {
        all.push(Box::new(MinP { p: s.min_p as f32, keep }));
    }
    all
}

/// What the filters leave of a row at least.
fn kept(decoder: DecoderTraits, eos: &[u32]) -> usize {
    if decoder.rows_per_prompt > 1 { (1 + eos.len()).max(2) } else { 1 }
}

/// How many of each row's highest scores decide what follows; none: all of them may.
pub(super) fn looked_at(settings: &GenerateSettings, decoder: DecoderTraits, eos: &[u32]) -> Option<usize> {
    let s = settings;
    // These put others in their place.
    if s.repetition_penalty != 1.0 || s.no_repeat_ngram_size > 0 || s.min_new_tokens > 0 {
        return None;
    }
    match decoder.sample {
        true => (s.top_k > 0).then(|| s.top_k.max(kept(decoder, eos))),
        false => (decoder.best > 0).then(|| decoder.best + eos.len()),
    }
}

/// The settings that are given but take part only if the decoder samples.
pub fn sampling_only(settings: &GenerateSettings) -> Vec<&'static str> {
    let s = settings;
    let given = [
        ("temperature", s.temperature != 1.0),
        ("top_k", s.top_k > 0),
        ("top_p", s.top_p < 1.0),
        ("min_p", s.min_p > 0.0),
    ];
    given.into_iter().filter_map(|(name, given)| given.then_some(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn build(v: &Value) -> (Box<dyn Processor>, usize) {
        let number = |key: &str| v[key].as_f64().unwrap_or_else(|| panic!("{key} in {v}")) as f32;
        let whole = |key: &str| v[key].as_u64().unwrap_or_else(|| panic!("{key} in {v}")) as usize;
        let processor: Box<dyn Processor> = match v["kind"].as_str().unwrap() {
            "repetition_penalty" => Box::new(RepetitionPenalty(number("penalty"))),
            "no_repeat_ngram" => Box::new(NoRepeatNgram(whole("size"))),
            "temperature" => Box::new(Temperature(number("temperature"))),
            "top_k" => Box::new(TopK(whole("k"))),
            "top_p" => Box::new(TopP { p: v["p"].as_f64().unwrap(), keep: 1 }),
            "min_p" => Box::new(MinP { p: number("p"), keep: 1 }),
            "min_new_tokens" => {
                let eos = v["eos"].as_array().unwrap().iter().map(|e| e.as_u64().unwrap() as u32).collect();
                return (Box::new(MinNewTokens { least: whole("min_new_tokens"), eos }), whole("prompt_length"));
            }
            other => panic!("unknown processor {other}"),
        };
        (processor, 0)
    }

    fn numbers(v: &Value) -> Vec<f32> {
        v.as_array().unwrap().iter().map(|x| x.as_f64().map_or(f32::NEG_INFINITY, |x| x as f32)).collect()
    }

    /// Every case that the reference script recorded from transformers.
    #[test]
    fn equal_to_transformers() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/processors.json");
        let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let shared = golden["cases"].as_array().unwrap().iter().map(|c| (c, &golden));
        let own = golden["own_input"].as_array().unwrap().iter().map(|c| (c, c));
        let mut rows = 0;
        for (case, input) in shared.chain(own) {
            for (i, expected) in case["expected"].as_array().unwrap().iter().enumerate() {
                let history: Vec<u32> = numbers(&input["input_ids"][i]).iter().map(|&x| x as u32).collect();
                let mut scores = numbers(&input["logits"][i]);
                for spec in case["processors"].as_array().unwrap() {
                    let (processor, prompt) = build(spec);
                    processor.apply(&history, prompt, &mut scores);
                }
                for (a, b) in scores.iter().zip(numbers(expected)) {
                    assert!(a == &b || (a - b).abs() < 1e-5, "{}, row {i}: {a} is not {b}", case["name"]);
                }
                rows += 1;
            }
        }
        assert!(rows > 20, "only {rows} rows were compared");
    }
}
