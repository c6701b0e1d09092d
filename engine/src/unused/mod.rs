//! Settings that change nothing beside the recipe's others: they are told before any work.

mod length;

pub(crate) use length::{idle, require_validation};

use crate::{
    build::{Keeping, blueprint::Blueprint},
    scoring,
    session::Session,
};
use framework_executor::{Device, Precision};
use framework_recipe::{
    self as recipe, AnswerMetric, Backend, Frozen, Recipe, Report, Schedule, Split, TokenizerKind, Turns,
};
use framework_text::data::{Sequence, Template};
use std::collections::BTreeSet;

/// Keys whose effect the recipe alone rules out, each with the reason.
pub(crate) fn in_recipe(recipe: &Recipe) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut add = |key: &str, why: &str| all.push((key.to_owned(), why.to_owned()));
    if recipe.backend.frozen == Some(Frozen::Stored) && recipe.model.weights.is_none() {
        add("backend.frozen", "a model from scratch has no stored weights");
    }
    if recipe.tokenizer.train.as_ref().is_some_and(|t| t.lowercase && t.kind != TokenizerKind::WordPiece) {
        add("tokenizer.train.lowercase", "only `wordpiece` writes everything in lower case");
    }
    // A value that is the default is no wish of the user's: the filled recipe of a run has all of them.
    if recipe.train.group_by_length && !recipe.train.shuffle {
        add("train.shuffle", "`train.group_by_length` decides the order of the examples");
    }
    let train = &recipe.train;
    let schedules: [(_, bool, &[Schedule]); 4] = [
        ("power", train.schedule_power.is_some(), &[Schedule::Polynomial]),
        ("end", train.schedule_end.is_some(), &[Schedule::Polynomial, Schedule::Cosine]),
        ("cycles", train.schedule_cycles.is_some(), &[Schedule::CosineRestarts]),
        ("timescale", train.schedule_timescale.is_some(), &[Schedule::InverseSqrt]),
    ];
    for (key, _, _) in schedules.iter().filter(|(_, set, of)| *set && !of.contains(&train.schedule)) {
        add(&format!("train.schedule_{key}"), "`train.schedule` is another one than it is for");
    }
    let report = &recipe.report;
    // The filled recipe of a run has the defaults written out.
    let default = Report::default();
    let set = [
        ("report.metric_examples", report.metric_examples != default.metric_examples),
        ("report.segmentation", report.segmentation != default.segmentation),
    ];
    for (key, _) in set.iter().filter(|(_, set)| *set && report.metrics.is_empty()) {
        add(key, "`report.metrics` names no metric");
    }
    if !report.metrics.contains(&AnswerMetric::Schema) {
        add("report.schema", "`report.metrics` does not name `schema`");
    }
    for (i, dataset) in recipe.dataset.iter().enumerate() {
        if dataset.split == Split::Validation && dataset.weight != 1.0 {
            add(&format!("dataset.{i}.weight"), "each record is evaluated once");
        }
    }
    all
}

/// Keys of `[prompt]` that its template does not use.
pub(crate) fn by_template(recipe: &Recipe, template: &Template) -> Vec<(String, String)> {
    let (prompt, names) = (&recipe.prompt, template.names());
    let mut all = Vec::new();
    if !names.contains("strftime_now") {
        all.push(("prompt.date".to_owned(), "the template does not ask for the day".to_owned()));
    }
    for name in prompt.variables.keys().filter(|name| !names.contains(*name)) {
        all.push((format!("prompt.variables.{name}"), format!("the template does not read `{name}`")));
    }
    if !template.has_turns() && prompt.turns != Turns::default() {
        all.push(("prompt.turns".to_owned(), "the template writes no conversations".to_owned()));
    }
    all
}

/// Keys whose effect the validation data rule out.
pub(crate) fn by_validation(recipe: &Recipe, validation: &[Sequence]) -> Vec<(String, String)> {
    let why = match () {
        () if recipe.report.metrics.is_empty() => return Vec::new(),
        () if validation.is_empty() => "there is no validation data",
        () if scoring::examples(validation).next().is_none() => {
            "no validation example has a prompt that is not trained"
        }
        () => return Vec::new(),
    };
    vec![("report.metrics".to_owned(), why.to_owned())]
}

/// Keys whose effect the plan of the network rules out.
pub(crate) fn by_plan(recipe: &Recipe, blueprint: &Blueprint, device: &Device) -> Vec<(String, String)> {
    let trained: BTreeSet<_> = blueprint.trained().into_iter().map(|param| &param.name).collect();
    let frozen = |name: &String| !trained.contains(name);
    let all_trained = !blueprint.spec.params.iter().any(|param| frozen(&param.name));
    let mut all = Vec::new();
    let in_32_bits = device.precision() == Precision::F32;
    let of_half = matches!(recipe.backend.precision, recipe::Precision::Bf16 | recipe::Precision::F16);
    if of_half && in_32_bits && (all_trained || recipe.backend.frozen.is_some() || blueprint.adapted.storage.is_some())
    {
        let kept = if all_trained {
            "every weight is trained, in 32 bits"
        } else {
            "`backend.frozen` says how weights are kept"
        };
        all.push(("backend.precision".to_owned(), format!("this device computes in 32 bits, and {kept}")));
    }
    if recipe.backend.precision == recipe::Precision::High && in_32_bits {
        let why = "this device computes in 32 bits: `high` is for processors with AMX";
        all.push(("backend.precision".to_owned(), why.to_owned()));
    }
    if recipe.backend.frozen.is_some_and(|frozen| frozen != Frozen::F32) && all_trained {
        let why = "every weight is trained, and trained weights are kept in 32 bits";
        all.push(("backend.frozen".to_owned(), why.to_owned()));
    }
    let Backend { frozen, precision, double_quant, .. } = recipe.backend;
    let keeping = Keeping::of(&blueprint.adapted, &blueprint.still, frozen, precision, double_quant);
    if !double_quant && (all_trained || !keeping.is_ok_and(|keeping| keeping.in_4_bits())) {
        let why = "there are no weights of 4 bits: see `backend.frozen`";
        all.push(("backend.double_quant".to_owned(), why.to_owned()));
    }
    all
}

/// Tells of those that the user wrote.
pub(crate) fn warn(session: &Session, keys: Vec<(String, String)>) {
    for (key, why) in keys.into_iter().filter(|(key, _)| session.wrote(key)) {
        tracing::warn!("{}`{key}` has no effect: {why}", session.place(&key));
    }
}
