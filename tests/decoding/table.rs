//! A language model that is a table.

use crate::golden::repository;
use framework_core::{Kind, ffi::DecoderObject};
use framework_engine::{
    PluginSources, Result,
    executor::Wanted,
    generation::{Continuation, Generator, LanguageModel},
    recipe::GenerateSettings,
};
use serde_json::Value;

/// Logits as a function of a row's tokens.
pub struct Table<F> {
    pub vocab: usize,
    pub positions: Option<usize>,
    pub logits: F,
}

struct Rows<'a, F> {
    table: &'a Table<F>,
    rows: Vec<Vec<u32>>,
}

impl<F: Fn(&[u32]) -> Vec<f32>> LanguageModel for Table<F> {
    fn vocab(&self) -> usize {
        self.vocab
    }

    fn positions(&self) -> Option<usize> {
        self.positions
    }

    fn begin(&self, prompts: &[Vec<u32>], _pad: u32, _: Wanted) -> Result<(Box<dyn Continuation + '_>, Vec<f32>)> {
        let rows = Rows { table: self, rows: prompts.to_vec() };
        let logits = rows.logits();
        Ok((Box::new(rows), logits))
    }
}

impl<F: Fn(&[u32]) -> Vec<f32>> Rows<'_, F> {
    fn logits(&self) -> Vec<f32> {
        self.rows.iter().flat_map(|row| (self.table.logits)(row)).collect()
    }
}

impl<F: Fn(&[u32]) -> Vec<f32>> Continuation for Rows<'_, F> {
    fn step(&mut self, parents: &[u32], tokens: &[u32]) -> Result<Vec<f32>> {
        let next = parents.iter().zip(tokens);
        self.rows = next.map(|(&p, &token)| [&self.rows[p as usize][..], &[token]].concat()).collect();
        Ok(self.logits())
    }
}

/// A decoder with options.
pub fn decoder(name: &str, options: Value) -> DecoderObject {
    let plugins = PluginSources::default().open(&[]).unwrap();
    plugins.find(Kind::Decoder, name).unwrap().decoder(&options).unwrap()
}

/// What follows each prompt.
pub fn generate(
    model: &dyn LanguageModel,
    decoder: &DecoderObject,
    settings: &GenerateSettings,
    prompts: &[Vec<u32>],
    eos: &[u32],
    seed: u64,
) -> Vec<Vec<u32>> {
    Generator::new(model, decoder, settings, eos, 0).unwrap().generate(prompts, seed, &mut |_, _| {}).unwrap()
}

/// A file of `tests/golden`.
pub fn golden(name: &str) -> Value {
    let text = std::fs::read_to_string(repository().join("tests/golden").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What a JSON value holds.
#[track_caller]
pub fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}
