//! The curves of runs.

use super::gathered::Gathered;
use crate::run::Metrics;
use framework_report::plot::{Plot, Series, Shape};
use framework_text::data::SetReport;
use std::collections::BTreeSet;

const STEPS: &str = "optimizer steps";
/// Metrics of answers that go up to 100; all others but lengths are shares.
const OF_A_HUNDRED: [&str; 2] = ["bleu", "chrf"];
const LENGTHS: [&str; 2] = ["length", "length-ratio"];

/// A number of a line of metrics.
type Number = fn(&Metrics) -> Option<f64>;

/// What is a plot of its own, by the name of its file: title, unit, number.
const SINGLE: [(&str, &str, &str, Number); 4] = [
    ("learning-rate", "Learning rate", "learning rate", |line| line.learning_rate),
    ("grad-norm", "Norm of the gradient", "norm before clipping", |line| line.grad_norm),
    ("throughput", "Throughput", "tokens per second", |line| line.tokens_per_second),
    ("perplexity", "Perplexity of the validation data", "perplexity", |line| line.perplexity),
];

fn plot(title: &str, unit: &str, series: Vec<Series>) -> Plot {
    let series = series.into_iter().filter(|series| !series.points.is_empty()).collect();
    Plot { title: title.to_owned(), x: STEPS.to_owned(), y: unit.to_owned(), series, ..Plot::default() }
}

fn line(name: &str, points: Vec<(f64, f64)>) -> Series {
    Series { name: name.to_owned(), points }
}

/// The plots of a run, by the names of their files.
pub(super) fn of_one(run: &Gathered) -> Vec<(&'static str, Plot)> {
    let loss = vec![line("training", run.points(|l| l.loss)), line("validation", run.points(|l| l.eval_loss))];
    let mut plots = vec![("loss", plot("Loss", "nats per token", loss))];
    plots.extend(SINGLE.map(|(file, title, unit, of)| (file, plot(title, unit, vec![line(title, run.points(of))]))));
    let metric = |name: &str| line(name, run.points(|line| line.metrics.get(name).copied()));
    let names: BTreeSet<&str> = run.metrics.iter().flat_map(|line| line.metrics.keys()).map(String::as_str).collect();
    let (hundred, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| OF_A_HUNDRED.contains(name));
    let (lengths, shares): (Vec<_>, Vec<_>) = others.into_iter().partition(|name| LENGTHS.contains(name));
    let mut of_shares = vec![line("token accuracy", run.points(|line| line.eval_accuracy))];
    of_shares.extend(shares.into_iter().map(metric));
    plots.push(("shares", plot("Accuracy and metrics of answers", "from 0 to 1", of_shares)));
    plots
        .push(("scores", plot("BLEU and chrF of answers", "from 0 to 100", hundred.into_iter().map(metric).collect())));
    plots.push(("lengths", plot("Lengths of answers", "words", lengths.into_iter().map(metric).collect())));
    plots
}

/// How long examples are: the share of each bin. None of a run that has not written its facts.
pub(super) fn of_lengths(run: &Gathered) -> Option<Plot> {
    let data = &run.facts.as_ref()?.data;
    let steps = |name: &str, set: &SetReport| {
        let (bins, all) = (&set.histogram, set.histogram.counts.iter().sum::<usize>());
        let share = |(i, n): (usize, &usize)| ((i * bins.width) as f64, 100.0 * *n as f64 / all.max(1) as f64);
        let end = ((bins.counts.len() * bins.width) as f64, 0.0);
        let points = bins.counts.iter().enumerate().map(share).chain((all > 0).then_some(end));
        line(name, points.collect())
    };
    let series = vec![steps("training", &data.train), steps("validation", &data.validation)];
    let plot = plot("Lengths of examples", "% of the examples", series);
    Some(Plot { x: "tokens, before anything is cut off".to_owned(), shape: Shape::Steps, ..plot })
}

/// The plots of several runs, a line for each.
pub(super) fn of_several(names: &[String], runs: &[Gathered]) -> Vec<Plot> {
    let lines = |of: &dyn Fn(&Metrics) -> Option<f64>| -> Vec<Series> {
        names.iter().zip(runs).map(|(name, run)| line(name, run.points(of))).collect()
    };
    let mut plots = vec![
        plot("Training loss", "nats per token", lines(&|line| line.loss)),
        plot("Validation loss", "nats per token", lines(&|line| line.eval_loss)),
        plot("Token accuracy of the validation data", "from 0 to 1", lines(&|line| line.eval_accuracy)),
    ];
    plots.extend(SINGLE.map(|(_, title, unit, of)| plot(title, unit, lines(&of))));
    let metrics = runs.iter().flat_map(|run| &run.metrics).flat_map(|line| line.metrics.keys());
    for name in metrics.collect::<BTreeSet<_>>() {
        plots.push(plot(&format!("{name} of answers"), name, lines(&|line| line.metrics.get(name).copied())));
    }
    plots.iter_mut().for_each(|plot| plot.named = true);
    plots
}
