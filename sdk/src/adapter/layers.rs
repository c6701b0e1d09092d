//! How adapters choose blocks.

use crate::{ModelSpec, PluginError, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;

/// Which blocks, counted from 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected blocks such as \"23-27\", \"0-2,5\", 3 or [0, 1]")]
pub enum Layers {
    /// One block.
    One(usize),
    /// These blocks.
    List(Vec<usize>),
    /// Blocks and ranges, both ends included: `"0-2,5"`.
    Text(String),
}

impl Layers {
    /// The blocks by number.
    pub fn indices(&self) -> Result<BTreeSet<usize>> {
        let found = match self {
            Self::One(index) => BTreeSet::from([*index]),
            Self::List(list) => list.iter().copied().collect(),
            Self::Text(text) => {
                let parts = text.split(',').map(|part| range(part.trim()));
                parts.collect::<Option<Vec<_>>>().unwrap_or_default().into_iter().flatten().collect()
            }
        };
        match found.is_empty() {
            true => {
                Err(PluginError::option("layers", format!("must be like \"23-27\", \"0-2,5\" or \"3\", not {self}")))
            }
            false => Ok(found),
        }
    }

    /// The blocks by number, all of which the model must have.
    pub fn of(&self, model: &ModelSpec) -> Result<BTreeSet<usize>> {
        let indices = self.indices()?;
        match indices.last() {
            Some(last) if *last >= model.blocks => {
                let blocks = model.blocks;
                let message = format!("`layers` names block {last}; the model has {blocks}, from 0 to {}", blocks - 1);
                Err(PluginError::new(message).key("layers"))
            }
            _ => Ok(indices),
        }
    }
}

impl std::fmt::Display for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", json!(self))
    }
}

fn range(text: &str) -> Option<std::ops::RangeInclusive<usize>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::toy_spec;
    use serde_json::Value;

    #[test]
    fn layers_are_numbers_lists_or_ranges() {
        let blocks = |layers: Value| -> Result<Vec<usize>> {
            Ok(serde_json::from_value::<Layers>(layers)?.indices()?.into_iter().collect())
        };
        assert_eq!(blocks(json!("23-27")).unwrap(), [23, 24, 25, 26, 27]);
        assert_eq!(blocks(json!("5, 0 - 2")).unwrap(), [0, 1, 2, 5]);
        assert_eq!(blocks(json!("3")).unwrap(), [3]);
        assert_eq!(blocks(json!(3)).unwrap(), [3]);
        assert_eq!(blocks(json!([4, 1])).unwrap(), [1, 4]);
        for wrong in [json!("2-1"), json!("a"), json!(""), json!([]), json!("1,")] {
            let error = blocks(wrong.clone()).unwrap_err().message;
            assert_eq!(error, format!("`layers` must be like \"23-27\", \"0-2,5\" or \"3\", not {wrong}"));
        }
        let error = Layers::One(2).of(&toy_spec()).unwrap_err().message;
        assert_eq!(error, "`layers` names block 2; the model has 2, from 0 to 1");
    }
}
