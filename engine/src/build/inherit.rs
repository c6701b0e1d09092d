//! What a recipe takes over from the folders that it names: settings of a PEFT adapter, settings of generation.

use super::blueprint;
use crate::session::Session;
use framework_base::{Error, Problem, Result};
use framework_core::{AdapterPlan, Kind, ModelSpec, PluginError};
use framework_registry::Entry;
use framework_weights as weights;
use serde_json::{Map, Value};
use std::path::Path;

/// Keys of PEFT's configuration that choose modules, which a plan lists one by one, or that matter in training only.
const ELSEWHERE: [&str; 5] =
    ["exclude_modules", "layers_pattern", "layers_to_transform", "lora_dropout", "target_modules"];

/// Takes the settings of the adapter in `adapter.init_from` for what the recipe leaves out.
///
/// # Errors
/// A setting of the recipe that makes another adapter of it: [`Error::Invalid`] with both values.
pub(crate) fn adapter(session: &mut Session) -> Result<()> {
    let Some(folder) = session.recipe.adapter.init_from.clone() else { return Ok(()) };
    let about = |e: Error| e.about("adapter.init_from");
    let config = Value::Object(weights::adapter_config(&folder).map_err(about)?);
    let entry = own(session, &config).map_or_else(|| entry(&session.registry, &config, &folder).map_err(about), Ok)?;
    let theirs = options(entry, &config, &folder).map_err(about)?;
    let name = entry.about.name.clone();
    if session.recipe.adapter.plugin != name {
        return Err(Error::invalid(other_plugin(session, &name, &folder)));
    }
    let spec = blueprint::spec(session).ok();
    let mut options = theirs.as_object().cloned().unwrap_or_default();
    let mut problems = Vec::new();
    for (key, value) in session.recipe.adapter.options.clone() {
        if !session.wrote(&format!("adapter.{key}")) {
            continue;
        }
        let mut changed = options.clone();
        changed.insert(key.clone(), value.clone());
        match same(entry, spec.as_ref(), &options, &changed) {
            Ok(true) => options = changed,
            Ok(false) => problems.push(contradiction(&key, &value, &options, &folder)),
            Err(e) => problems.push(Problem::new(e.to_string()).key(format!("adapter.{key}"))),
        }
    }
    if !problems.is_empty() {
        return Err(Error::Invalid(problems));
    }
    session.recipe.adapter.options = options;
    Ok(())
}

/// The recipe's own plugin, if it reads the configuration: several may.
fn own<'a>(session: &'a Session, config: &Value) -> Option<&'a Entry> {
    let kind = config["peft_type"].as_str()?;
    let known = session.registry.all_by_alias(Kind::Adapter, kind);
    let own = known.into_iter().find(|entry| entry.about.name == session.recipe.adapter.plugin)?;
    own.adapter_options(config).is_ok_and(|options| !options.is_null()).then_some(own)
}

/// An adapter's options by its folder's configuration.
pub(crate) fn options(entry: &Entry, config: &Value, folder: &Path) -> Result<Value> {
    entry.adapter_options(config).map_err(|e| {
        let problem = Problem::new(format!("{}: {e}", folder.display()));
        Error::invalid(problem.help(e.help.as_deref().unwrap_or(weights::MERGE_ELSEWHERE)))
    })
}

/// The plugin that reads an adapter folder's configuration.
pub(crate) fn entry<'a>(
    registry: &'a framework_registry::Registry,
    config: &Value,
    folder: &Path,
) -> Result<&'a Entry> {
    let kind = config["peft_type"].as_str().unwrap_or_default();
    // Several plugins may read one type of PEFT's. What is wrong with the file, the first of them says.
    let known = registry.all_by_alias(Kind::Adapter, kind);
    let reads = |entry: &&&Entry| entry.adapter_options(config).is_ok_and(|options| !options.is_null());
    if let Some(entry) = known.iter().find(reads).or(known.first()) {
        return Ok(entry);
    }
    registry.by_alias(Kind::Adapter, kind).map_err(|unknown| {
        let message = format!("{}: adapter_config.json has the peft_type `{kind}`; {unknown}", folder.display());
        Error::invalid(Problem::new(message).help(weights::MERGE_ELSEWHERE))
    })
}

fn other_plugin(session: &Session, name: &str, folder: &Path) -> Problem {
    let ours = &session.recipe.adapter.plugin;
    let message = format!("is `{ours}`, but {} holds an adapter of the plugin `{name}`", folder.display());
    Problem::new(message).key("adapter.plugin").help(format!("Write plugin = \"{name}\", or leave `init_from` out."))
}

fn contradiction(key: &str, value: &Value, theirs: &Map<String, Value>, folder: &Path) -> Problem {
    let none = Value::Null;
    let (shown, file) = (|v: &Value| if v.is_null() { "not set".to_owned() } else { v.to_string() }, folder.display());
    let message =
        format!("is {}, but {} in {file}/adapter_config.json", shown(value), shown(theirs.get(key).unwrap_or(&none)));
    let help = format!("Leave `{key}` out to go on with that adapter, or `init_from` to begin a new one.");
    Problem::new(message).key(format!("adapter.{key}")).help(help)
}

/// Whether two sets of options describe one adapter of a model.
fn same(
    entry: &Entry,
    spec: Option<&ModelSpec>,
    a: &Map<String, Value>,
    b: &Map<String, Value>,
) -> Result<bool, PluginError> {
    if a == b {
        return Ok(true);
    }
    let Some(spec) = spec else { return Ok(false) };
    let plan = |options: &Map<String, Value>| entry.adapter(&options.clone().into())?.plan(spec).map(meaning);
    Ok(plan(a)? == plan(b)?)
}

/// A plan without the words that chose its modules.
fn meaning(mut plan: AdapterPlan) -> AdapterPlan {
    if let Some(config) = plan.peft_config.as_mut().and_then(Value::as_object_mut) {
        config.retain(|key, _| !ELSEWHERE.contains(&key.as_str()));
    }
    plan.unmatched.clear();
    // How it is trained is no matter of what it is.
    plan.rates.clear();
    plan
}
