//! Everything that can be wrong before a run's folder is made.

use crate::{
    assemble::{self, Source},
    blueprint::Blueprint,
    cached,
    data::{self, Corpus, Encoder, Inputs, Progress, Stage, Template},
    error::{Error, Problem, Result},
    executor::{Device, Network},
    files, plan,
    recipe::BadRows,
    run::{Lock, RunFolder},
    session::Session,
    tokenizer::Tokenizer,
    unused, vocabulary,
    weights::{Float, write_bytes},
};
use framework_core::Kind;
use std::sync::Arc;

/// A run that is ready to begin.
pub struct Prepared {
    /// The recipe and its plugins.
    pub session: Session,
    /// Tokenized examples.
    pub corpus: Corpus,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// Prompts to text.
    pub template: Template,
    /// The model with its adapter.
    pub network: Arc<Network>,
    lock: Lock,
}

/// What is being prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preparing {
    /// The examples are read and tokenized.
    Data(Progress),
    /// The weights are loaded.
    Model,
}

/// Reads the data, the tokenizer and the weights. Nothing is written.
pub fn prepare(session: Session, progress: &mut dyn FnMut(Preparing)) -> Result<Prepared> {
    match parts(&session, progress) {
        Ok((tokenizer, template, corpus, network, lock)) => {
            Ok(Prepared { session, corpus, tokenizer, template, network, lock })
        }
        Err(e) => Err(session.placed(e)),
    }
}

type Parts = (Tokenizer, Template, Corpus, Arc<Network>, Lock);

/// First what is cheap to find out; then what is wrong with the model, the adapter and the data is told together.
fn parts(session: &Session, progress: &mut dyn FnMut(Preparing)) -> Result<Parts> {
    session.recipe.check_trainable()?;
    RunFolder::check_output(&session.recipe.output)?;
    let device = Device::open(&session.recipe.backend)?;
    let examples = examples(session, &mut |at| progress(Preparing::Data(at)));
    let (blueprint, (tokenizer, template, corpus)) = Error::both(Blueprint::of(session), examples)?;
    corpus.require_training()?;
    for dataset in &corpus.report.datasets {
        dataset.left_out().for_each(|line| tracing::warn!("{}: {line}", dataset.name));
    }
    corpus.report.noted().for_each(|line| tracing::warn!("{line}"));
    super::require_validation(&session.recipe.train, corpus.validation.len())?;
    fits(&blueprint, &tokenizer, &corpus)?;
    blueprint.try_out(session)?;
    unused::warn(session, unused::by_plan(&session.recipe, &blueprint));
    plan::warn(session, &blueprint, &corpus)?;
    let per_epoch = super::batches(&corpus, &session.recipe, tokenizer.pad).steps_per_epoch() as u64;
    let steps = super::total_steps(&session.recipe.train, per_epoch);
    let idle = super::idle(&session.recipe.train, steps, per_epoch, corpus.validation.len());
    idle.iter().for_each(|text| tracing::warn!("{text}"));
    progress(Preparing::Model);
    let network = assemble::network(session, device, true)?;
    let lock = Lock::of(session)?;
    Ok((tokenizer, template, corpus, network, lock))
}

