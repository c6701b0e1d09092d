//! `train.freeze`: parameters that stay as they are, of those that an adapter trains.

use framework_base::{Error, Problem, Result};
use framework_core::AdapterPlan;
use regex::Regex;
use std::collections::BTreeSet;

/// Parameters that a message lists.
const LISTED: usize = 4;

/// Names of the parameters in which one of the patterns is found.
///
/// # Errors
/// A pattern that is no regular expression or is found in no parameter that is trained, or nothing left to train:
/// [`Error::Invalid`] about the key.
pub(crate) fn frozen(patterns: &[String], plan: &AdapterPlan) -> Result<BTreeSet<String>> {
    let (all, mut frozen) = (plan.trained_names(), BTreeSet::new());
    let listed = || all.iter().take(LISTED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    for (i, pattern) in patterns.iter().enumerate() {
        let refuse = |message: String| Error::invalid(Problem::new(message).key(format!("train.freeze.{i}")));
        let regex = Regex::new(pattern).map_err(|e| refuse(format!("is not a regular expression: {e}")))?;
        let before = frozen.len();
        frozen.extend(all.iter().filter(|name| regex.is_match(name)).cloned());
        if frozen.len() == before && !frozen.iter().any(|name| regex.is_match(name)) {
            return Err(refuse(format!("{pattern:?} is found in no parameter that is trained, such as {}", listed())));
        }
    }
    if !patterns.is_empty() && frozen.len() == all.len() {
        let message = format!("nothing is left to train: the patterns match all of {}, …", listed());
        return Err(Error::invalid(Problem::new(message).key("train.freeze")));
    }
    Ok(frozen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> AdapterPlan {
        let mut plan = AdapterPlan::default();
        plan.trained = ["embed.weight", "layers.0.q.weight", "layers.10.q.weight"].map(str::to_owned).to_vec();
        plan
    }

    fn found(patterns: &[&str]) -> Result<Vec<String>> {
        let patterns: Vec<_> = patterns.iter().map(|p| (*p).to_owned()).collect();
        frozen(&patterns, &plan()).map(|names| names.into_iter().collect())
    }

    #[test]
    fn patterns_are_found_anywhere_in_names() {
        assert!(found(&[]).unwrap().is_empty());
        assert_eq!(found(&["embed"]).unwrap(), ["embed.weight"]);
        assert_eq!(found(&[r"layers\.[0-3]\.", "^embed"]).unwrap(), ["embed.weight", "layers.0.q.weight"]);
        assert_eq!(found(&["q", r"layers\.0"]).unwrap().len(), 2);
    }

    #[test]
    fn what_matches_nothing_or_everything_is_refused() {
        let e = |patterns: &[&str]| found(patterns).unwrap_err().to_string();
        assert!(e(&["embed", "wte"]).starts_with("`train.freeze.1`: \"wte\" is found in no parameter that is trained"));
        assert!(e(&["("]).contains("is not a regular expression"));
        assert!(e(&["weight$"]).contains("nothing is left to train"));
    }
}
