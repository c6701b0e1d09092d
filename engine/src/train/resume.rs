//! Going on with a run: which keys of its recipe may have changed.

use super::checkpoint;
use crate::{
    run::{Lock, RunFolder, now},
    session::Session,
};
use framework_base::files::write_bytes;
use framework_base::{Error, Problem, Result};
use serde_json::{Map, Value, json};

/// Keys that change nothing of what a run has computed: the steps to come, what is written and where it is computed.
/// A name that ends in `.` stands for the whole table.
const FREE: [&str; 25] = [
    "name",
    "output",
    "backend.",
    "data.",
    "generate.",
    "report.",
    "optimizer.learning_rate",
    "train.schedule",
    "train.schedule_power",
    "train.schedule_end",
    "train.schedule_cycles",
    "train.schedule_timescale",
    "train.warmup_steps",
    "train.warmup_ratio",
    "train.epochs",
    "train.max_steps",
    "train.max_grad_norm",
    "train.activation_checkpointing",
    "train.log_every",
    "train.eval_every",
    "train.save_every",
    "train.keep_checkpoints",
    "train.load_best",
    "train.save_dtype",
    "train.early_stopping.",
];

/// A key, its value in the run and its value now.
pub(super) type Change = (String, Option<Value>, Option<Value>);

/// Refuses to go on with a run whose recipe differs in what was computed already; returns what else differs.
pub(super) fn changes(run: &RunFolder, session: &Session) -> Result<Vec<Change>> {
    let saved = std::fs::read_to_string(run.recipe()).map_err(|e| Error::io("read", &run.recipe(), e))?;
    let unreadable = |e: toml::de::Error| Error::failed(format!("{}: {e}", run.recipe().display()));
    let saved: Value = toml::from_str(&saved).map_err(unreadable)?;
    let now: Value = toml::from_str(&session.recipe_to_toml()).map_err(unreadable)?;
    let mut found = Vec::new();
    compare("", Some(&saved), Some(&now), &mut found);
    let (free, fixed): (Vec<_>, Vec<_>) = found.into_iter().partition(|(key, ..)| is_free(key));
    if fixed.is_empty() {
        return Ok(free);
    }
    let problem = |(key, before, after): Change| {
        let message = format!("is {} in the run {}, and now {}", shown(&before), run.root().display(), shown(&after));
        Problem::new(message).key(key).help(
            "A run goes on with what it was begun with: put the value back, or train without --resume; the earlier \
             run is then kept under another name.",
        )
    };
    Err(session.placed(Error::Invalid(fixed.into_iter().map(problem).collect())))
}

/// Refuses to go on with a run that was made of other things than there are now.
pub(super) fn require(run: &RunFolder, now: &Lock) -> Result<()> {
    // Without a lock that can be read, the fingerprint in the checkpoints decides.
    let Ok(locked) = Lock::read(&run.lock()) else { return Ok(()) };
    let changes = locked.lasting().changes(&now.lasting());
    if changes.is_empty() { Ok(()) } else { Err(checkpoint::foreign(run, &changes)) }
}

/// Notes in the run what differs from now on.
pub(super) fn note(run: &RunFolder, session: &Session, step: u64, changes: &[Change]) -> Result<()> {
    let table: Map<String, Value> =
        changes.iter().map(|(key, before, after)| (key.clone(), json!({ "before": before, "now": after }))).collect();
    let mut text = std::fs::read_to_string(run.resumed()).unwrap_or_default();
    text += &format!("{}\n", json!({ "time": now(), "step": step, "changes": table }));
    write_bytes(&run.resumed(), text.as_bytes())?;
    write_bytes(&run.recipe(), session.recipe_to_toml().as_bytes())
}

/// Changes in a sentence: `train.save_dtype = "bf16" (was "f16")`.
pub(super) fn sentence(changes: &[Change]) -> String {
    let one = |(key, before, after): &Change| format!("{key} = {} (was {})", shown(after), shown(before));
    changes.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn shown(value: &Option<Value>) -> String {
    value.as_ref().map_or("not set".to_owned(), Value::to_string)
}

fn is_free(key: &str) -> bool {
    let whole = |free: &str| free.strip_suffix('.').is_some_and(|table| key == table || key.starts_with(free));
    FREE.iter().any(|free| key == *free || whole(free))
}

/// The keys in which two tables differ; lists are compared as a whole unless they are of tables.
fn compare(key: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Change>) {
    let join = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match (before, after) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            names.for_each(|name| compare(&join(name), a.get(name), b.get(name), found));
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() && a.iter().all(Value::is_object) => {
            (0..a.len()).for_each(|i| compare(&join(&i.to_string()), a.get(i), b.get(i), found));
        }
        (a, b) if a == b => {}
        (a, b) => found.push((key.to_owned(), a.cloned(), b.cloned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_keys_and_both_values() {
        let before = json!({ "seed": 1, "train": { "epochs": 1.0 }, "dataset": [{ "path": "a", "limit": 3 }] });
        let after = json!({ "seed": 1, "train": { "epochs": 2.0 }, "dataset": [{ "path": "b" }], "name": "x" });
        let mut found = Vec::new();
        compare("", Some(&before), Some(&after), &mut found);
        let expected = "train.epochs = 2.0 (was 1.0), dataset.0.path = \"b\" (was \"a\"), dataset.0.limit = not set \
                        (was 3), name = \"x\" (was not set)";
        assert_eq!(sentence(&found), expected);
        let free: Vec<_> = found.iter().map(|(key, ..)| is_free(key)).collect();
        assert_eq!(free, [true, false, false, true]);
    }

    /// Every key of the recipe that a resume may change is a key of the recipe.
    #[test]
    fn free_keys_exist() {
        let schema = framework_core::schema_of::<framework_recipe::Recipe>();
        let text = schema.to_string();
        for free in FREE {
            let last = free.trim_end_matches('.').rsplit('.').next().unwrap();
            assert!(last == "learning_rate" || text.contains(&format!("\"{last}\"")), "{free}");
        }
    }
}
