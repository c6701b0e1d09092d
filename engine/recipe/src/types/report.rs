//! The table `[report]`.

use framework_core::FilePath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Reports that a run writes while it trains, besides `metrics.jsonl` and `train.log`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// Write event files for TensorBoard into the folder `tensorboard` of the run: losses, learning rate, gradient
    /// norm, speed, sampled answers and settings.
    pub tensorboard: bool,
    /// Write a page about the run, `report.html`, and its curves as SVG into the folder `plots`. Both are rewritten at
    /// every evaluation and every 15 seconds.
    pub html: bool,
    /// Metrics of answers to the validation prompts, computed at every evaluation of a run and by `framework eval`. The
    /// answers are generated with the settings of `[generate]`.
    pub metrics: Vec<AnswerMetric>,
    /// Number of validation examples, from the first on, that are answered for the metrics at each evaluation of a run;
    /// 0 means all. `framework eval` has `--limit` instead.
    pub metric_examples: usize,
    /// What counts as a word in the metrics that count words.
    pub segmentation: Segmentation,
    /// A JSON Schema for the metric `schema`, relative to the recipe's folder. Default: the schema of the answers that
    /// the augmenter `qa-pairs` writes.
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
    /// Overlap of words, 0 to 1; rouge-score's F-measure (Lin, 2004).
    #[serde(rename = "rouge-1")]
    Rouge1,
    /// Overlap of pairs of words.
    #[serde(rename = "rouge-2")]
    Rouge2,
    /// Longest common subsequence of words.
    RougeL,
    /// Number of different words divided by the number of words, over all answers (Li et al., 2016, arXiv:1510.03055).
    #[serde(rename = "distinct-1")]
    Distinct1,
    /// The same for pairs of words.
    #[serde(rename = "distinct-2")]
    Distinct2,
    /// Share of an answer's 4-grams that occurred earlier in it (Welleck et al., 2020, arXiv:1908.04319).
    Repetition,
    /// Number of words of an answer.
    Length,
    /// Number of words of the answers divided by that of the references.
    LengthRatio,
    /// Share of answers that are a JSON object.
    Json,
    /// Share of answers that are JSON and conform to `schema`.
    Schema,
    /// Share of answers with the reference's title (标题, `title`), among references that are JSON and have one.
    Title,
    /// The same for the author (作者, `author`).
    Author,
    /// The same for the issue (卷期, `volume`).
    Volume,
    /// F-measure of keywords (关键词解释, `keywords`), among references that are JSON and have some.
    Keywords,
    /// F-measure of cited sources: titles in 《》, and issues such as 第3期.
    Citations,
}

/// What counts as a word in metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Segmentation {
    /// `chinese` if most letters of the references are Chinese, else `words`.
    #[default]
    Auto,
    /// Words and punctuation (sacrebleu's `13a`).
    Words,
    /// As `words`, and each Chinese character is a word (sacrebleu's `zh`).
    Chinese,
    /// Each character (sacrebleu's `char`).
    Characters,
    /// Chinese words, as found by jieba.
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
