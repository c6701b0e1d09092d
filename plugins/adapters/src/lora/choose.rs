//! Which modules LoRA adapts, with which rank and scale, and which are trained whole.

use super::Lora;
use framework_sdk::{
    adapter::{Pattern, names_module},
    prelude::*,
    serde_json::Map,
};

impl Lora {
    /// What the first key that matches a module has for it.
    fn own(table: &Map<String, Value>, module: &str, key: &str) -> Result<Option<f64>> {
        for (pattern, value) in table {
            // Most are names, which need no regular expression.
            let found = if is_name(pattern) {
                names_module(pattern, module)
            } else {
                Pattern::ending(pattern, key)?.matches(module)?
            };
            if found {
                return Ok(value.as_f64());
            }
        }
        Ok(None)
    }

    pub(super) fn rank(&self, module: &str) -> Result<usize> {
        Ok(Self::own(&self.rank_pattern, module, "rank_pattern")?.map_or(self.r, |r| r as usize))
    }

    pub(super) fn scale(&self, module: &str) -> Result<f64> {
        let rank = self.rank(module)? as f64;
        let alpha = Self::own(&self.alpha_pattern, module, "alpha_pattern")?.unwrap_or(self.alpha);
        Ok(alpha / if self.rank_stabilised { rank.sqrt() } else { rank })
    }

    /// The modules that are adapted, and what matches nothing.
    pub(super) fn chosen<'a>(&self, model: &'a ModelSpec) -> Result<(Vec<&'a Param>, Vec<String>)> {
        let (mut chosen, lost) = self.targets.select(model, &[Role::Embedding, Role::Output])?;
        if let Some(layers) = &self.layers {
            let blocks = layers.of(model)?;
            // As in PEFT, a name that is spelled out needs no layer.
            let within = |p: &Param| p.block.is_none_or(|block| blocks.contains(&block));
            chosen.retain(|p| within(p) || self.targets.spells_out(p.module()));
            if chosen.is_empty() {
                let message = format!("none of the `targets` lies in the blocks that `layers` names, {layers}");
                return Err(PluginError::new(message).key("layers"));
            }
        }
        if let Some(exclude) = &self.exclude {
            let out = exclude.among(model, model.params.iter(), "exclude")?;
            chosen.retain(|p| !out.iter().any(|out| out.name == p.name));
        }
        chosen.retain(|p| !self.modules_to_save.iter().any(|name| has_part(p.module(), name)));
        match chosen.is_empty() {
            true => Err(PluginError::option("exclude", "and `modules_to_save` leave none of the `targets`")),
            false => Ok((chosen, lost)),
        }
    }

    /// The parameters that are trained whole, and names that match none.
    pub(super) fn saved(&self, model: &ModelSpec) -> Result<(Vec<String>, Vec<String>)> {
        let tied = model.get(&model.output).filter(|p| p.role == Role::Embedding);
        let (mut saved, mut lost) = (Vec::new(), Vec::new());
        for name in &self.modules_to_save {
            let before = saved.len();
            let inside = |p: &&Param| {
                ancestors(&p.name).any(|m| m.ends_with(name.as_str()) || model.peft_name(m).ends_with(name.as_str()))
            };
            saved.extend(model.params.iter().filter(inside).map(|p| p.name.clone()));
            let embeddings = tied.is_some_and(|p| saved[before..].contains(&p.name));
            if tied.is_some() && (embeddings || "lm_head".ends_with(name.as_str())) {
                return Err(PluginError::new(format!(
                    "`modules_to_save` names `{name}`, but this model's vocabulary projection is tied to its embeddings, \
                     and PEFT would train a copy of one of them; `full` trains them together"
                )));
            }
            if saved.len() == before {
                lost.push(format!("`modules_to_save` names `{name}`, which is no module of this model"));
            }
        }
        Ok((saved, lost))
    }
}

/// Whether a pattern is a plain name.
fn is_name(pattern: &str) -> bool {
    pattern.chars().all(|c| c.is_alphanumeric() || "._".contains(c))
}

/// The modules that a parameter lies in, the innermost first.
fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    name.char_indices().rev().filter(|(_, c)| *c == '.').map(|(at, _)| &name[..at])
}

/// Whether one or more whole parts of a module's name are `name`.
fn has_part(module: &str, name: &str) -> bool {
    let begins = |at: usize| at == 0 || module[..at].ends_with('.');
    let ends = |at: usize| at == module.len() || module[at..].starts_with('.');
    module.match_indices(name).any(|(at, _)| begins(at) && ends(at + name.len()))
}
