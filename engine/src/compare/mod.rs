//! Models compared: the same prompts answered by each, side by side, with metrics and how sure these are.

mod markdown;
mod page;
mod prompt_text;
mod prompts;
mod side;
mod table;

use crate::{
    evaluation::{Evaluation, evaluate},
    pipeline::examples,
    scoring::{self, Measured, Measures},
    session::PluginSources,
};
use framework_base::{Error, Problem, Result, files};
use framework_metrics::Pair;
use framework_recipe::Segmentation;
use prompts::Prompt;
use serde::Serialize;
use side::{Side, Target};
use std::path::{Path, PathBuf};

/// What is compared, and on what.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Runs and model folders. A run alone is compared with the model that it was trained from.
    pub targets: Vec<PathBuf>,
    /// Whether the model that the first run was trained from is compared, too.
    pub base: bool,
    /// A file of prompts, instead of the validation data of the runs.
    pub prompts: Option<PathBuf>,
    /// At most so many prompts; 0 means all.
    pub limit: usize,
    /// Overrides of the runs' recipes.
    pub overrides: Vec<String>,
}

/// Models side by side.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The models' names.
    pub models: Vec<String>,
    /// The loss of each on the validation data, if that is what is compared on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evaluations: Vec<Evaluation>,
    /// Metrics.
    pub metrics: Vec<Measured>,
    /// What texts were split into for the metrics.
    pub segmentation: Segmentation,
    /// The answers.
    pub answers: Vec<Answers>,
}

/// What each model answers to a prompt.
#[derive(Debug, Serialize)]
pub struct Answers {
    /// The prompt; of validation data, without the lines of the template that all prompts share.
    pub prompt: String,
    /// What is expected, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// An answer of each model.
    pub answers: Vec<String>,
}

/// Compares models. They are loaded one after the other. `each` is told which model answers, how many prompts it has
/// answered, and of how many.
pub fn compare(
    options: &Options,
    sources: &PluginSources,
    each: &mut dyn FnMut(&str, usize, usize),
) -> Result<Comparison> {
    let targets = targets(options)?;
    let models: Vec<_> = targets.iter().map(Target::name).collect();
    let given = options.prompts.as_deref().map(prompts::read).transpose()?;
    let (mut rows, mut evaluations, mut measures) = (Vec::<Answers>::new(), Vec::new(), None);
    for (target, name) in targets.iter().zip(&models) {
        let side = Side::open(target, &options.overrides, sources)?;
        let (prompts, asked) = match &given {
            Some(given) => of_file(&side, given, options.limit)?,
            None => of_validation(&side, target, options.limit, &mut evaluations)?,
        };
        if measures.is_none() {
            measures = Some(measures_for(&side, &asked)?);
            rows = asked;
        } else if rows.iter().map(|row| &row.reference).ne(asked.iter().map(|row| &row.reference)) {
            return Err(other_validation(&models[0], name));
        }
        let answers = side.answering().answers(&prompts, &mut |done, all| each(name, done, all))?;
        rows.iter_mut().zip(answers).for_each(|(row, answer)| row.answers.push(answer));
    }
    let pair = |row: &Answers, i: usize| Pair {
        answer: row.answers[i].clone(),
        reference: row.reference.clone().unwrap_or_default(),
    };
    let pairs: Vec<Vec<_>> = (0..models.len()).map(|i| rows.iter().map(|row| pair(row, i)).collect()).collect();
    let measures = measures.ok_or_else(|| Error::failed("there is nothing to compare"))?;
    let (metrics, segmentation) = measures.compared(&pairs);
    Ok(Comparison { models, evaluations, metrics, segmentation, answers: rows })
}

fn targets(options: &Options) -> Result<Vec<Target>> {
    let mut targets = options.targets.iter().map(|path| Target::named(path)).collect::<Result<Vec<_>>>()?;
    let first_run = targets.iter().find_map(|target| match target {
        Target::Run(run) => Some(run.clone()),
        _ => None,
    });
    match first_run {
        Some(run) if options.base || targets.len() == 1 => targets.insert(0, Target::Base(run)),
        None if options.base || targets.len() < 2 => {
            let message = "there is nothing to compare with";
            let help = "Name a run, whose base model is then compared with it, or two models.";
            return Err(Error::invalid(Problem::new(message).help(help)));
        }
        _ => {}
    }
    Ok(targets)
}

type Asked = (Vec<Vec<u32>>, Vec<Answers>);

fn of_file(side: &Side, given: &[Prompt], limit: usize) -> Result<Asked> {
    let most = if limit == 0 { given.len() } else { limit };
    let asked = given.iter().take(most);
    let ids = asked.clone().map(|prompt| side.ids(&prompt.text)).collect::<Result<_>>()?;
    let row =
        |one: &Prompt| Answers { prompt: one.text.clone(), reference: one.reference.clone(), answers: Vec::new() };
    Ok((ids, asked.map(row).collect()))
}

fn of_validation(side: &Side, target: &Target, limit: usize, into: &mut Vec<Evaluation>) -> Result<Asked> {
    if let Target::Folder(folder) = target {
        let message = format!("{} has no validation data", folder.display());
        return Err(Error::invalid(Problem::new(message).help("Give prompts: --prompts FILE.")));
    }
    let (_, _, corpus) = examples(&side.session, &mut |_| {})?;
    let batch = side.session.recipe.train.batch_size;
    into.extend(evaluate(&side.network, &corpus.validation, batch, side.tokenizer.pad)?);
    let answering = side.answering();
    let found = answering.examples(&corpus.validation, limit)?;
    if found.is_empty() {
        let message = "the run has no validation example with a prompt";
        return Err(Error::invalid(Problem::new(message).help("Give prompts: --prompts FILE.")));
    }
    let row = |(prompt, reference): &(Vec<u32>, String)| {
        let prompt = answering.shown(prompt)?;
        Ok(Answers { prompt, reference: Some(reference.clone()), answers: Vec::new() })
    };
    let mut rows = found.iter().map(row).collect::<Result<Vec<_>>>()?;
    prompt_text::shorten(rows.iter_mut().map(|row| &mut row.prompt).collect());
    Ok((found.into_iter().map(|(prompt, _)| prompt).collect(), rows))
}

/// The metrics that the first model's recipe names, or those that are usual.
fn measures_for(side: &Side, asked: &[Answers]) -> Result<Measures> {
    let has_references = asked.iter().all(|row| row.reference.is_some());
    let mut measures = Measures::of(&side.session)?;
    if measures.is_empty() {
        measures = measures.with(scoring::default_metrics(has_references));
    }
    if !has_references {
        scoring::require_references(measures.names())?;
    }
    Ok(measures)
}

fn other_validation(first: &str, other: &str) -> Error {
    let message = format!("{first} and {other} have different validation data");
    Error::invalid(Problem::new(message).help("Compare them on prompts of your own: --prompts FILE."))
}

impl Comparison {
    /// The tables and answers as Markdown, at most so many prompts.
    pub fn to_markdown(&self, most: usize) -> String {
        markdown::of(self, most)
    }

    /// Writes `compare.md`, `compare.html` and `compare.json` into a folder.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        files::create_dir(folder)?;
        let json = serde_json::to_vec_pretty(self).map_err(|e| Error::failed(e.to_string()))?;
        files::write_bytes(&folder.join("compare.json"), &json)?;
        files::write_bytes(&folder.join("compare.md"), self.to_markdown(usize::MAX).as_bytes())?;
        files::write_bytes(&folder.join("compare.html"), page::of(self).as_bytes())
    }
}
