//! The numbers of runs.

use super::gathered::Gathered;
use crate::units;
use framework_report::{page::Page, plot::Plot};
use framework_text::data::SetReport;
use serde_json::Value;
use std::collections::BTreeMap;

fn number(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.4}"))
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// The numbers that matter most.
pub(super) fn figures(run: &Gathered) -> Vec<(String, String)> {
    let last = |of: fn(&crate::run::Metrics) -> Option<f64>| run.metrics.iter().rev().find_map(of);
    let best = run.metrics.iter().filter_map(|line| Some((line.eval_loss?, line.step)));
    let best = best.filter(|(loss, _)| loss.is_finite()).min_by(|a, b| a.0.total_cmp(&b.0));
    let mut all = vec![
        ("training loss", number(last(|line| line.loss))),
        ("tokens per second", last(|line| line.tokens_per_second).map_or("–".into(), |speed| format!("{speed:.0}"))),
    ];
    if let Some((loss, step)) = best {
        all.insert(1, ("best validation loss", format!("{loss:.4} at step {step}")));
    }
    if let Some(accuracy) = last(|line| line.eval_accuracy) {
        all.push(("token accuracy", format!("{:.1} %", 100.0 * accuracy)));
    }
    if let Some(facts) = &run.facts {
        let (trained, parameters) = (units::count(facts.trained_parameters), units::count(facts.parameters));
        all.push(("trained parameters", format!("{trained} of {parameters}")));
    }
    if let Some(summary) = &run.summary {
        all.push(("training time", units::duration(summary.seconds)));
        all.extend(summary.peak_memory_bytes.map(|bytes| ("peak memory", units::bytes(bytes))));
    }
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What became of the data.
pub(super) fn data(page: &mut Page, run: &Gathered, lengths: Option<&Plot>) {
    let Some(facts) = &run.facts else { return };
    let (train, validation) = (&facts.data.train, &facts.data.validation);
    page.heading("Data");
    let count =
        |name: &str, of: fn(&SetReport) -> usize| row(&[name, &of(train).to_string(), &of(validation).to_string()]);
    let rows = [
        count("records read", |set| set.records),
        count("examples after the augmenters", |set| set.examples),
        count("examples kept", |set| set.kept),
        count("dropped: nothing trained is left within max_length", |set| set.dropped_unsupervised),
        count("dropped: the same as a validation example", |set| set.dropped_in_validation),
        count("rows left out: cannot be trained", |set| set.refused.iter().map(|noted| noted.rows).sum()),
        count("cut off at max_length", |set| set.truncated),
        count("tokens lost by that", |set| set.lost_tokens),
        count("tokens", |set| set.tokens),
        count("supervised tokens", |set| set.supervised_tokens),
        count("length in tokens: half up to", |set| set.lengths.p50),
        count("length in tokens: 95 % up to", |set| set.lengths.p95),
        count("length in tokens: longest", |set| set.lengths.max),
    ];
    let said = |row: &Vec<String>| row[1..].iter().any(|cell| cell != "0");
    page.table(&row(&["", "training", "validation"]), &rows.into_iter().filter(said).collect::<Vec<_>>());
    page.plots(lengths);
    let left_out =
        facts.data.datasets.iter().flat_map(|set| set.left_out().map(|line| format!("{}: {line}", set.name)));
    left_out.chain(facts.data.noted()).for_each(|line| page.paragraph(&line));
}

/// What the run was expected to take, and what it took.
pub(super) fn plan(page: &mut Page, run: &Gathered) {
    let Some(facts) = &run.facts else { return };
    let (expected, summary) = (&facts.expected, run.summary.as_ref());
    let real = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    let share =
        |real: f64, plan: f64| if plan > 0.0 { format!("{:.0} %", 100.0 * real / plan) } else { "–".to_owned() };
    let (memory, seconds) = (expected.memory_bytes as f64, expected.seconds);
    let peak = summary.and_then(|summary| summary.peak_memory_bytes);
    let rows = [
        vec![
            "steps".to_owned(),
            expected.steps.to_string(),
            real(run.metrics.last().map(|line| line.step.to_string())),
            real(run.metrics.last().map(|line| share(line.step as f64, expected.steps as f64))),
        ],
        vec![
            "memory".to_owned(),
            units::bytes(expected.memory_bytes),
            real(peak.map(units::bytes)),
            real(peak.map(|peak| share(peak as f64, memory))),
        ],
        vec![
            "time of the training steps".to_owned(),
            real(seconds.map(units::duration)),
            real(summary.map(|summary| units::duration(summary.seconds))),
            real(summary.zip(seconds).map(|(summary, plan)| share(summary.seconds, plan))),
        ],
        vec![
            "floating-point operations a second".to_owned(),
            real(seconds.map(|seconds| units::flop(expected.flops / seconds.max(1e-9)))),
            real(summary.map(|summary| units::flop(expected.flops / summary.seconds.max(1e-9)))),
            String::new(),
        ],
    ];
    page.heading("Plan and reality");
    page.table(&row(&["", "plan", "reality", "of the plan"]), &rows);
    page.paragraph(
        "Peak memory is that of the whole process on the host. On a GPU, the plan counts what the model takes there.",
    );
}

/// Where the run computes.
pub(super) fn machine(page: &mut Page, run: &Gathered) {
    let Some(machine) = run.facts.as_ref().map(|facts| &facts.machine) else { return };
    page.heading("Hardware");
    let mut rows = vec![row(&["backend", &machine.backend]), row(&["precision", &machine.precision])];
    rows.extend(machine.processor.iter().map(|name| row(&["processor", name])));
    rows.push(row(&["threads", &machine.threads.to_string()]));
    rows.extend(machine.memory_bytes.map(|bytes| row(&["memory", &units::bytes(bytes)])));
    rows.push(row(&["system", &machine.system]));
    page.table(&[], &rows);
}

/// What several runs came to.
pub(super) fn results(page: &mut Page, names: &[String], runs: &[Gathered]) {
    let all: Vec<BTreeMap<_, _>> = runs.iter().map(|run| figures(run).into_iter().collect()).collect();
    let keys: Vec<_> = figures(&runs[0]).into_iter().map(|(key, _)| key).collect();
    let more = all.iter().flat_map(|one| one.keys().cloned()).filter(|key| !keys.contains(key));
    let more: std::collections::BTreeSet<_> = more.collect();
    let cells = |key: &String| all.iter().map(|one| one.get(key).cloned().unwrap_or("–".into())).collect::<Vec<_>>();
    let line = |key: &String| [vec![key.clone()], cells(key)].concat();
    let mut rows = vec![[vec!["state".to_owned()], runs.iter().map(Gathered::standing).collect()].concat()];
    rows.extend(keys.iter().chain(&more).map(line));
    page.table(&[vec![String::new()], names.to_vec()].concat(), &rows);
}

/// The settings in which several runs differ.
pub(super) fn differences(page: &mut Page, names: &[String], runs: &[Gathered]) {
    let all: Vec<_> = runs.iter().map(|run| flat(&run.settings)).collect();
    let keys: std::collections::BTreeSet<_> = all.iter().flat_map(BTreeMap::keys).collect();
    let differ = |key: &&&String| {
        !["name", "output"].contains(&key.as_str()) && all.iter().any(|one| one.get(**key) != all[0].get(**key))
    };
    let cell = |one: &BTreeMap<String, String>, key: &String| one.get(key).cloned().unwrap_or("–".into());
    let line = |key: &String| [vec![key.clone()], all.iter().map(|one| cell(one, key)).collect()].concat();
    let rows: Vec<_> = keys.iter().filter(differ).map(|key| line(key)).collect();
    page.heading("Settings that differ");
    if rows.is_empty() {
        return page.paragraph("None but names and folders.");
    }
    page.table(&[vec![String::new()], names.to_vec()].concat(), &rows);
}

/// The values of a recipe by their whole keys.
fn flat(settings: &Value) -> BTreeMap<String, String> {
    let mut open = vec![(String::new(), settings)];
    let mut found = BTreeMap::new();
    while let Some((key, value)) = open.pop() {
        let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
        match value {
            Value::Object(table) => open.extend(table.iter().map(|(name, value)| (below(name), value))),
            Value::Array(list) if list.iter().any(Value::is_object) => {
                open.extend(list.iter().enumerate().map(|(i, value)| (below(&i.to_string()), value)));
            }
            value => _ = found.insert(key, value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
        }
    }
    found
}
