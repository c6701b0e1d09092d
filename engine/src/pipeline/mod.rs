//! From a recipe to sequences of tokens.

pub(crate) mod cached;
mod fits;
mod order;
pub(crate) mod vocabulary;

pub(crate) use fits::fits;
pub(crate) use order::{batches, total_steps};

use crate::{session::Session, unused};
use framework_base::{Error, Problem, Result};
use framework_core::Kind;
use framework_recipe::BadRows;
use framework_text::{
    data::{self, Corpus, Encoder, Inputs, Progress, Stage, Template},
    tokenizer::Tokenizer,
};

/// The recipe's tokenizer, template and tokenized examples.
pub fn examples(session: &Session, progress: &mut dyn FnMut(Progress)) -> Result<(Tokenizer, Template, Corpus)> {
    let found = tokenizer(session).map_err(|e| e.about("tokenizer"));
    let found = found.and_then(|tokenizer| Ok((template(session, &tokenizer)?, tokenizer)));
    let (sources, augmenters) = Error::both(sources(session), augmenters(session))?;
    let inputs = inputs(session, &sources, &augmenters);
    let (template, tokenizer) = match found {
        Ok(found) => found,
        Err(e) => return Err(data::records(&inputs).err().into_iter().fold(e, Error::and)),
    };
    if let Some(warning) = template.warning(&tokenizer) {
        tracing::warn!("[prompt] {warning}");
    }
    unused::warn(session, unused::by_template(&session.recipe, &template));
    let place = cached::Place::of(session, &tokenizer);
    if let Some(corpus) = place.as_ref().and_then(cached::Place::read) {
        return Ok((tokenizer, template, corpus));
    }
    let corpus = data::load(&inputs, &encoder(session, &tokenizer, &template), progress)?;
    if let Some(place) = place.filter(|_| !template.tells_the_day()) {
        place.write(&corpus);
    }
    Ok((tokenizer, template, corpus))
}

/// The recipe's template, which reads the rows of its objective.
pub fn template(session: &Session, tokenizer: &Tokenizer) -> Result<Template> {
    Ok(Template::of(&session.recipe.prompt, tokenizer)?.reading(&session.recipe.objective))
}

/// The recipe's datasets.
pub fn sources(session: &Session) -> Result<Vec<data::DataSource>> {
    let open = |d: &framework_recipe::Dataset| {
        let dataset = session.entry(Kind::Dataset, &d.plugin)?.dataset(&d.options.clone().into())?;
        let dataset = dataset.into();
        Ok(data::DataSource { name: d.plugin.clone(), dataset, limit: d.limit, split: d.split, weight: d.weight })
    };
    session.recipe.dataset.iter().map(open).collect()
}

/// The recipe's augmenters.
pub fn augmenters(session: &Session) -> Result<Vec<Stage>> {
    let open = |a: &framework_recipe::Component| {
        let entry = session.entry(Kind::Augmenter, &a.plugin)?;
        let keeps_first = entry.about.schema["x-keeps"] == "first";
        let augmenter = entry.augmenter(&a.options.clone().into())?;
        Ok(Stage { name: a.plugin.clone(), augmenter, keeps_first })
    };
    session.recipe.augment.iter().map(open).collect()
}

/// Where the recipe's records come from.
pub fn inputs<'a>(session: &Session, sources: &'a [data::DataSource], augmenters: &'a [Stage]) -> Inputs<'a> {
    let recipe = &session.recipe;
    let skip_bad_rows = recipe.data.bad_rows == BadRows::Skip;
    let validation_fraction = recipe.validation.fraction;
    Inputs { sources, augmenters, validation_fraction, skip_bad_rows, seed: recipe.seed }
}

/// How the recipe's records become tokens.
pub fn encoder<'a>(session: &Session, tokenizer: &'a Tokenizer, template: &'a Template) -> Encoder<'a> {
    let prompt = &session.recipe.prompt;
    Encoder { tokenizer, template, max_length: prompt.max_length, train_on_prompt: prompt.train_on_prompt }
}

/// The recipe's tokenizer: loaded, or trained on its records.
pub fn tokenizer(session: &Session) -> Result<Tokenizer> {
    let recipe = &session.recipe;
    if let Some(training) = &recipe.tokenizer.train {
        let (sources, augmenters) = (sources(session)?, augmenters(session)?);
        let inputs = inputs(session, &sources, &augmenters);
        return data::with_texts(&inputs, |texts| Tokenizer::train(training, texts));
    }
    match recipe.tokenizer.path.as_ref().or(recipe.model.weights.as_ref()) {
        Some(path) => Tokenizer::load(path),
        None => Err(Error::invalid(
            Problem::new("a model from scratch needs a tokenizer")
                .key("tokenizer")
                .help("Set tokenizer.path, or tokenizer.train = { kind = \"byte-level-bpe\", vocab_size = … }."),
        )),
    }
}
