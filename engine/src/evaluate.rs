//! Evaluation: the loss of a model on validation data or on a text, and metrics of its answers.

use crate::{
    build::{self, Placement},
    evaluation::{Evaluation, evaluate, evaluate_under},
    objective::{Files, Objective, With, wanted},
    open::bare_session,
    pipeline::{examples, tokenizer, vocabulary},
    run::RunFolder,
    scoring::{self, Answered, Answering, Scores},
    session::{PluginSources, Session},
    trained::{self, trained},
};
use framework_base::{Error, Problem, Result};
use framework_executor::Network;
use framework_recipe::ObjectiveName;
use framework_text::{data::Sequence, tokenizer::Tokenizer};
use framework_weights as weights;
use serde::Serialize;
use std::path::Path;

/// What a model was found to be worth.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Its loss.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// The metrics that the recipe asks for, if any.
    #[serde(flatten)]
    pub scores: Option<Scores>,
    /// The answers that the metrics are about.
    #[serde(skip)]
    pub answers: Vec<Answered>,
}

impl Outcome {
    fn of_loss(evaluation: Evaluation) -> Self {
        Self { evaluation, scores: None, answers: Vec::new() }
    }
}

/// Evaluates a recipe, with its model and adapter as they start, or a run, with what it has trained, on `text` or on
/// the recipe's validation data. On these, at most `limit` prompts, or all if it is 0, are answered for the metrics of
/// `report.metrics`; `each` is told how many are answered, of how many.
pub fn of_recipe_or_run(
    path: &Path,
    text: Option<&Path>,
    limit: usize,
    overrides: &[String],
    sources: &PluginSources,
    each: &mut dyn FnMut(usize, usize),
) -> Result<Outcome> {
    let run = if path.is_dir() { Some(RunFolder::open(path)?) } else { None };
    let recipe = run.as_ref().map_or_else(|| path.to_owned(), RunFolder::recipe);
    let session = Session::open(&recipe, overrides, sources)?;
    if run.is_some() && text.is_none() {
        warn_of_trained(overrides);
    }
    let place = Placement::open(&session.recipe.backend)?;
    let network = match &run {
        Some(run) => trained(run, &session, place)?,
        None => build::network(&session, place, true)?,
    };
    let batch = session.recipe.train.batch_size;
    let outcome = match text {
        Some(file) => {
            let tokenizer = match &run {
                Some(run) => trained::tokenizer(run, &session)?,
                None => tokenizer(&session)?,
            };
            let sequences = of_text(file, &tokenizer, window(&session, &network))?;
            vocabulary::covers(network.spec().vocab_size, &tokenizer, &sequences)?;
            evaluate(&network, &sequences, batch, tokenizer.pad)?
        }
        None => {
            scoring::check(&session).map_err(|e| session.placed(e))?;
            let (tokenizer, template, corpus) = examples(&session, &mut |_| {})?;
            vocabulary::covers(network.spec().vocab_size, &tokenizer, &corpus.validation)?;
            let with =
                With { session: &session, corpus: &corpus, network: &network, pad: tokenizer.pad, teacher: None };
            // Evaluation is by cross-entropy where an objective has a teacher, which so is not asked.
            let evaluation = match session.recipe.objective.name {
                ObjectiveName::Distillation => evaluate(&network, &corpus.validation, batch, tokenizer.pad)?,
                _ => {
                    let files = run.as_ref().map(Files::of);
                    evaluate_under(&Objective::open(&with, files.as_ref(), run.is_some())?, batch)?
                }
            };
            if let (Some(evaluation), false) = (evaluation.clone(), session.recipe.report.metrics.is_empty()) {
                let with =
                    Answering { session: &session, network: &network, tokenizer: &tokenizer, template: &template };
                let wanted = wanted(&session.recipe, &corpus.validation, &corpus.validation_weights);
                let answers = scoring::answer(&with, &wanted, limit, each)?;
                let answers = answers.ok_or_else(|| session.placed(scoring::nothing_to_answer()))?;
                let scores = Some(scoring::score(&session, &answers)?);
                return Ok(Outcome { evaluation, scores, answers });
            }
            evaluation
        }
    };
    outcome.map(Outcome::of_loss).ok_or_else(|| {
        let message = "there is nothing to evaluate on";
        let help = match run {
            // A share that is held back now has been trained on.
            Some(_) => "Give --text FILE: the run held nothing back, and has trained on all of its data.",
            None => "Give --text FILE, set validation.fraction, or add a [[dataset]] with split = \"validation\".",
        };
        Error::invalid(Problem::new(message).help(help))
    })
}

/// Settings that choose the rows for validation: others than the run's choose rows that it was trained on.
fn warn_of_trained(overrides: &[String]) {
    let chooses = |set: &&String| ["validation.", "dataset", "augment", "seed"].iter().any(|key| set.starts_with(key));
    if let Some(set) = overrides.iter().find(chooses) {
        tracing::warn!("with {set}, rows that the run was trained on may be among those that are evaluated");
    }
}

/// Evaluates a model folder with, maybe, a PEFT adapter on it, on a text.
pub fn of_folders(
    model: &Path,
    adapter: Option<&Path>,
    text: &Path,
    overrides: &[String],
    sources: &PluginSources,
) -> Result<Outcome> {
    let (model, adapter) = trained::folders(model, adapter)?;
    let (model, adapter) = (model.as_path(), adapter.as_deref());
    weights::expect_weights(model)?;
    let session = bare_session(model, "plain", overrides, sources)?;
    let network = build::from_folders_without(
        &session.registry,
        model,
        adapter,
        Placement::open(&session.recipe.backend)?,
        &session.recipe.model.ignore_keys,
    )?;
    let tokenizer = Tokenizer::load(trained::with_tokenizer(model, adapter))?;
    let sequences = of_text(text, &tokenizer, window(&session, &network))?;
    vocabulary::covers(network.spec().vocab_size, &tokenizer, &sequences)?;
    let outcome = evaluate(&network, &sequences, session.recipe.train.batch_size, tokenizer.pad)?;
    let outcome = outcome.map(Outcome::of_loss);
    outcome.ok_or_else(|| Error::invalid(Problem::new(format!("{} has fewer than two tokens", text.display()))))
}

fn window(session: &Session, network: &Network) -> usize {
    session.recipe.prompt.max_length.min(network.spec().max_positions.unwrap_or(usize::MAX))
}

/// A text in windows of so many tokens, each trained on whole.
fn of_text(file: &Path, tokenizer: &Tokenizer, window: usize) -> Result<Vec<Sequence>> {
    let text = std::fs::read_to_string(file).map_err(|e| {
        Error::invalid(Problem::new(format!("cannot read {}: {e}", file.display())).help("Give a text in UTF-8."))
    })?;
    let ids = tokenizer.encode(&text, true)?;
    let whole = |ids: &[u32]| Sequence { ids: ids.to_vec(), labels: ids.iter().map(|&id| id as i32).collect() };
    Ok(ids.chunks(window.max(2)).map(whole).collect())
}
