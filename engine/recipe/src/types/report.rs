//! The table `[report]`.

use framework_core::FilePath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is written for people to look at while a run goes on, besides `metrics.jsonl` and `train.log`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// Write event files for TensorBoard into the run's folder `tensorboard`: losses, learning rate, norm of the gradient,
    /// speed, sampled answers and settings.
    pub tensorboard: bool,
    /// Write the run as a page, `report.html`, and its curves as SVG into the folder `plots`; anew at every evaluation, and
    /// every some seconds.
    pub html: bool,
    /// Metrics of answers to the prompts of the validation data, which are generated as `[generate]` says, at every
    /// evaluation of a run and by `framework eval`.
    pub metrics: Vec<AnswerMetric>,
    /// Number of validation examples that are answered for the metrics at each evaluation of a run, the first ones; 0
    /// means all. `framework eval` has `--limit` instead.
    pub metric_examples: usize,
    /// What texts are split into for the metrics that count words.
    pub segmentation: Segmentation,
    /// A JSON Schema for the metric `schema`, relative to the recipe's folder. Default: the form of what the augmenter
    /// `qa-pairs` writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<FilePath>")]
    pub schema: Option<PathBuf>,
}

/// A metric of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerMetric {
    /// Share of answers that equal the reference.
    ExactMatch,
    /// Precision of n-grams up to four with a penalty for short answers, 0 to 100; sacrebleu's numbers (Papineni et al.,
    /// 2002; Post, 2018, arXiv:1804.08771).
    Bleu,
    /// Agreement of character n-grams, 0 to 100; sacrebleu's chrF2 (Popović, 2015).
    Chrf,
    /// Common words, 0 to 1; rouge-score's F-measure (Lin, 2004).
    #[serde(rename = "rouge-1")]
    Rouge1,
    /// Common pairs of words.
    #[serde(rename = "rouge-2")]
    Rouge2,
    /// Longest common subsequence of words.
    RougeL,
    /// Share of words of all answers that are different (Li et al., 2016, arXiv:1510.03055).
    #[serde(rename = "distinct-1")]
    Distinct1,
    /// Share of pairs of words of all answers that are different.
    #[serde(rename = "distinct-2")]
    Distinct2,
    /// Share of an answer's 4-grams that it had before (Welleck et al., 2020, arXiv:1908.04319).
    Repetition,
    /// Words of an answer.
    Length,
    /// Words of the answers for each word of the references.
    LengthRatio,
    /// Share of answers that are a JSON object.
    Json,
    /// Share of answers that are JSON of the form that `schema` describes.
    Schema,
    /// Share of answers with the reference's title, of references that are JSON with one (标题, `title`).
    Title,
    /// The same of the author (作者, `author`).
    Author,
    /// The same of the issue (卷期, `volume`).
    Volume,
    /// F-measure of keywords (关键词解释, `keywords`), of references that are JSON with some.
    Keywords,
    /// F-measure of the sources that are cited: titles in 《》, issues such as 第3期.
    Citations,
}

/// What texts are split into for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Segmentation {
    /// `chinese` if most letters of the references are Chinese, else `words`.
    #[default]
    Auto,
    /// Words and punctuation (sacrebleu's `13a`).
    Words,
    /// The same, with each Chinese character by itself (sacrebleu's `zh`).
    Chinese,
    /// Characters (sacrebleu's `char`).
    Characters,
    /// Chinese words, by jieba.
    Jieba,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            tensorboard: true,
            html: true,
            metrics: Vec::new(),
            metric_examples: 64,
            segmentation: Segmentation::default(),
            schema: None,
        }
    }
}
