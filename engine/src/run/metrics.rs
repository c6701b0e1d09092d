//! `metrics.jsonl`.

use framework_base::{Error, Result};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs::OpenOptions, io::Write, path::Path};

/// One logged step, training or evaluation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Optimizer steps done.
    pub step: u64,
    /// Passes over the data done, as a fraction.
    pub epoch: f64,
    /// When the line was written, in UTC: `2026-01-31T12:00:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Mean training loss per supervised token since the last line.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::number::maybe")]
    pub loss: Option<f64>,
    /// Learning rate of the step.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::number::maybe")]
    pub learning_rate: Option<f64>,
    /// Norm of the step's gradient before clipping.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::number::maybe")]
    pub grad_norm: Option<f64>,
    /// Tokens, without padding, per second since the last line.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::number::maybe")]
    pub tokens_per_second: Option<f64>,
    /// Mean validation loss per supervised token.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::number::maybe")]
    pub eval_loss: Option<f64>,
    /// e to the power of the validation loss.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::number::maybe")]
    pub perplexity: Option<f64>,
    /// Share of the validation data's predicted tokens that are the likeliest.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::number::maybe")]
    pub eval_accuracy: Option<f64>,
    /// The metrics of answers that the recipe asks for, those that are defined.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}

/// Appends a line.
pub fn append(path: &Path, metrics: &Metrics) -> Result<()> {
    let line = serde_json::to_string(metrics).map_err(|e| Error::failed(e.to_string()))?;
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| writeln!(file, "{line}")).map_err(|e| Error::io("write", path, e))
}

/// All whole lines. A last line that was cut off by a crash is left out.
pub fn read(path: &Path) -> Result<Vec<Metrics>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(Error::io("read", path, e)),
    };
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Drops the lines after a step, which a resumed run writes again.
pub fn truncate(path: &Path, step: u64) -> Result<()> {
    let lines = read(path)?;
    let kept: Vec<_> = lines.iter().filter(|m| m.step <= step).filter_map(|m| serde_json::to_string(m).ok()).collect();
    let text = kept.iter().map(|line| format!("{line}\n")).collect::<String>();
    framework_base::files::write_bytes(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Python's float() reads the strings.
    #[test]
    fn what_is_no_number_is_never_null() {
        let line = Metrics { eval_loss: Some(f64::NAN), perplexity: Some(f64::INFINITY), ..Metrics::default() };
        let json = serde_json::to_string(&line).unwrap();
        assert_eq!(json, r#"{"step":0,"epoch":0.0,"eval_loss":"NaN","perplexity":"inf"}"#);
        let read: Metrics = serde_json::from_str(&json).unwrap();
        assert!(read.eval_loss.unwrap().is_nan() && read.perplexity == Some(f64::INFINITY));
    }

    #[test]
    fn a_resumed_run_writes_its_lines_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let line = |step| Metrics { step, epoch: 0.5, loss: Some(1.0), ..Metrics::default() };
        for step in 1..=3 {
            append(&path, &line(step)).unwrap();
        }
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"step\": 4, \"ep").unwrap();
        truncate(&path, 2).unwrap();
        assert_eq!(read(&path).unwrap(), [line(1), line(2)]);
    }
}
