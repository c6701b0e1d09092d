//! The metrics of a recipe, by name.

use crate::session::Session;
use framework_base::{Error, Problem, Result};
use framework_metrics::{
    Counted, Pair, Segmentation,
    bleu::bleu,
    chrf::chrf,
    exact::exact_match,
    json, length, magazine, repetition,
    rouge::{Kind, rouge},
    schema::{self, Schema},
};
use framework_recipe::{self as recipe, AnswerMetric};
use serde::Serialize;
use serde_json::{Map, Value};

/// What metrics come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// The examples that were answered.
    pub examples: usize,
    /// What texts were split into.
    pub segmentation: recipe::Segmentation,
    /// A number for each metric; null where it is not defined, because no reference has what it is about.
    pub metrics: Map<String, Value>,
}

/// The metrics that a recipe asks for, ready to be computed.
pub(crate) struct Measures {
    pub(super) metrics: Vec<AnswerMetric>,
    segmentation: recipe::Segmentation,
    schema: Schema,
}

impl Measures {
    pub fn of(session: &Session) -> Result<Self> {
        let report = &session.recipe.report;
        let schema = match &report.schema {
            Some(path) if report.metrics.contains(&AnswerMetric::Schema) => {
                let wrong = |why: String| {
                    let message = format!("{} is not a JSON Schema that can be used: {why}", path.display());
                    Error::invalid(Problem::new(message).key("report.schema"))
                };
                let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
                Schema::read(&text).map_err(wrong)?
            }
            _ => Schema::magazine(),
        };
        let mut metrics = report.metrics.clone();
        metrics.dedup();
        Ok(Self { metrics, segmentation: report.segmentation, schema })
    }

    /// Whether the recipe asks for none.
    pub(crate) fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    /// The metrics.
    pub(crate) fn names(&self) -> &[AnswerMetric] {
        &self.metrics
    }

    /// The same for other metrics.
    pub(crate) fn with(self, metrics: Vec<AnswerMetric>) -> Self {
        Self { metrics, ..self }
    }

    pub fn scores(&self, pairs: &[Pair]) -> Scores {
        let segmentation = self.segmentation_for(pairs);
        let all: Vec<_> = (0..pairs.len()).collect();
        let score =
            |metric: &AnswerMetric| (name(*metric), self.counted(*metric, pairs, segmentation).score(&all).into());
        let metrics = self.metrics.iter().map(score).collect();
        Scores { examples: pairs.len(), segmentation: named(segmentation), metrics }
    }

    pub(super) fn segmentation_for(&self, pairs: &[Pair]) -> Segmentation {
        match self.segmentation {
            recipe::Segmentation::Auto => Segmentation::fitting(pairs.iter().map(|pair| pair.reference.as_str())),
            recipe::Segmentation::Words => Segmentation::Words,
            recipe::Segmentation::Chinese => Segmentation::Chinese,
            recipe::Segmentation::Characters => Segmentation::Characters,
            recipe::Segmentation::Jieba => Segmentation::Jieba,
        }
    }

    pub(super) fn counted(&self, metric: AnswerMetric, pairs: &[Pair], split: Segmentation) -> Box<dyn Counted> {
        match metric {
            AnswerMetric::ExactMatch => exact_match(pairs),
            AnswerMetric::Bleu => bleu(pairs, split),
            AnswerMetric::Chrf => chrf(pairs),
            AnswerMetric::Rouge1 => rouge(pairs, Kind::Ngrams(1), split),
            AnswerMetric::Rouge2 => rouge(pairs, Kind::Ngrams(2), split),
            AnswerMetric::RougeL => rouge(pairs, Kind::Longest, split),
            AnswerMetric::Distinct1 => repetition::distinct(pairs, 1, split),
            AnswerMetric::Distinct2 => repetition::distinct(pairs, 2, split),
            AnswerMetric::Repetition => repetition::repetition(pairs, split),
            AnswerMetric::Length => length::length(pairs, split),
            AnswerMetric::LengthRatio => length::length_ratio(pairs, split),
            AnswerMetric::Json => json::valid(pairs),
            AnswerMetric::Schema => schema::conforming(pairs, &self.schema),
            AnswerMetric::Title => magazine::field(pairs, magazine::Field::Title),
            AnswerMetric::Author => magazine::field(pairs, magazine::Field::Author),
            AnswerMetric::Volume => magazine::field(pairs, magazine::Field::Volume),
            AnswerMetric::Keywords => magazine::keywords(pairs),
            AnswerMetric::Citations => magazine::citations(pairs),
        }
    }
}

/// A segmentation's name in recipes.
pub(super) fn named(segmentation: Segmentation) -> recipe::Segmentation {
    match segmentation {
        Segmentation::Words => recipe::Segmentation::Words,
        Segmentation::Chinese => recipe::Segmentation::Chinese,
        Segmentation::Characters => recipe::Segmentation::Characters,
        Segmentation::Jieba => recipe::Segmentation::Jieba,
    }
}

/// A metric's name in recipes.
pub fn name(metric: AnswerMetric) -> String {
    serde_json::to_value(metric).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
