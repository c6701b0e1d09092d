//! What a recipe's model and adapter come to, found on shapes alone.

use super::{
    ModelSource, fit, freeze,
    needs::{self, Has},
};
use crate::session::Session;
use framework_base::{Error, Problem, Result};
use framework_core::{
    AdapterPlan, DType, Kind, ModelSpec, Param, PluginError,
    ffi::ModelObject,
    meta::{self, MetaHost},
};
use framework_hub as hub;
use framework_weights as weights;
use std::collections::BTreeSet;

/// A model and what an adapter does to it; no number has been read.
pub struct Blueprint {
    /// The architecture.
    pub model: ModelObject,
    /// Its parameters.
    pub spec: ModelSpec,
    /// What is added and what is trained.
    pub adapted: AdapterPlan,
    /// Names of parameters that stay as they are although the adapter trains them.
    pub still: BTreeSet<String>,
}

impl Blueprint {
    /// The recipe's model and adapter, if they fit each other and the weights.
    pub fn of(session: &Session) -> Result<Self> {
        let recipe = &session.recipe;
        let wrong = |e: PluginError| Error::invalid(Problem::new(e.to_string()).key("model"));
        let source = source(session).map_err(|e| e.about("model"))?;
        let entry = session.entry(Kind::Model, &recipe.model.plugin)?;
        let refused_config = |e: PluginError| match &recipe.model.weights {
            Some(folder) => fit::refused(entry, &folder.join("config.json"), source.config(), &e),
            None => wrong(e),
        };
        fit::warn_of_unused(entry, &source);
        let model = entry.model(&source.config().clone().into()).map_err(refused_config)?;
        let spec = model.spec().map_err(wrong)?;
        if let ModelSource::Folder(folder) = &source {
            let check = |param: &Param| folder.check(&param.name, &weights::shape_in_files(param));
            spec.params.iter().try_for_each(check).map_err(|e| e.about("model.weights"))?;
        }
        let adapted = session.adapter()?.plan(&spec).map_err(|e| refused(session, &e))?;
        // In a recipe it is a mistake; an adapter folder was trained like that.
        if let (Some(lost), None) = (adapted.unmatched.first(), &recipe.adapter.init_from) {
            let e = PluginError::new(lost.clone()).in_plugin(session.adapter()?.plugin());
            return Err(refused(session, &e));
        }
        let still = freeze::frozen(&recipe.train.freeze, &adapted)?;
        let (adapter, optimizer) = (session.adapter()?, session.optimizer()?);
        needs::layers(&session.registry, adapter.plugin(), &adapted, &spec)?;
        let has = Has::asked(&recipe.backend, recipe.train.packing, (&spec, &adapted), &still)?;
        let of_optimizer = (format!("optimizer `{}`", recipe.optimizer.plugin), optimizer.needs()?);
        let of_model = (model.plugin(), &spec.needs);
        has.meet(&[of_model, (adapter.plugin(), &adapted.needs), (&of_optimizer.0, &of_optimizer.1)])?;
        Ok(Self { model, spec, adapted, still })
    }

    /// The parameters that are trained, the adapter's own first.
    pub fn trained(&self) -> Vec<&Param> {
        let names: BTreeSet<&String> = self.adapted.trained.iter().collect();
        let of_model = self.spec.params.iter().filter(|param| names.contains(&param.name));
        self.adapted.own_trained().chain(of_model).filter(|param| !self.still.contains(&param.name)).collect()
    }

    /// Runs the model and a step of the optimizer on shapes: what a plugin gets wrong is told before anything begins.
    pub fn try_out(&self, session: &Session) -> Result<()> {
        let host = MetaHost::new(&self.spec, Some(session.adapter()?), 1, 2)?;
        meta::forward(&self.model, &host, &self.spec)?;
        let optimizer = session.optimizer()?;
        let learning_rate = optimizer.learning_rate()?;
        let tensor = |shape: &[usize]| host.tensor(shape, DType::F32);
        let mut seen = BTreeSet::new();
        let params: Vec<Param> = self.trained().into_iter().filter(|p| seen.insert(&p.shape)).cloned().collect();
        let opened = optimizer.open(&params)?;
        for (index, (param, states)) in params.iter().zip(opened.states()).enumerate() {
            let state = states.iter().map(|s| tensor(&s.shape)).collect();
            opened.update(learning_rate, 1, index, (tensor(&param.shape), tensor(&param.shape)), state)?;
        }
        Ok(())
    }
}

/// What the recipe's model declares.
pub(crate) fn spec(session: &Session) -> Result<ModelSpec> {
    let source = source(session)?;
    let model = session.entry(Kind::Model, &session.recipe.model.plugin)?.model(&source.config().clone().into())?;
    Ok(model.spec()?)
}

/// The model's weights; its configuration alone where they have not been downloaded.
pub(crate) fn source(session: &Session) -> Result<ModelSource> {
    let recipe = &session.recipe;
    let Some(folder) = recipe.model.weights.as_ref().filter(|folder| !hub::is_complete(folder)) else {
        return fit::fitted(session.entry(Kind::Model, &recipe.model.plugin)?, ModelSource::of(recipe)?);
    };
    Ok(ModelSource::Scratch(weights::config(folder)?).without(&recipe.model.ignore_keys))
}

/// What an adapter says of the model, at the option that it names.
fn refused(session: &Session, e: &PluginError) -> Error {
    let options = &session.recipe.adapter.options;
    let named = e.key.as_deref().filter(|key| options.contains_key(*key));
    let key = named.or_else(|| options.contains_key("targets").then_some("targets"));
    let key = key.map_or_else(|| "adapter".to_owned(), |option| format!("adapter.{option}"));
    let problem = Problem::of(e).key(key);
    // A panic is the plugin's own fault.
    if e.panicked() { Error::failed(e.to_string()) } else { Error::invalid(problem) }
}
