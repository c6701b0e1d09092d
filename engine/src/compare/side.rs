//! A model that is compared: what a run has trained, the model that it was trained from, or a folder.

use crate::{
    build::{self, Placement},
    open::bare_session,
    pipeline::encoder,
    run::{RunFolder, Summary},
    scoring::Answering,
    session::{PluginSources, Session},
    trained,
};
use framework_base::{Error, Problem, Result};
use framework_core::Record;
use framework_executor::Network;
use framework_text::{data::Template, tokenizer::Tokenizer};
use framework_weights as weights;
use std::{path::Path, sync::Arc};

/// What is compared.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// What a run has trained.
    Run(RunFolder),
    /// The model that a run was trained from, with the run's prompt template and settings.
    Base(RunFolder),
    /// A model folder or an id on the hub.
    Folder(std::path::PathBuf),
}

impl Target {
    /// What a path on the command line names.
    pub fn named(path: &Path) -> Result<Self> {
        match path.join("config.json").is_file() || !path.exists() {
            true => Ok(Target::Folder(path.to_owned())),
            false => RunFolder::open(path).map(Target::Run),
        }
    }

    /// What tables call it.
    pub fn name(&self) -> String {
        match self {
            Target::Run(run) => run.root().display().to_string(),
            Target::Base(run) => format!("base of {}", run.root().display()),
            Target::Folder(folder) => folder.display().to_string(),
        }
    }
}

/// A model that is ready to answer.
pub(super) struct Side {
    pub session: Session,
    pub network: Arc<Network>,
    pub tokenizer: Tokenizer,
    pub template: Template,
    /// Whether it was trained on whole texts, which it continues.
    on_text: bool,
}

impl Side {
    pub fn open(target: &Target, overrides: &[String], sources: &PluginSources) -> Result<Self> {
        let (session, network, tokenizer, on_text) = match target {
            Target::Run(run) | Target::Base(run) => {
                let session = Session::open(&run.recipe(), overrides, sources)?;
                let place = Placement::open(&session.recipe.backend)?;
                let network = match target {
                    Target::Base(_) => base(&session, run, place)?,
                    _ => trained::trained(run, &session, place)?,
                };
                let tokenizer = trained::tokenizer(run, &session)?;
                let on_text = Summary::read(run).is_some_and(|summary| summary.trained_on_text);
                (session, network, tokenizer, on_text)
            }
            Target::Folder(folder) => {
                let (model, _) = trained::folders(folder, None)?;
                weights::expect_weights(&model)?;
                let tokenizer = Tokenizer::load(&model)?;
                let template = if tokenizer.chat_template.is_some() { "chat" } else { "plain" };
                let session = bare_session(&model, template, overrides, sources)?;
                let place = Placement::open(&session.recipe.backend)?;
                let ignored = &session.recipe.model.ignore_keys;
                let network = build::from_folders_without(&session.registry, &model, None, place, ignored)?;
                (session, network, tokenizer, false)
            }
        };
        let template = Template::of(&session.recipe.prompt, &tokenizer)?;
        Ok(Self { session, network, tokenizer, template, on_text })
    }

    pub fn answering(&self) -> Answering<'_> {
        Answering {
            session: &self.session,
            network: &self.network,
            tokenizer: &self.tokenizer,
            template: &self.template,
        }
    }

    /// The ids that a prompt is answered from.
    pub fn ids(&self, prompt: &str) -> Result<Vec<u32>> {
        let field = if self.on_text { "text" } else { "instruction" };
        let record = Record::from_iter([(field.to_owned(), prompt.into())]);
        encoder(&self.session, &self.tokenizer, &self.template).prompt(&record)
    }
}

fn base(session: &Session, run: &RunFolder, place: Placement) -> Result<Arc<Network>> {
    let recipe = &session.recipe;
    let Some(weights) = &recipe.model.weights else {
        let message =
            format!("the run in {} was trained from scratch: there is no base to compare with", run.root().display());
        let help = "Name two runs or model folders, or the run with another.";
        return Err(Error::invalid(Problem::new(message).help(help)));
    };
    build::from_folders_without(&session.registry, weights, None, place, &recipe.model.ignore_keys)
}
