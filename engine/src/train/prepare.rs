//! Everything that can be wrong before a run's folder is made.

use super::again::Earlier;
use crate::{
    budget,
    build::{self, Placement, blueprint::Blueprint},
    objective::{With, teacher},
    pipeline::{batches, examples, fits, total_steps},
    run::{Facts, Lock, Machine, RunFolder},
    schedule::Curve,
    scoring,
    session::Session,
    unused,
};
use framework_base::{Error, Float, Result, files::write_bytes};
use framework_executor::Network;
use framework_recipe::Rows;
use framework_text::{
    data::{Corpus, Progress, Template},
    tokenizer::Tokenizer,
};
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
    /// The teacher of a distillation, if it is asked at each step.
    pub(super) teacher: Option<Arc<Network>>,
    pub(super) lock: Lock,
    facts: Facts,
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
    prepare_after(None, session, progress)
}

/// The same, if everything is as a lock says. Files and plugins are compared before the data is read.
///
/// # Errors
/// As [`prepare`]; everything that has changed.
pub fn prepare_locked(session: Session, locked: &Lock, progress: &mut dyn FnMut(Preparing)) -> Result<Prepared> {
    let now = Lock::of(&session)?;
    locked.require(&now).map_err(|e| session.placed(e))?;
    let prepared = prepare_with(None, Some(now), session, progress)?;
    locked.require(&prepared.lock).map_err(|e| prepared.session.placed(e))?;
    Ok(prepared)
}

/// [`prepare`] after another run, from which everything is taken that the recipes agree on.
pub(super) fn prepare_after(
    earlier: Option<Earlier>,
    session: Session,
    progress: &mut dyn FnMut(Preparing),
) -> Result<Prepared> {
    prepare_with(earlier, None, session, progress)
}

/// [`prepare`] after another run, maybe, and with a lock of the session if there is one.
pub(super) fn prepare_with(
    earlier: Option<Earlier>,
    lock: Option<Lock>,
    session: Session,
    progress: &mut dyn FnMut(Preparing),
) -> Result<Prepared> {
    match parts(earlier, lock, &session, progress) {
        Ok((tokenizer, template, corpus, network, teacher, lock, facts)) => {
            Ok(Prepared { session, corpus, tokenizer, template, network, teacher, lock, facts })
        }
        Err(e) => Err(session.placed(e)),
    }
}

type Parts = (Tokenizer, Template, Corpus, Arc<Network>, Option<Arc<Network>>, Lock, Facts);

/// First what is cheap to find out; then what is wrong with the model, the adapter and the data is told together.
fn parts(
    earlier: Option<Earlier>,
    lock: Option<Lock>,
    session: &Session,
    progress: &mut dyn FnMut(Preparing),
) -> Result<Parts> {
    let (data, network) = earlier.map_or((None, None), |earlier| earlier.shared(&session.recipe));
    session.recipe.check_trainable()?;
    RunFolder::check_output(&session.recipe.output)?;
    scoring::check(session)?;
    let place = Placement::open(&session.recipe.backend)?;
    let examples = match data {
        Some(data) => Ok(data),
        None => examples(session, &mut |at| progress(Preparing::Data(at))),
    };
    let (blueprint, (tokenizer, template, corpus)) = Error::both(Blueprint::of(session), examples)?;
    corpus.require_training()?;
    for dataset in &corpus.report.datasets {
        dataset.left_out().for_each(|line| tracing::warn!("{}: {line}", dataset.name));
    }
    corpus.report.noted().for_each(|line| tracing::warn!("{line}"));
    unused::require_validation(&session.recipe.train, corpus.validation.len())?;
    unused::warn(session, unused::by_validation(&session.recipe, &corpus.validation));
    fits(&blueprint, &tokenizer, &corpus)?;
    teacher::check(session, &tokenizer, &corpus)?;
    blueprint.try_out(session)?;
    unused::warn(session, unused::by_plan(&session.recipe, &blueprint, &place.device));
    budget::warn(session, &blueprint, &corpus)?;
    let per_epoch = batches(&corpus, &session.recipe, tokenizer.pad).steps_per_epoch() as u64;
    let steps = total_steps(&session.recipe.train, per_epoch);
    let idle = unused::idle(&session.recipe.train, steps, per_epoch, corpus.validation.len());
    idle.iter().for_each(|text| tracing::warn!("{text}"));
    Curve::new(&session.recipe.train, session.optimizer()?.learning_rate()?, steps)?;
    let trained = blueprint.trained().iter().map(|param| param.len()).sum();
    let facts = Facts {
        trained_parameters: trained,
        parameters: blueprint.spec.params.iter().chain(&blueprint.adapted.params).map(|param| param.len()).sum(),
        data: corpus.report.clone(),
        expected: budget::expected(session, &blueprint, &corpus, &place.device, network.is_some())?,
        machine: Machine::of(session),
    };
    // With `top_k` it is asked once, and loaded then.
    let teacher = match session.recipe.objective.top_k {
        None => {
            teacher::load(session, &place)?.map(|network| teacher::fits(session, &network, &corpus).map(|()| network))
        }
        Some(_) => None,
    }
    .transpose()?;
    let network = match network {
        Some(network) => network,
        None => {
            progress(Preparing::Model);
            build::network(session, place, true)?
        }
    };
    let lock = lock.map_or_else(|| Lock::of(session), Ok)?.with(&tokenizer, &template, &corpus);
    Ok((tokenizer, template, corpus, network, teacher, lock, facts))
}

impl Prepared {
    /// What the objective is opened with.
    pub(super) fn for_objective(&self) -> With<'_> {
        let Self { session, corpus, network, teacher, tokenizer, .. } = self;
        With { session, corpus, network, pad: tokenizer.pad, teacher: teacher.as_ref() }
    }

    /// One line about the run.
    pub fn headline(&self) -> String {
        let network = &self.network;
        let trained: usize = network.trained().iter().map(|p| p.len()).sum();
        let all: usize = network.spec().params.iter().chain(&network.plan().params).map(|p| p.len()).sum();
        let (rows, unit) = match self.session.recipe.objective.name.rows() {
            Rows::Pairs => (self.corpus.train.len() / 2, "pairs"),
            Rows::Answers | Rows::Judged => (self.corpus.train.len(), "examples"),
        };
        format!(
            "{}: {rows} {unit}, {} parameters, {} trained ({:.2} %)",
            self.session.recipe.name,
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
        self.lock.fingerprint()
    }

    /// Writes down what the run is made of.
    pub(super) fn describe(&self, run: &RunFolder) -> Result<()> {
        if self.session.recipe.tokenizer.train.is_some() {
            self.tokenizer.save(&run.tokenizer())?;
        }
        let facts = serde_json::to_vec_pretty(&self.facts).map_err(|e| Error::failed(e.to_string()))?;
        write_bytes(&run.facts(), &facts)?;
        write_bytes(&run.lock(), self.lock.to_toml().as_bytes())?;
        write_bytes(&run.recipe(), self.session.recipe_to_toml().as_bytes())
    }

    /// Number format of what is saved.
    pub(super) fn format(&self) -> Float {
        self.session.recipe.train.save_dtype.into()
    }
}
