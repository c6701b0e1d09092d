//! Rotary settings as a `config.json` has them.

use crate::{PluginError, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How the angles of rotary positions are changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RopeType {
    /// Not at all.
    #[default]
    Default,
    /// Positions divided by `factor`.
    Linear,
    /// The base grows with the sequence.
    Dynamic,
    /// As in Llama 3.1.
    Llama3,
    /// YaRN.
    Yarn,
    /// LongRoPE, also called `su`.
    #[serde(rename = "longrope", alias = "su")]
    LongRope,
}

impl RopeType {
    /// The keys that it reads, besides those of all types.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Default => &[],
            Self::Linear | Self::Dynamic => &["factor"],
            Self::Llama3 => &["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"],
            Self::Yarn => &[
                "factor",
                "attention_factor",
                "beta_fast",
                "beta_slow",
                "mscale",
                "mscale_all_dim",
                "truncate",
                "original_max_position_embeddings",
            ],
            Self::LongRope => {
                &["factor", "attention_factor", "short_factor", "long_factor", "original_max_position_embeddings"]
            }
        }
    }
}

impl fmt::Display for RopeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The table `rope_parameters` (transformers 5) or `rope_scaling` (before it) of a `config.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RopeTable {
    /// `default`, `linear`, `dynamic`, `llama3`, `yarn` or `longrope`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_type: Option<RopeType>,
    /// An older name of `rope_type`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<RopeType>,
    /// Base of the angles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_theta: Option<f64>,
    /// Share of each head that is rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial_rotary_factor: Option<f64>,
    /// How many times longer sequences get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// The longest sequence before scaling; `max_position_embeddings` if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_max_position_embeddings: Option<usize>,
    /// YaRN, LongRoPE: factor on sine and cosine; follows from `factor` if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_factor: Option<f64>,
    /// YaRN: turns above which angles are kept; 32 if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta_fast: Option<f64>,
    /// YaRN: turns below which angles are divided; 1 if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta_slow: Option<f64>,
    /// YaRN: numerator's part in the factor on sine and cosine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mscale: Option<f64>,
    /// YaRN: denominator's part in the factor on sine and cosine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mscale_all_dim: Option<f64>,
    /// YaRN: interpolate between whole dimensions; yes if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncate: Option<bool>,
    /// LongRoPE: divisors of the angles up to the original length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_factor: Option<Vec<f64>>,
    /// LongRoPE: divisors of the angles beyond the original length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long_factor: Option<Vec<f64>>,
    /// Llama 3.1: turns below which angles are slow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low_freq_factor: Option<f64>,
    /// Llama 3.1: turns above which angles are fast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high_freq_factor: Option<f64>,
}

impl RopeTable {
    /// `rope_parameters` and `rope_scaling` as one table; an error if a key has two values.
    pub(super) fn joined(&self, old: &Self) -> Result<Self> {
        let [new, old] = [self, old].map(|table| {
            let named = Self { rope_type: table.rope_type.or(table.kind), kind: None, ..table.clone() };
            serde_json::to_value(named).map(|table| table.as_object().cloned().unwrap_or_default())
        });
        let (mut all, old) = (new?, old?);
        for (key, value) in old {
            match all.get(&key) {
                Some(other) if *other != value => {
                    let message =
                        format!("`rope_parameters.{key}` is {other}, but `rope_scaling.{key}` is {value}; remove one");
                    return Err(PluginError::new(message));
                }
                _ => all.insert(key, value),
            };
        }
        Ok(serde_json::from_value(all.into())?)
    }

    /// The type; an error if two are given, or keys that the type does not read.
    pub(super) fn checked_type(&self) -> Result<RopeType> {
        if let (Some(new), Some(old)) = (self.rope_type, self.kind)
            && new != old
        {
            return Err(PluginError::option("rope_type", format!("is `{new}`, but `type` is `{old}`")));
        }
        let rope_type = self.rope_type.or(self.kind).unwrap_or_default();
        let all = ["rope_type", "type", "rope_theta", "partial_rotary_factor"];
        let given = serde_json::to_value(self)?;
        let mut given = given.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
        match given.find(|key| !all.contains(key) && !rope_type.keys().contains(key)) {
            None => Ok(rope_type),
            Some(key) => {
                let message = format!("means nothing to a rotary embedding of the type `{rope_type}`");
                Err(PluginError::option(key, message))
            }
        }
    }
}

/// `rope_parameters` of transformers 5: one table for all blocks, or one for each type of block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(clippy::large_enum_variant)] // There is one in a configuration.
pub enum RopeTables {
    /// One for each type.
    Each {
        /// That of the blocks that see everything.
        full_attention: RopeTable,
        /// That of the blocks with a window.
        sliding_attention: RopeTable,
    },
    /// One for all.
    One(RopeTable),
}

impl RopeTables {
    /// The table of blocks with a window, or of those that see everything.
    pub fn of(&self, slides: bool) -> &RopeTable {
        match self {
            Self::Each { full_attention, .. } if !slides => full_attention,
            Self::Each { sliding_attention, .. } => sliding_attention,
            Self::One(table) => table,
        }
    }
}
