//! Answers that are to be JSON.

use crate::{Counted, Pair, mean};
use serde_json::Value;

/// The share of answers that are a JSON object as a whole, white space around it aside.
pub fn valid(pairs: &[Pair]) -> Box<dyn Counted> {
    mean(pairs.iter().map(|pair| Some(f64::from(parsed(&pair.answer).is_some_and(|value| value.is_object())))))
}

/// A text as JSON.
pub(crate) fn parsed(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}
