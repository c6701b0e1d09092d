//! What a `config.json` says about rotation, put together.

use super::{Rope, RopeTable, RopeType, Scaling};
use crate::{PluginError, Result};

/// Where an architecture's `config.json` may speak of rotation.
#[derive(Debug, Clone, Copy)]
pub struct RopeConfig<'a> {
    /// Elements of a head.
    pub head_size: usize,
    /// `max_position_embeddings`.
    pub max_positions: usize,
    /// `original_max_position_embeddings`, if it stands beside the tables; it goes before theirs.
    pub original: Option<usize>,
    /// `rope_parameters` and `rope_scaling`.
    pub tables: [&'a Option<RopeTable>; 2],
    /// Other places of the base, by name.
    pub theta: &'a [(&'a str, Option<f64>)],
    /// The base if none is given.
    pub default_theta: f64,
    /// Other places of the share of each head that is rotated, by name.
    pub share: &'a [(&'a str, Option<f64>)],
    /// The share if none is given; none if the architecture rotates whole heads only.
    pub default_share: Option<f64>,
}

impl RopeConfig<'_> {
    /// A rotation of whole heads whose base is `default_theta` unless a table says otherwise.
    pub fn new(head_size: usize, max_positions: usize, default_theta: f64) -> Self {
        let (original, tables, theta, share) = (None, [&None, &None], &[][..], &[][..]);
        Self { head_size, max_positions, original, tables, theta, default_theta, share, default_share: None }
    }

    /// The rotation, or what is wrong with it.
    pub fn resolve(&self) -> Result<Rope> {
        let (place, table) = self.table()?;
        let rope_type = table.checked_type()?;
        let theta = (format!("{place}.rope_theta"), table.rope_theta);
        let base = one_of(theta, self.theta)?.unwrap_or(self.default_theta);
        if base.is_nan() || base <= 1.0 {
            return Err(PluginError::option("rope_theta", format!("must be greater than 1, not {base}")));
        }
        let share = (format!("{place}.partial_rotary_factor"), table.partial_rotary_factor);
        let size = self.size(one_of(share, self.share)?)?;
        let scaling = self.scaling(rope_type, &table, size)?;
        Ok(Rope { size, base, scaling })
    }

    /// The table that is given, and its name. Of two tables, which must not contradict each other, all keys count.
    fn table(&self) -> Result<(&'static str, RopeTable)> {
        match self.tables.map(|table| table.as_ref().filter(|table| **table != RopeTable::default())) {
            [Some(new), Some(old)] => Ok(("rope_parameters", new.joined(old)?)),
            [None, Some(old)] => Ok(("rope_scaling", old.clone())),
            [new, None] => Ok(("rope_parameters", new.cloned().unwrap_or_default())),
        }
    }

    fn size(&self, share: Option<f64>) -> Result<usize> {
        let head = self.head_size;
        let share = match (self.default_share, share) {
            (Some(default), share) => share.unwrap_or(default),
            (None, None | Some(1.0)) => 1.0,
            (None, Some(share)) => {
                let message = format!("`partial_rotary_factor` is {share}, but this architecture rotates whole heads");
                return Err(PluginError::new(message).key("partial_rotary_factor"));
            }
        };
        let size = (head as f64 * share) as usize;
        if size == 0 || size.next_multiple_of(2) > head {
            let message = format!("{share} of a head of {head} elements is no number of pairs to rotate");
            return Err(PluginError::new(message));
        }
        Ok(size)
    }

    fn scaling(&self, rope_type: RopeType, table: &RopeTable, size: usize) -> Result<Scaling> {
        let needed = |name: &str, value: Option<f64>| {
            let missing = || PluginError::new(format!("a rotary embedding of the type `{rope_type}` needs `{name}`"));
            value.ok_or_else(missing)
        };
        let original = self.original.or(table.original_max_position_embeddings).unwrap_or(self.max_positions);
        let ratio = || self.max_positions as f64 / original as f64;
        Ok(match rope_type {
            RopeType::Default => Scaling::None,
            RopeType::Linear => Scaling::Linear { factor: positive("factor", needed("factor", table.factor)?)? },
            RopeType::Dynamic => {
                let factor = positive("factor", needed("factor", table.factor)?)?;
                Scaling::Dynamic { factor, max_positions: self.max_positions }
            }
            RopeType::Llama3 => Scaling::Llama3 {
                factor: positive("factor", needed("factor", table.factor)?)?,
                low: positive("low_freq_factor", needed("low_freq_factor", table.low_freq_factor)?)?,
                high: positive("high_freq_factor", needed("high_freq_factor", table.high_freq_factor)?)?,
                original,
            },
            RopeType::Yarn => {
                let factor = positive("factor", table.factor.unwrap_or_else(ratio))?;
                let scale = |m: f64| if factor <= 1.0 { 1.0 } else { 0.1 * m * factor.ln() + 1.0 };
                let given = |value: Option<f64>| value.filter(|value| *value != 0.0);
                let attention = match (given(table.mscale), given(table.mscale_all_dim)) {
                    (Some(m), Some(all)) => scale(m) / scale(all),
                    _ => scale(1.0),
                };
                Scaling::Yarn {
                    factor,
                    fast: given(table.beta_fast).unwrap_or(32.0),
                    slow: given(table.beta_slow).unwrap_or(1.0),
                    truncate: table.truncate.unwrap_or(true),
                    original,
                    attention: table.attention_factor.unwrap_or(attention),
                }
            }
            RopeType::LongRope => {
                let factor = table.factor.unwrap_or_else(ratio);
                let attention = if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / (original as f64).ln()).sqrt() };
                Scaling::LongRope {
                    short: divisors("short_factor", &table.short_factor, size)?,
                    long: divisors("long_factor", &table.long_factor, size)?,
                    original,
                    attention: table.attention_factor.unwrap_or(attention),
                }
            }
        })
    }
}

fn positive(name: &str, value: f64) -> Result<f64> {
    if value > 0.0 {
        return Ok(value);
    }
    Err(PluginError::option(name, format!("of the rotary embedding must be greater than 0, not {value}")))
}

fn divisors(name: &str, values: &Option<Vec<f64>>, size: usize) -> Result<Vec<f64>> {
    let (values, pairs) = (values.as_deref().unwrap_or_default(), size.div_ceil(2));
    if values.len() != pairs {
        let message = format!("must have a number for each of the {pairs} pairs, not {}", values.len());
        return Err(PluginError::option(name, message));
    }
    values.iter().map(|value| positive(name, *value)).collect()
}

/// The value that is given under one or more names, which must agree.
fn one_of(first: (String, Option<f64>), others: &[(&str, Option<f64>)]) -> Result<Option<f64>> {
    let all = [(first.0.as_str(), first.1)].into_iter().chain(others.iter().copied());
    let mut given = all.filter_map(|(name, value)| value.map(|value| (name, value)));
    let Some((name, value)) = given.next() else { return Ok(None) };
    match given.find(|(_, other)| *other != value) {
        None => Ok(Some(value)),
        Some((other, differs)) => Err(PluginError::option(name, format!("is {value}, but `{other}` is {differs}"))),
    }
}
