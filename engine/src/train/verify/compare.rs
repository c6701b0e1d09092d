//! Two results, compared: equal, or the first difference.

use crate::run::RunFolder;
use framework_base::{Error, Result};
use serde::Serialize;
use serde_json::Value;

/// Keys of metrics and states that the clock decides.
const OF_THE_CLOCK: [&str; 3] = ["time", "tokens_per_second", "seconds"];

/// Something that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What it is, e.g. `weights`.
    pub what: String,
    /// How much of it there is.
    pub amount: String,
    /// The first difference, if there is one.
    pub difference: Option<Difference>,
}

/// Where two results differ first, and what each has there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Tensor and element, line and key, or the like.
    pub at: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Difference {
    pub(super) fn new(at: impl Into<String>, expected: impl ToString, found: impl ToString) -> Self {
        Self { at: at.into(), expected: expected.to_string(), found: found.to_string() }
    }
}

impl Part {
    pub(super) fn new(what: impl Into<String>, amount: impl Into<String>, difference: Option<Difference>) -> Self {
        Self { what: what.into(), amount: amount.into(), difference }
    }

    /// Two values that are the same or not.
    pub(super) fn of<T: PartialEq + ToString>(what: &str, expected: &T, found: &T) -> Self {
        let difference = (expected != found).then(|| Difference::new(what, expected.to_string(), found.to_string()));
        Self::new(what, expected.to_string(), difference)
    }
}

/// Losses of steps, the first of which has this number.
pub(super) fn losses(what: String, first: u64, expected: &[f64], found: &[f64]) -> Part {
    let shown = |losses: &[f64], i: usize| losses.get(i).map_or("missing".to_owned(), |loss| format!("{loss:?}"));
    let bits = |losses: &[f64], i: usize| losses.get(i).map(|loss| loss.to_bits());
    let differs = (0..expected.len().max(found.len())).find(|&i| bits(expected, i) != bits(found, i));
    let difference =
        differs.map(|i| Difference::new(format!("step {}", first + i as u64), shown(expected, i), shown(found, i)));
    Part::new(what, steps(expected.len()), difference)
}

fn steps(number: usize) -> String {
    format!("{number} step{}", if number == 1 { "" } else { "s" })
}

/// The lines of `metrics.jsonl` up to a step, without what the clock decides.
pub(super) fn metrics(expected: &RunFolder, found: &RunFolder, up_to: u64) -> Result<Part> {
    let [expected, found] = [lines(expected, up_to)?, lines(found, up_to)?];
    let count = expected.len();
    let missing = Value::String("missing".into());
    let one = |i: usize| {
        let [a, b] = [&expected, &found].map(|lines| lines.get(i).unwrap_or(&missing));
        let step = if a["step"].is_null() { &b["step"] } else { &a["step"] };
        values(&format!("line {}, step {step}", i + 1), a, b)
    };
    let difference = (0..count.max(found.len())).find_map(one);
    Ok(Part::new("metrics", format!("{count} line{}", if count == 1 { "" } else { "s" }), difference))
}

fn lines(run: &RunFolder, up_to: u64) -> Result<Vec<Value>> {
    let path = run.metrics();
    let text = match std::fs::read_to_string(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text.map_err(|e| Error::io("read", &path, e))?,
    };
    // A last line that was cut off by a crash is none.
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(lines.filter(|line| line["step"].as_u64().is_some_and(|step| step <= up_to)).collect())
}

/// The first difference of two values of JSON, but for what the clock decides.
pub(super) fn values(at: &str, expected: &Value, found: &Value) -> Option<Difference> {
    let (Value::Object(a), Value::Object(b)) = (expected, found) else {
        return (expected != found).then(|| Difference::new(at, expected, found));
    };
    let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
    let missing = Value::String("missing".into());
    let mut keys = keys.filter(|key| !OF_THE_CLOCK.contains(&key.as_str()));
    keys.find_map(|key| {
        let [a, b] = [a, b].map(|object| object.get(key).unwrap_or(&missing));
        values(&format!("{at}, `{key}`"), a, b)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_told() {
        let a = json!({ "step": 4, "loss": 0.5, "time": "x", "metrics": { "bleu": 1.0, "chrf": 2.0 } });
        let mut b = json!({ "step": 4, "loss": 0.5, "time": "y", "metrics": { "bleu": 1.0, "chrf": 2.5 } });
        let difference = values("line 1", &a, &b).unwrap();
        assert_eq!(difference, Difference::new("line 1, `metrics`, `chrf`", "2.0", "2.5"));
        b["metrics"] = a["metrics"].clone();
        assert_eq!(values("line 1", &a, &b), None);
        b.as_object_mut().unwrap().remove("loss");
        assert_eq!(values("line 1", &a, &b).unwrap().found, "\"missing\"");
        let part = losses("losses".into(), 3, &[1.0, f64::NAN, 2.0], &[1.0, f64::NAN]);
        assert_eq!(part.difference, Some(Difference::new("step 5", "2.0", "missing")));
        assert_eq!(losses("losses".into(), 1, &[0.0], &[-0.0]).difference.unwrap().found, "-0.0");
    }
}
