//! Metrics of several models over the same examples.

use super::metrics::{Measures, name};
use framework_base::{Error, Problem, Result};
use framework_metrics::{Counted, Pair, bootstrap};
use framework_recipe::{AnswerMetric, Segmentation};
use serde::Serialize;

/// A metric of each model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// The metric.
    pub metric: String,
    /// A score for each model; null where it is not defined.
    pub scores: Vec<Option<f64>>,
    /// What each score is between in 95 % of the samples of a bootstrap over the examples.
    pub intervals: Vec<Option<(f64, f64)>>,
    /// How each model after the first differs from the first.
    pub differences: Vec<Option<Difference>>,
}

/// How a model differs from the first, by a paired bootstrap over the examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Its score less the first's.
    pub difference: f64,
    /// What that is between in 95 % of the samples.
    pub interval: (f64, f64),
    /// How probable a difference of the other sign is.
    pub p: f64,
}

/// Metrics that need no references.
const ALONE: [AnswerMetric; 5] = [
    AnswerMetric::Distinct1,
    AnswerMetric::Distinct2,
    AnswerMetric::Repetition,
    AnswerMetric::Length,
    AnswerMetric::Json,
];

/// The metrics that models are compared by if nothing else is asked for.
pub(crate) fn default_metrics(has_references: bool) -> Vec<AnswerMetric> {
    match has_references {
        true => {
            use AnswerMetric::*;
            vec![ExactMatch, Bleu, Chrf, Rouge1, Rouge2, RougeL, Distinct2, Repetition, Length]
        }
        false => ALONE[..4].to_vec(),
    }
}

/// Refuses metrics that need references where there are none.
pub(crate) fn require_references(metrics: &[AnswerMetric]) -> Result<()> {
    let Some(metric) = metrics.iter().find(|metric| !ALONE.contains(metric)) else { return Ok(()) };
    let message = format!("the metric `{}` compares with references, and the prompts have none", name(*metric));
    let help = "Give a file of JSON lines: {\"prompt\": \"…\", \"reference\": \"…\"}, or leave the metric out.";
    Err(Error::invalid(Problem::new(message).key("--metrics").help(help)))
}

impl Measures {
    /// Compares models, each with its answers to the same prompts, and says what texts were split into.
    pub(crate) fn compared(&self, models: &[Vec<Pair>]) -> (Vec<Measured>, Segmentation) {
        let pairs = models.first().map_or(&[][..], Vec::as_slice);
        let all: Vec<_> = (0..pairs.len()).collect();
        let split = self.segmentation_for(pairs);
        let measured = |metric: &AnswerMetric| {
            let counted: Vec<_> = models.iter().map(|pairs| self.counted(*metric, pairs, split)).collect();
            let difference = |other: &dyn Counted| {
                let bootstrap::Difference { difference, interval, p } =
                    bootstrap::difference(&*counted[0], other, all.len())?;
                Some(Difference { difference, interval, p })
            };
            Measured {
                metric: name(*metric),
                scores: counted.iter().map(|counted| counted.score(&all)).collect(),
                intervals: counted.iter().map(|counted| bootstrap::interval(&**counted, all.len())).collect(),
                differences: counted.iter().skip(1).map(|counted| difference(&**counted)).collect(),
            }
        };
        (self.metrics.iter().map(measured).collect(), super::metrics::named(split))
    }
}
