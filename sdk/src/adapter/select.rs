//! How adapters choose projections.

use super::{names_module, suffixes};
use crate::{ModelSpec, Param, PluginError, Result, Role};
use fancy_regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which modules are adapted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a list of module names, or one regular expression")]
pub enum Targets {
    /// `"all-linear"`, or a regular expression that must match a module's whole name.
    Pattern(String),
    /// Module names or their last parts (`q_proj`, `self_attn.q_proj`), or what they do in any architecture:
    /// `attention`, `attention.query`, `mlp`, `mlp.down`, `embedding`, `output`.
    Names(Vec<String>),
}

/// Every projection of the blocks, as PEFT calls it.
pub const ALL: &str = "all-linear";

impl Default for Targets {
    fn default() -> Self {
        Self::Pattern(ALL.into())
    }
}

/// How often a pattern may go back before it is given up.
const BACKTRACKS: usize = 100_000;

/// A pattern that must match whole names.
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles a pattern of the option `key`.
    pub fn whole(pattern: &str, key: &str) -> Result<Self> {
        Self::of(&format!(r"\A(?:{pattern})\z"), key)
    }

    /// Compiles a pattern that matches a module's name or its last parts, as PEFT reads those of ranks and alphas.
    pub fn ending(pattern: &str, key: &str) -> Result<Self> {
        Self::of(&format!(r"\A(?:.*\.)?(?:{pattern})\z"), key)
    }

    fn of(pattern: &str, key: &str) -> Result<Self> {
        let regex = RegexBuilder::new(pattern).backtrack_limit(BACKTRACKS).build();
        regex.map(Self).map_err(|e| PluginError::option(key, format!("is not a regular expression: {e}")))
    }

    /// Whether it matches.
    pub fn matches(&self, name: &str) -> Result<bool> {
        self.0.is_match(name).map_err(|e| PluginError::new(format!("a regular expression takes too long: {e}")))
    }
}

impl Targets {
    fn pattern(&self, key: &str) -> Result<Option<Pattern>> {
        match self {
            Self::Pattern(pattern) if !pattern.eq_ignore_ascii_case(ALL) => Pattern::whole(pattern, key).map(Some),
            _ => Ok(None),
        }
    }

    /// What options alone can get wrong.
    pub fn validate(&self, key: &str) -> Result<()> {
        match self {
            Self::Names(names) if names.is_empty() => Err(PluginError::option(key, "is empty; leave it out instead")),
            _ => self.pattern(key).map(|_| ()),
        }
    }

    /// Whether a module is spelled out with its whole name.
    pub fn spells_out(&self, module: &str) -> bool {
        matches!(self, Self::Names(names) if names.iter().any(|name| name == module))
    }

    /// The modules among `all` that are meant.
    pub fn among<'a>(
        &self,
        model: &ModelSpec,
        all: impl Iterator<Item = &'a Param>,
        key: &str,
    ) -> Result<Vec<&'a Param>> {
        let pattern = self.pattern(key)?;
        let meant = |param: &&Param| -> Result<bool> {
            match (self, &pattern) {
                (Self::Names(names), _) => Ok(names.iter().any(|name| is_meant(name, param, model))),
                (Self::Pattern(_), Some(pattern)) => {
                    Ok(pattern.matches(param.module())? || pattern.matches(model.peft_name(param.module()))?)
                }
                (Self::Pattern(_), None) => Ok(param.role == Role::Linear),
            }
        };
        let mut found = Vec::new();
        for param in all {
            if meant(&param)? {
                found.push(param);
            }
        }
        Ok(found)
    }

    /// The projections that are chosen, in the model's order, and sentences on names that match nothing while others
    /// do. `also` says which other modules can be chosen.
    ///
    /// # Errors
    /// Nothing is chosen, or something that can be none.
    pub fn select<'a>(&self, model: &'a ModelSpec, also: &[Role]) -> Result<(Vec<&'a Param>, Vec<String>)> {
        let modules = || model.params.iter().filter(|p| p.role != Role::Bias);
        let found = self.among(model, modules(), "targets")?;
        let fits = |p: &&Param| p.role == Role::Linear || also.contains(&p.role);
        let (found, other): (Vec<_>, Vec<_>) = found.into_iter().partition(fits);
        let name = |param: &Param| match self {
            Self::Names(names) => names.iter().find(|name| is_meant(name, param, model)).cloned(),
            Self::Pattern(pattern) => Some(pattern.clone()),
        };
        let of_vocabulary = |p: &&&Param| matches!(p.role, Role::Embedding | Role::Output);
        let wrong = other.iter().find(of_vocabulary).or(other.first().filter(|_| matches!(self, Self::Names(_))));
        if let Some(param) = wrong {
            return Err(
                PluginError::new(no_target(&name(param).unwrap_or_default(), model, Some(param.role))).key("targets")
            );
        }
        let lost: Vec<_> = match self {
            Self::Names(names) => {
                let lost = |name: &&String| !modules().any(|p| is_meant(name, p, model));
                names.iter().filter(lost).map(|name| no_target(name, model, None)).collect()
            }
            Self::Pattern(_) => Vec::new(),
        };
        match (found.is_empty(), self) {
            (false, _) => Ok((found, lost)),
            (true, Self::Pattern(pattern)) => Err(PluginError::new(no_target(pattern, model, None)).key("targets")),
            (true, Self::Names(_)) => {
                let message = lost.into_iter().next().unwrap_or_else(|| "`targets` is empty".into());
                Err(PluginError::new(message).key("targets"))
            }
        }
    }
}

