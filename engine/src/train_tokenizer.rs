//! Training a tokenizer by itself.

use crate::{
    pipeline::{augmenters, inputs, sources},
    session::Session,
};
use framework_base::{Error, Place, Problem, Result};
use framework_recipe::TokenizerTraining;
use framework_text::{data, tokenizer::Tokenizer};
use std::{fs, path::PathBuf};

/// What a tokenizer is trained on.
pub enum Texts<'a> {
    /// Text files, line by line.
    Files(&'a [PathBuf]),
    /// The training records of a recipe: all strings in them.
    Recipe(&'a Session),
}

/// Trains a tokenizer.
pub fn train_tokenizer(training: &TokenizerTraining, texts: &Texts) -> Result<Tokenizer> {
    match texts {
        Texts::Files(files) => {
            let texts = files.iter().map(read).collect::<Result<Vec<_>>>()?;
            Tokenizer::train(training, texts.iter().flat_map(|text| text.split_inclusive('\n')))
        }
        Texts::Recipe(session) => {
            let (sources, augmenters) = (sources(session)?, augmenters(session)?);
            let inputs = inputs(session, &sources, &augmenters);
            data::with_texts(&inputs, |texts| Tokenizer::train(training, texts))
        }
    }
}

fn read(file: &PathBuf) -> Result<String> {
    let wrong = |message: String| {
        let place = Some(Place { file: file.clone(), position: None });
        Error::invalid(Problem { place, ..Problem::new(message) }.help("expected text files in UTF-8"))
    };
    let bytes = fs::read(file).map_err(|e| wrong(format!("cannot be read: {e}")))?;
    String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        wrong(format!("line {line} is not UTF-8"))
    })
}
