//! How adapters choose blocks and projections.

use framework_sdk::{ModelSpec, Param, prelude::*};
use regex::Regex;
use std::collections::BTreeSet;

options! {
    /// Which projections are adapted.
    #[serde(untagged, expecting = "expected a list of module names, or one regular expression")]
    pub enum Targets {
        /// `"all-linear"`, or a regular expression that must match a module's whole name.
        Pattern(String),
        /// Module names or their last parts: `q_proj`, `self_attn.q_proj`.
        Names(Vec<String>),
    }
}

/// Every projection of the blocks, as PEFT calls it.
pub const ALL: &str = "all-linear";

impl Default for Targets {
    fn default() -> Self {
        Self::Pattern(ALL.into())
    }
}

impl Targets {
    /// The pattern that must match a module's whole name, if that is how targets are chosen.
    fn regex(&self) -> Result<Option<Regex>> {
        match self {
            Self::Pattern(pattern) if !pattern.eq_ignore_ascii_case(ALL) => {
                let regex = Regex::new(&format!(r"\A(?:{pattern})\z"));
                let wrong = |e| PluginError::new(format!("`targets` is not a regular expression: {e}"));
                regex.map(Some).map_err(wrong)
            }
            _ => Ok(None),
        }
    }

    /// What options alone can get wrong.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Names(names) if names.is_empty() => Err(PluginError::new("`targets` is empty; leave it out for all")),
            _ => self.regex().map(|_| ()),
        }
    }

    /// The projections that are chosen, in the model's order. Each name must find one.
    pub fn select<'a>(&self, model: &'a ModelSpec) -> Result<Vec<&'a Param>> {
        let regex = self.regex()?;
        let chosen = |module: &str| match self {
            Self::Names(names) => names.iter().any(|name| names_module(name, module)),
            Self::Pattern(_) => regex.as_ref().is_none_or(|r| r.is_match(module)),
        };
        if let Self::Names(names) = self {
            let lost = names.iter().find(|name| !model.linears().any(|p| names_module(name, p.module())));
            if let Some(name) = lost {
                return Err(no_target(name, model, |module| names_module(name, module)));
            }
        }
        let found: Vec<_> = model.linears().filter(|p| chosen(p.module())).collect();
        match (found.is_empty(), self) {
            (true, Self::Pattern(pattern)) => Err(no_target(pattern, model, chosen)),
            (true, Self::Names(_)) => Err(PluginError::new("`targets` is empty")),
            (false, _) => Ok(found),
        }
    }
}

/// Whether `name` is the module's name, or its last parts.
fn names_module(name: &str, module: &str) -> bool {
    module.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The error for a target that is no projection.
fn no_target(target: &str, model: &ModelSpec, matches: impl Fn(&str) -> bool) -> PluginError {
    let available = suffixes(model.linears().map(Param::module)).join(", ");
    let other = model.params.iter().find(|p| matches(p.module()));
    let what = match other.map(|p| p.role) {
        Some(Role::Embedding) => "is the embedding table, and only linear projections can be adapted",
        Some(Role::Output) => "is the vocabulary projection, and only the projections of the blocks can be adapted",
        Some(_) => "is no linear projection",
        None => "matches no linear projection of this model",
    };
    PluginError::new(format!("the target `{target}` {what}; there are {available}"))
}

/// The last part of each name, once each, in order.
pub fn suffixes<'a>(modules: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    modules.filter_map(|module| module.rsplit('.').next()).filter(|suffix| seen.insert(*suffix)).collect()
}

options! {
    /// Which blocks, counted from 0.
    #[serde(untagged, expecting = "expected blocks such as \"23-27\", \"0-2,5\", 3 or [0, 1]")]
    pub enum Layers {
        /// One block.
        One(usize),
        /// These blocks.
        List(Vec<usize>),
        /// Blocks and ranges, both ends included: `"0-2,5"`.
        Text(String),
    }
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
            true => Err(PluginError::new(format!("`layers` must be like \"23-27\", \"0-2,5\" or \"3\", not {self}"))),
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
                Err(PluginError::new(message))
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
    use framework_sdk::{serde_json, test::toy_spec};

    fn selected(targets: Value) -> Result<Vec<String>> {
        let targets: Targets = serde_json::from_value(targets)?;
        Ok(targets.select(&toy_spec())?.iter().map(|p| p.module().to_owned()).collect())
    }

    #[track_caller]
    fn refused(targets: Value, expected: &str) {
        let error = selected(targets).unwrap_err().message;
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn names_match_whole_parts_from_the_end() {
        let q = ["layers.0.attn.q_proj", "layers.1.attn.q_proj"];
        assert_eq!(selected(json!(["q_proj"])).unwrap(), q);
        assert_eq!(selected(json!(["attn.q_proj"])).unwrap(), q);
        assert_eq!(selected(json!(["layers.1.attn.q_proj"])).unwrap(), q[1..]);
        refused(
            json!(["q_proj", "proj"]),
            "`proj` matches no linear projection of this model; there are q_proj, v_proj, up_proj",
        );
    }

    #[test]
    fn patterns_match_whole_names() {
        assert_eq!(selected(json!("all-linear")).unwrap().len(), 6);
        assert_eq!(selected(json!(r".*\.1\.(attn\.v_proj|mlp\.up_proj)")).unwrap().len(), 2);
        assert_eq!(selected(json!("layers.0.attn.q_proj|nothing")).unwrap(), ["layers.0.attn.q_proj"]);
        refused(json!("q_proj"), "the target `q_proj` matches no linear projection");
        refused(json!("("), "is not a regular expression");
    }

    #[test]
    fn embeddings_and_the_output_cannot_be_targets() {
        refused(json!(["embed"]), "`embed` is the embedding table, and only linear projections can be adapted");
        refused(json!(["lm_head"]), "`lm_head` is the vocabulary projection");
        refused(json!(3), "expected a list of module names");
    }

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