/// Whether a target names a module, as files or as PEFT call it, or what the module does.
fn is_meant(name: &str, param: &Param, model: &ModelSpec) -> bool {
    let module = param.module();
    names_module(name, module) || names_module(name, model.peft_name(module)) || has_layer(name, param)
}

/// Whether a target is what a module does, or the first part of that.
fn has_layer(name: &str, param: &Param) -> bool {
    let layer = match param.role {
        Role::Embedding => "embedding",
        Role::Output => "output",
        _ => param.layer.as_str(),
    };
    let rest = layer.strip_prefix(name).filter(|_| !name.is_empty() && !layer.is_empty());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// PEFT's `target_modules` for the modules that were chosen: the shortest names that mean these and no others.
pub fn target_modules(model: &ModelSpec, chosen: &[&Param]) -> Vec<String> {
    let short = suffixes(chosen.iter().map(|p| model.peft_name(p.module())));
    let others = model.params.iter().filter(|p| matches!(p.role, Role::Linear | Role::Embedding | Role::Output));
    let mut others = others.filter(|p| !chosen.iter().any(|c| c.name == p.name)).map(|p| model.peft_name(p.module()));
    match others.any(|module| short.iter().any(|name| names_module(name, module))) {
        true => chosen.iter().map(|p| model.peft_name(p.module()).to_owned()).collect(),
        false => short.into_iter().map(str::to_owned).collect(),
    }
}

/// What is wrong with a target that is no projection.
fn no_target(target: &str, model: &ModelSpec, role: Option<Role>) -> String {
    let available = suffixes(model.linears().map(Param::module)).join(", ");
    let what = match role {
        Some(Role::Embedding) => "is the embedding table, which this adapter cannot change",
        Some(Role::Output) => "is the vocabulary projection, which this adapter cannot change",
        Some(_) => "is no linear projection",
        None => "matches no linear projection of this model",
    };
    format!("the target `{target}` {what}; there are {available}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::toy_spec;
    use serde_json::{Value, json};

    fn selected(targets: Value) -> Result<Vec<String>> {
        let targets: Targets = serde_json::from_value(targets)?;
        Ok(targets.select(&toy_spec(), &[])?.0.iter().map(|p| p.module().to_owned()).collect())
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
        let lost = "the target `proj` matches no linear projection of this model; there are q_proj, v_proj, up_proj";
        let both: Targets = serde_json::from_value(json!(["q_proj", "proj"])).unwrap();
        assert_eq!(both.select(&toy_spec(), &[]).unwrap().1, [lost]);
        refused(json!(["proj"]), lost);
    }

    #[test]
    fn patterns_match_whole_names() {
        assert_eq!(selected(json!("all-linear")).unwrap().len(), 6);
        assert_eq!(selected(json!(r".*\.1\.(attn\.v_proj|mlp\.up_proj)")).unwrap().len(), 2);
        assert_eq!(selected(json!("layers.0.attn.q_proj|nothing")).unwrap(), ["layers.0.attn.q_proj"]);
        refused(json!("q_proj"), "the target `q_proj` matches no linear projection");
        refused(json!("("), "is not a regular expression");
        assert_eq!(selected(json!(r"layers\.(?!0\.)\d+\.attn\.v_proj")).unwrap(), ["layers.1.attn.v_proj"]);
        refused(json!(r"(?:(\w|\w|\.|\.)*)*\1z(?=z)"), "a regular expression takes too long");
    }

    #[test]
    fn embeddings_and_the_output_cannot_be_targets() {
        refused(json!(["embed"]), "`embed` is the embedding table, which this adapter cannot change");
        refused(json!(["lm_head"]), "`lm_head` is the vocabulary projection");
        refused(json!(["q_proj", "lm_head"]), "`lm_head` is the vocabulary projection");
        refused(json!(".*(q_proj|lm_head)"), "is the vocabulary projection");
        refused(json!(3), "expected a list of module names");
    }
}
