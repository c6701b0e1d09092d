//! What is exported, as it was trained.

use super::{
    Exported, Quantized,
    answered::{Asked, Said, difference},
    manifest::Manifest,
};
use crate::{
    build::{self, Placement},
    open::bare_session,
    run::{RunFolder, Summary},
    save::{End, model_config, stored, untied},
    session::{PluginSources, Session},
    trained::{self, trained},
};
use framework_base::{Error, Float, Problem, Result};
use framework_executor::{Device, Network};
use framework_text::{data::Template, tokenizer::Tokenizer};
use framework_weights::{self as weights, ModelFolder, gguf::Packing};
use serde_json::{Map, Value};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// A model that was trained or is at hand, in 32 bits.
pub(super) struct Given {
    /// What it is called.
    pub name: String,
    /// The run that trained it.
    pub run: Option<RunFolder>,
    /// The folder of the base model.
    pub base: Option<PathBuf>,
    /// The folder of an adapter that is no run's.
    pub adapter: Option<PathBuf>,
    pub session: Session,
    pub network: Arc<Network>,
    pub tokenizer: Tokenizer,
    pub template: Template,
    /// Whether it was trained on whole texts.
    pub on_text: bool,
    /// How prompts are written and answers end.
    pub end: End,
    /// `config.json`.
    pub config: Map<String, Value>,
    /// The number format in which the base model, or what was trained, is stored.
    pub stored: Float,
}

impl Given {
    /// What a run has trained.
    pub fn of_run(run: &RunFolder, sources: &PluginSources) -> Result<Self> {
        let session = Session::open(&run.recipe(), &[], sources)?;
        let network = trained(run, &session, Device::cpu())?;
        let base = session.recipe.model.weights.clone();
        let whole = run.model().is_dir().then(|| ModelFolder::open(&run.model())).transpose()?;
        let tokenizer = match &whole {
            Some(_) => Tokenizer::load(&run.model())?,
            None => trained::tokenizer(run, &session)?,
        };
        let (config, end, stored) = match &whole {
            Some(folder) => {
                let end = End { stops: tokenizer.eos.clone(), tokenizer: tokenizer.clone() };
                (folder.config().clone(), end, stored(folder))
            }
            None => {
                let stored = match &base {
                    Some(base) => stored(&ModelFolder::open(base)?),
                    None => session.recipe.train.save_dtype.into(),
                };
                (model_config(&network, &session, &tokenizer)?, End::of(&session.recipe.prompt, &tokenizer)?, stored)
            }
        };
        let template = Template::of(&session.recipe.prompt, &tokenizer)?;
        let on_text = Summary::read(run).is_some_and(|summary| summary.trained_on_text);
        let (name, run) = (session.recipe.name.clone(), Some(run.clone()));
        Ok(Self { name, run, base, adapter: None, session, network, tokenizer, template, on_text, end, config, stored })
    }

    /// A model folder or an id on the hub, with an adapter if one is given.
    pub fn of_folders(model: &Path, adapter: Option<&Path>, sources: &PluginSources) -> Result<Self> {
        let name = model.file_name().map_or("model".into(), |name| name.to_string_lossy().into_owned());
        let (model, adapter) = trained::folders(model, adapter)?;
        weights::expect_weights(&model)?;
        let tokenizer = Tokenizer::load(trained::with_tokenizer(&model, adapter.as_deref()))?;
        let template = if tokenizer.chat_template.is_some() { "chat" } else { "plain" };
        let session = bare_session(&model, template, &[], sources)?;
        let network = build::from_folders(&session.registry, &model, adapter.as_deref(), Device::cpu())?;
        let base = ModelFolder::open(&model)?;
        let config = untied(base.config().clone(), &network);
        let end = End { stops: tokenizer.eos.clone(), tokenizer: tokenizer.clone() };
        let (template, stored) = (Template::of(&session.recipe.prompt, &tokenizer)?, stored(&base));
        let (run, base, on_text) = (None, Some(model), false);
        Ok(Self { name, run, base, adapter, session, network, tokenizer, template, on_text, end, config, stored })
    }

    /// Whether the adapter can be folded into weights.
    pub fn foldable(&self) -> Result<()> {
        if self.network.virtual_tokens().count() == 0 {
            return Ok(());
        }
        let name = match &self.adapter {
            Some(_) => "in `--adapter`".to_owned(),
            None => format!("`{}`", self.session.recipe.adapter.plugin),
        };
        let message = format!("the adapter {name} puts virtual tokens before each sequence, which no weight can hold");
        Err(Error::invalid(Problem::new(message).key("--merge").help("export it as it is, without --merge")))
    }

    /// What Hugging Face calls the architecture.
    pub fn kind(&self) -> Result<String> {
        match self.config.get("model_type").and_then(Value::as_str) {
            Some(kind) => Ok(kind.to_owned()),
            None => crate::save::model_type(&self.session),
        }
    }

    /// What the model makes of fixed prompts; of so many tokens at most.
    pub fn say(&self, within: Option<usize>) -> Result<Said> {
        let asked = Asked::of(self, within.unwrap_or(usize::MAX))?;
        Said::of(&self.network, asked, &self.stops())
    }

    /// Tokens at which the run's answers end.
    pub fn stops(&self) -> Vec<u32> {
        let mut all = self.template.stops().to_vec();
        all.extend(self.end.stops.iter().filter(|id| !self.template.stops().contains(id)));
        all
    }

    /// What keeping the base model in 8 or 4 bits while training has changed: the run as it was trained against the model
    /// with the adapter folded into weights that never were quantized.
    pub fn quantized(&self, said: &Said) -> Result<Option<Quantized>> {
        let Some(run) = self.run.as_ref().filter(|run| !run.model().is_dir()) else { return Ok(None) };
        let backend = &self.session.recipe.backend;
        let (device, frozen) = (Device::cpu(), backend.frozen);
        let place = Placement { device, frozen, precision: backend.precision, double_quant: backend.double_quant };
        let Some(kept) = place.quantized(self.network.plan())? else { return Ok(None) };
        let network = trained(run, &self.session, place)?;
        let as_trained = Said::of(&network, said.asked.clone(), &self.stops())?;
        Ok(Some(Quantized { frozen: kept, logits: difference(&as_trained, said) }))
    }

    /// What is known of the export before it is written.
    pub fn manifest(&self, what: Exported, packing: Packing) -> Manifest {
        let shown = |path: &Path| path.display().to_string();
        Manifest {
            what,
            dtype: packing.name().to_lowercase(),
            run: self.run.as_ref().map(|run| shown(run.root())),
            model: self.base.as_ref().map(|base| match framework_hub::id_of(base) {
                Some(id) => id.to_string(),
                None => shown(base),
            }),
            adapter: self.adapter.as_deref().map(shown),
            ..Manifest::default()
        }
    }
}
