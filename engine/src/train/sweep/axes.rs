//! What a sweep varies.

use framework_base::{Error, Problem, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Combinations of values that a sweep takes at most.
const MOST: usize = 1000;

/// A key and the values that it takes, as `--set` takes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// The key, e.g. `train.epochs`.
    pub key: String,
    /// Its values, in TOML.
    pub values: Vec<String>,
}

/// Overrides of all runs, and what is varied: `key=a,b,c` is an axis, `key=a` is not. Commas within quotes and brackets do
/// not separate.
///
/// # Errors
/// Nothing is varied, a key is named twice, or a value is empty.
pub fn axes(sets: &[String]) -> Result<(Vec<String>, Vec<Axis>)> {
    let (mut fixed, mut axes) = (Vec::new(), Vec::<Axis>::new());
    let refuse = |set: &String, what: &str| {
        let help = "for example --set train.epochs=3,4,6 --set optimizer.learning_rate=1e-4,2e-4";
        Err(Error::invalid(Problem::new(format!("--set {set}: {what}")).help(help)))
    };
    for set in sets {
        let Some((key, text)) = set.split_once('=') else { return refuse(set, "expected a key and values") };
        let (key, values) = (key.trim().to_owned(), split(text));
        if axes.iter().any(|axis| axis.key == key) {
            return refuse(set, "the key is there already");
        }
        match values.len() {
            1 => fixed.push(set.clone()),
            _ if values.iter().any(String::is_empty) => return refuse(set, "a value is empty"),
            _ => axes.push(Axis { key, values }),
        }
    }
    if axes.is_empty() {
        let help = "for example --set train.epochs=3,4,6,8; a single value is the same in all runs";
        return Err(Error::invalid(Problem::new("nothing is varied: no --set has several values").help(help)));
    }
    Ok((fixed, axes))
}

/// The parts between the commas that lie outside of quotes and brackets.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut depth, mut quote) = (vec![String::new()], 0usize, None);
    for c in text.chars() {
        match (c, quote) {
            (_, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('"' | '\'', None) => quote = Some(c),
            ('[' | '{', None) => depth += 1,
            (']' | '}', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("there is a first part").push(c);
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// The values of each run, one for each axis, the last axis changing first: all combinations or, drawn with a seed, as many
/// as `trials`, which differ.
pub fn combinations(axes: &[Axis], trials: Option<usize>, seed: u64) -> Result<Vec<Vec<String>>> {
    let all = axes.iter().try_fold(1usize, |product, axis| product.checked_mul(axis.values.len()));
    let all = all.unwrap_or(usize::MAX);
    let count = trials.unwrap_or(all).min(all);
    if count > MOST {
        let message = format!("{count} combinations of values are too many; a sweep has {MOST} runs at most");
        return Err(Error::invalid(Problem::new(message).help("--trials N draws N of them")));
    }
    let mut numbers: BTreeSet<usize> = if count == all { (0..all).collect() } else { BTreeSet::new() };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    while numbers.len() < count {
        numbers.insert((rng.next_u64() % all as u64) as usize);
    }
    let of = |mut number: usize| {
        let mut values: Vec<_> = axes
            .iter()
            .rev()
            .map(|axis| {
                let value = axis.values[number % axis.values.len()].clone();
                number /= axis.values.len();
                value
            })
            .collect();
        values.reverse();
        values
    };
    Ok(numbers.into_iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(sets: &[&str]) -> Result<(Vec<String>, Vec<Axis>)> {
        axes(&sets.iter().map(|set| (*set).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn commas_separate_values_outside_of_brackets_and_quotes() {
        let (fixed, axes) =
            parsed(&["train.epochs=3, 4", "seed=1", "adapter.targets=[\"q\",\"v\"],\"all-linear\"", "name=\"a,b\""])
                .unwrap();
        assert_eq!(fixed, ["seed=1", "name=\"a,b\""]);
        assert_eq!(axes[0].values, ["3", "4"]);
        assert_eq!(axes[1].values, ["[\"q\",\"v\"]", "\"all-linear\""]);
    }

    #[test]
    fn what_varies_nothing_is_refused() {
        let e = |sets: &[&str]| parsed(sets).unwrap_err().to_string();
        assert!(e(&["seed=1"]).contains("nothing is varied"));
        assert!(e(&["seed=1,"]).contains("a value is empty"));
        assert!(e(&["seed=1,2", "seed=3,4"]).contains("the key is there already"));
        assert!(e(&["seed"]).contains("expected a key and values"));
    }

    #[test]
    fn a_grid_is_in_order_and_draws_are_distinct_and_repeatable() {
        let (_, axes) = parsed(&["a=1,2", "b=x,y,z"]).unwrap();
        let all = combinations(&axes, None, 0).unwrap();
        assert_eq!(all.iter().map(|v| v.join("")).collect::<Vec<_>>(), ["1x", "1y", "1z", "2x", "2y", "2z"]);
        let drawn = combinations(&axes, Some(4), 7).unwrap();
        assert!(drawn.len() == 4 && drawn.iter().all(|values| all.contains(values)));
        assert!(drawn.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(drawn, combinations(&axes, Some(4), 7).unwrap());
        assert!((0..20).any(|seed| combinations(&axes, Some(4), seed).unwrap() != drawn));
        assert_eq!(combinations(&axes, Some(9), 7).unwrap(), all);
        let many = vec![Axis { key: "a".into(), values: vec!["1".into(); 100] }; 40];
        assert!(combinations(&many, None, 0).unwrap_err().to_string().contains("--trials N"));
    }
}