/// The recipe's tokenizer, template and tokenized examples.
pub fn examples(session: &Session, progress: &mut dyn FnMut(Progress)) -> Result<(Tokenizer, Template, Corpus)> {
    let found = tokenizer(session).map_err(|e| e.about("tokenizer"));
    let found = found.and_then(|tokenizer| Ok((Template::of(&session.recipe.prompt, &tokenizer)?, tokenizer)));
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

/// The recipe's datasets.
pub fn sources(session: &Session) -> Result<Vec<data::Source>> {
    let open = |d: &crate::recipe::Dataset| {
        let dataset = session.entry(Kind::Dataset, &d.plugin)?.dataset(&d.options.clone().into())?;
        let dataset = dataset.into();
        Ok(data::Source { name: d.plugin.clone(), dataset, limit: d.limit, split: d.split, weight: d.weight })
    };
    session.recipe.dataset.iter().map(open).collect()
}

/// The recipe's augmenters.
pub fn augmenters(session: &Session) -> Result<Vec<Stage>> {
    let open = |a: &crate::recipe::Component| {
        let entry = session.entry(Kind::Augmenter, &a.plugin)?;
        let keeps_first = entry.about.schema["x-keeps"] == "first";
        let augmenter = entry.augmenter(&a.options.clone().into())?;
        Ok(Stage { name: a.plugin.clone(), augmenter, keeps_first })
    };
    session.recipe.augment.iter().map(open).collect()
}

/// Where the recipe's records come from.
pub fn inputs<'a>(session: &Session, sources: &'a [data::Source], augmenters: &'a [Stage]) -> Inputs<'a> {
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

/// Whether the tokens and the sequences are such as the model can take.
pub fn fits(blueprint: &Blueprint, tokenizer: &Tokenizer, corpus: &Corpus) -> Result<()> {
    let (spec, plan) = (&blueprint.spec, &blueprint.adapted);
    let virtual_tokens = plan.prompt + plan.prefix;
    let mut problems = Vec::new();
    let all = || corpus.train.iter().chain(&corpus.validation);
    if let Err(Error::Invalid(unknown)) = vocabulary::covers(spec.vocab_size, tokenizer, all()) {
        problems.extend(unknown);
    }
    let longest = all().map(|s| s.len()).max().unwrap_or(0);
    let most = spec.max_positions.map(|most| most.saturating_sub(virtual_tokens));
    if let Some(most) = most.filter(|&most| longest > most) {
        let own = if virtual_tokens > 0 { format!(" besides the adapter's {virtual_tokens}") } else { String::new() };
        let message = format!("an example has {longest} tokens, but the model has only {most} positions{own}");
        problems.push(Problem::new(message).key("prompt.max_length").help(format!("Set it to {most} or less.")));
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
}

impl Prepared {
    /// One line about the run.
    pub fn headline(&self) -> String {
        let network = &self.network;
        let trained: usize = network.trained().iter().map(|p| p.len()).sum();
        let all: usize = network.spec().params.iter().chain(&network.plan().params).map(|p| p.len()).sum();
        format!(
            "{}: {} examples, {} parameters, {} trained ({:.2} %)",
            self.session.recipe.name,
            self.corpus.train.len(),
            all,
            trained,
            100.0 * trained as f64 / all.max(1) as f64
        )
    }

    /// Whether all examples are texts to be learned whole.
    pub(super) fn on_text(&self) -> bool {
        let train = &self.corpus.report.train;
        train.kept > 0 && train.texts == train.kept
    }

    /// Fingerprint of the data, weights and plugins.
    pub(super) fn fingerprint(&self) -> String {
        files::sha256_of(self.lock.to_toml().as_bytes())
    }

    /// Writes down what the run is made of.
    pub(super) fn describe(&self, run: &RunFolder) -> Result<()> {
        if self.session.recipe.tokenizer.train.is_some() {
            self.tokenizer.save(&run.tokenizer())?;
        }
        write_bytes(&run.lock(), self.lock.to_toml().as_bytes())?;
        write_bytes(&run.recipe(), self.session.recipe.to_toml().as_bytes())
    }

    /// Number format of what is saved.
    pub(super) fn format(&self) -> Float {
        self.session.recipe.train.save_dtype.into()
    }
}

/// What Hugging Face calls the architecture: the base model's `model_type`, or the plugin's.
pub(crate) fn model_type(session: &Session) -> Result<String> {
    let recipe = &session.recipe;
    let source = Source::of(recipe)?;
    if let Some(kind) = source.config().get("model_type").and_then(|v| v.as_str()) {
        return Ok(kind.to_owned());
    }
    let about = &session.entry(Kind::Model, &recipe.model.plugin)?.about;
    Ok(about.aliases.first().unwrap_or(&about.name).clone())
}
