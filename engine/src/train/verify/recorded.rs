//! What a run has recorded: its recipe as it was begun with, and the steps of which something is known.

use crate::run::{RunFolder, read_metrics};
use framework_base::{Error, Problem, Result};
use serde_json::{Map, Value};
use std::fs;

/// Steps that are trained again unless others are asked for.
const STEPS: u64 = 10;

/// A run's recipe when it was begun.
pub(super) struct Recorded {
    /// The recipe in TOML.
    pub recipe: String,
    /// The last step before other settings, if the run was resumed with such.
    pub until: Option<u64>,
}

impl Recorded {
    /// Reads the recipe and takes back what resumes have changed.
    pub fn of(run: &RunFolder) -> Result<Self> {
        let recipe = fs::read_to_string(run.recipe()).map_err(|e| Error::io("read", &run.recipe(), e))?;
        let resumes = fs::read_to_string(run.resumed()).unwrap_or_default();
        let resumes: Vec<Value> = resumes.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if resumes.is_empty() {
            return Ok(Self { recipe, until: None });
        }
        let wrong = |e: &dyn std::fmt::Display| Error::failed(format!("{}: {e}", run.recipe().display()));
        let mut table: Value = toml::from_str(&recipe).map_err(|e| wrong(&e))?;
        for change in resumes.iter().rev().flat_map(|resume| resume["changes"].as_object().into_iter().flatten()) {
            put_back(&mut table, change.0, &change.1["before"]);
        }
        let recipe = toml::to_string(&table).map_err(|e| wrong(&e))?;
        Ok(Self { recipe, until: resumes.iter().filter_map(|resume| resume["step"].as_u64()).min() })
    }

    /// How many steps to train again, and those of them that there are checkpoints of.
    ///
    /// # Errors
    /// Nothing is recorded of so few steps.
    pub fn steps(&self, run: &RunFolder, asked: Option<u64>) -> Result<(u64, Vec<u64>)> {
        let lines = read_metrics(&run.metrics())?;
        let mut checkpoints = run.checkpoint_steps();
        let known = lines.iter().map(|line| line.step).chain(checkpoints.iter().copied());
        let known: Vec<u64> = known.filter(|step| self.until.is_none_or(|until| *step <= until)).collect();
        let invalid = |message: String, help: String| Err(Error::invalid(Problem::new(message).help(help)));
        let (Some(&first), Some(&last)) = (known.iter().min(), known.iter().max()) else {
            let message = format!("the run {} has recorded nothing to compare with", run.root().display());
            let help = match self.until {
                Some(until) => format!("It was resumed with other settings after step {until}, before its first line."),
                None => "Train it first: framework train RECIPE".to_owned(),
            };
            return invalid(message, help);
        };
        let steps = asked.unwrap_or(STEPS.max(first)).min(last);
        if steps < first {
            let message = format!("--steps {steps}: the run has recorded nothing before step {first}");
            return invalid(message, format!("Give --steps {first} or more."));
        }
        checkpoints.retain(|step| *step <= steps);
        Ok((steps, checkpoints))
    }
}

/// Gives a key its earlier value, or takes it away if it had none.
fn put_back(table: &mut Value, key: &str, before: &Value) {
    let (path, name) = key.rsplit_once('.').map_or(("", key), |(path, name)| (path, name));
    let mut at = table;
    for table in path.split('.').filter(|table| !table.is_empty()) {
        let Some(object) = at.as_object_mut() else { return };
        at = object.entry(table).or_insert_with(|| Value::Object(Map::new()));
    }
    let Some(object) = at.as_object_mut() else { return };
    match before.is_null() {
        true => _ = object.remove(name),
        false => _ = object.insert(name.to_owned(), before.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_resume_has_changed_is_put_back() {
        let mut table = json!({ "train": { "max_steps": 20, "save_every": 1 }, "name": "x" });
        put_back(&mut table, "train.max_steps", &json!(10));
        put_back(&mut table, "train.save_every", &Value::Null);
        put_back(&mut table, "train.early_stopping.patience", &json!(3));
        let expected = json!({ "train": { "max_steps": 10, "early_stopping": { "patience": 3 } }, "name": "x" });
        assert_eq!(table, expected);
    }
}
