//! `lora`: low-rank adaptation.

use crate::{
    peft,
    select::{Layers, Pattern, Targets, names_module, suffixes},
};
use framework_sdk::{
    prelude::*,
    raise,
    serde_json::{self, Map},
};

options! {
    /// Low-rank adaptation (Hu et al., 2021, arXiv:2106.09685), in PEFT's format.
    ///
    /// A chosen projection `Wx` becomes `Wx + s · B(A · dropout(x))`, where `A` `[r, in]` starts at random, `B`
    /// `[out, r]` at zero, and only these two are trained. The scale `s` is `alpha / r`, or `alpha / √r` if
    /// rank-stabilised.
    #[serde(default)]
    pub struct Lora {
        /// The rank: the width of what is added.
        r: usize,
        /// The scale of what is added, before it is divided by the rank.
        alpha: f64,
        /// Probability with which an input of `A` is dropped while training.
        dropout: f64,
        /// What is adapted: a list of module names or their last parts, such as `["q_proj", "self_attn.o_proj"]`, or
        /// one regular expression that must match whole module names, or `"all-linear"`.
        targets: Targets,
        /// Adapt these blocks only, counted from 0: `"23-27"`, `"0-2,5"`, `3` or `[3, 4]`.
        layers: Option<Layers>,
        /// Divide `alpha` by the root of the rank (rsLoRA: Kalajdzievski, 2023, arXiv:2312.03732), so that high ranks
        /// learn as fast as low ones.
        rank_stabilised: bool,
        /// Which of the model's biases are trained too.
        bias: Bias,
        /// What is left out of `targets`: names, or one regular expression, as there.
        exclude: Option<Targets>,
        /// Other ranks for some modules: `{ "down_proj" = 4 }`. A key is a regular expression for a module's name or
        /// its last parts; the first that matches counts.
        #[schemars(extend("x-expected" = "a table from module names to ranks"))]
        rank_pattern: Map<String, Value>,
        /// Other values of `alpha` for some modules, as `rank_pattern`.
        #[schemars(extend("x-expected" = "a table from module names to numbers"))]
        alpha_pattern: Map<String, Value>,
        /// Modules that are trained and saved whole, by the ends of their names: `["lm_head", "embed_tokens"]`.
        modules_to_save: Vec<String>,
    }
}

options! {
    /// Which of the model's biases are trained.
    #[derive(Copy)]
    #[serde(rename_all = "snake_case")]
    pub enum Bias {
        /// None of them.
        None,
        /// All of them.
        All,
        /// Those of the adapted projections.
        LoraOnly,
    }
}

impl Default for Lora {
    fn default() -> Self {
        Self {
            r: 8,
            alpha: 16.0,
            dropout: 0.0,
            targets: Targets::default(),
            layers: None,
            rank_stabilised: false,
            bias: Bias::None,
            exclude: None,
            rank_pattern: Map::new(),
            alpha_pattern: Map::new(),
            modules_to_save: Vec::new(),
        }
    }
}

/// PEFT's names of the options.
const PEFT_NAMES: [(&str, &str); 11] = [
    ("r", "r"),
    ("lora_alpha", "alpha"),
    ("lora_dropout", "dropout"),
    ("target_modules", "targets"),
    ("layers_to_transform", "layers"),
    ("use_rslora", "rank_stabilised"),
    ("bias", "bias"),
    ("exclude_modules", "exclude"),
    ("rank_pattern", "rank_pattern"),
    ("alpha_pattern", "alpha_pattern"),
    ("modules_to_save", "modules_to_save"),
];

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

    fn rank(&self, module: &str) -> Result<usize> {
        Ok(Self::own(&self.rank_pattern, module, "rank_pattern")?.map_or(self.r, |r| r as usize))
    }

    fn scale(&self, module: &str) -> Result<f64> {
        let rank = self.rank(module)? as f64;
        let alpha = Self::own(&self.alpha_pattern, module, "alpha_pattern")?.unwrap_or(self.alpha);
        Ok(alpha / if self.rank_stabilised { rank.sqrt() } else { rank })
    }

    /// The projections that are adapted, and what matches nothing.
    fn chosen<'a>(&self, model: &'a ModelSpec) -> Result<(Vec<&'a Param>, Vec<String>)> {
        let (mut chosen, lost) = self.targets.select(model)?;
        if let Some(layers) = &self.layers {
            let blocks = layers.of(model)?;
            // As in PEFT, a name that is spelled out needs no layer.
            let within = |p: &Param| p.block.is_some_and(|block| blocks.contains(&block));
            chosen.retain(|p| within(p) || self.targets.spells_out(p.module()));
            if chosen.is_empty() {
                let message = format!("none of the `targets` lies in the blocks that `layers` names, {layers}");
                return Err(PluginError::new(message));
            }
        }
        if let Some(exclude) = &self.exclude {
            let out = exclude.among(model.linears(), "exclude")?;
            chosen.retain(|p| !out.iter().any(|out| out.name == p.name));
        }
        chosen.retain(|p| !self.modules_to_save.iter().any(|name| has_part(p.module(), name)));
        match chosen.is_empty() {
            true => Err(PluginError::new("`exclude` and `modules_to_save` leave none of the `targets`")),
            false => Ok((chosen, lost)),
        }
    }

    /// The parameters that are trained whole, and names that match none.
    fn saved(&self, model: &ModelSpec) -> Result<(Vec<String>, Vec<String>)> {
        let tied = model.get(&model.output).filter(|p| p.role == Role::Embedding);
        let (mut saved, mut lost) = (Vec::new(), Vec::new());
        for name in &self.modules_to_save {
            let before = saved.len();
            let inside = |p: &&Param| ancestors(&p.name).any(|module| module.ends_with(name.as_str()));
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

    fn peft_config(&self, chosen: &[&Param]) -> Result<Value> {
        let modules = || chosen.iter().map(|p| p.module());
        let all = self.targets == Targets::default();
        let (targets, layers) = match (&self.targets, &self.layers) {
            (Targets::Pattern(_), None) if all => (json!(suffixes(modules())), None),
            (Targets::Pattern(_), Some(layers)) if all => (json!(suffixes(modules())), Some(layers.indices()?)),
            // PEFT has no layers beside a pattern.
            (Targets::Pattern(_), Some(_)) => (json!(modules().collect::<Vec<_>>()), None),
            (targets, layers) => (json!(targets), layers.as_ref().map(Layers::indices).transpose()?),
        };
        Ok(json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": null,
            "revision": null,
            "auto_mapping": null,
            "inference_mode": true,
            "r": self.r,
            "lora_alpha": peft::number(self.alpha),
            "lora_dropout": self.dropout,
            "target_modules": targets,
            "layers_to_transform": layers,
            "layers_pattern": null,
            "bias": self.bias,
            "use_rslora": self.rank_stabilised,
            "init_lora_weights": true,
            "fan_in_fan_out": false,
            "exclude_modules": self.exclude,
            "modules_to_save": if self.modules_to_save.is_empty() { Value::Null } else { json!(self.modules_to_save) },
            "rank_pattern": self.rank_pattern,
            "alpha_pattern": self.alpha_pattern,
        }))
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

/// An error unless all values of a table are in range.
fn each(table: &Map<String, Value>, key: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Result<()> {
    for (pattern, value) in table {
        Pattern::ending(pattern, key)?;
        if !fits(value) {
            return Err(PluginError::new(format!("`{key}` gives `{pattern}` {value}; expected {what}")));
        }
    }
    Ok(())
}

/// The names of a module's two matrices, as PEFT saves them.
fn names(module: &str) -> [String; 2] {
    ["A", "B"].map(|matrix| format!("base_model.model.{module}.lora_{matrix}.weight"))
}

/// A scale, whose patterns the plan has tried already.
fn scaled(scale: Result<f64>) -> f64 {
    scale.unwrap_or_else(|e| raise(e))
}

impl Adapter for Lora {
    fn validate(&self) -> Result<()> {
        if self.r == 0 {
            return Err(PluginError::new("`r` must be at least 1"));
        }
        if self.alpha <= 0.0 || !self.alpha.is_finite() {
            return Err(PluginError::new(format!("`alpha` must be positive, not {}", self.alpha)));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(PluginError::new(format!(
                "`dropout` must be at least 0 and less than 1, not {}",
                self.dropout
            )));
        }
        self.targets.validate("targets")?;
        self.exclude.as_ref().map_or(Ok(()), |exclude| exclude.validate("exclude"))?;
        each(&self.rank_pattern, "rank_pattern", "a rank of at least 1", |v| v.as_u64().is_some_and(|r| r > 0))?;
        each(&self.alpha_pattern, "alpha_pattern", "a positive number", |v| v.as_f64().is_some_and(|a| a > 0.0))?;
        if self.modules_to_save.iter().any(String::is_empty) {
            return Err(PluginError::new("`modules_to_save` has an empty name, which every module ends with"));
        }
        self.layers.as_ref().map_or(Ok(()), |layers| layers.indices().map(|_| ()))
    }

    fn from_peft(config: &Value) -> Result<Self> {
        let options = peft::options(config, &PEFT_NAMES)?;
        if !options.contains_key("targets") {
            return Err(PluginError::new("adapter_config.json does not give `target_modules`"));
        }
        // What PEFT takes for those that the file leaves out.
        let defaults = Self { r: 8, alpha: 8.0, dropout: 0.0, ..Self::default() };
        let mut all = serde_json::to_value(defaults)?;
        all.as_object_mut().into_iter().for_each(|all| all.extend(options.clone()));
        Ok(serde_json::from_value(all)?)
    }

    fn plan(&self, model: &ModelSpec) -> Result<AdapterPlan> {
        let (chosen, mut unmatched) = self.chosen(model)?;
        let (saved, lost) = self.saved(model)?;
        unmatched.extend(lost);
        let mut plan =
            AdapterPlan { unmatched, peft_config: Some(self.peft_config(&chosen)?), ..AdapterPlan::default() };
        for weight in chosen {
            let (out, input) = (weight.shape[0], weight.shape[1]);
            let [a, b] = names(weight.module());
            // PyTorch's Kaiming-uniform initialisation with a = √5.
            let random = Init::Uniform(1.0 / (input as f64).sqrt());
            let param = |name, shape: &[usize], init| Param::new(name, shape, init, Role::Other).in_block(weight.block);
            let rank = self.rank(weight.module())?;
            plan.params.push(param(a, &[rank, input], random));
            plan.params.push(param(b, &[out, rank], Init::Zeros));
            plan.linears.push(weight.module().to_owned());
        }
        let trained = |name: &str| match (self.bias, name.strip_suffix(".bias")) {
            (Bias::All, Some(_)) => true,
            (Bias::LoraOnly, Some(module)) => plan.linears.iter().any(|m| m == module),
            _ => false,
        };
        plan.trained = model
            .params
            .iter()
            .filter(|p| trained(&p.name) || saved.contains(&p.name))
            .map(|p| p.name.clone())
            .collect();
        Ok(plan)
    }

    fn linear(&self, cx: &Ctx, module: &str, x: Tensor) -> Tensor {
        let [a, b] = names(module).map(|name| cx.param(&name));
        let base = cx.base_linear(module, &x);
        // Scaled where it is narrowest.
        base + (cx.dropout(x, self.dropout).linear(a) * scaled(self.scale(module))).linear(b)
    }

    fn merge(&self, cx: &Ctx, module: &str, weight: Tensor) -> Tensor {
        let dtype = weight.dtype();
        let [a, b] = names(module).map(|name| cx.param(&name).cast(DType::F32));
        (weight.cast(DType::F32) + b.matmul(a) * scaled(self.scale(module))).cast(dtype)
    }
}

register!(adapter "lora" aliases ["LORA"] => Lora, example = r#"
r = 16
alpha = 32
dropout = 0.05
targets = ["q_proj", "v_proj"]
"#);

#[cfg(test)]
mod tests {
    use super::*;
    use framework_sdk::test::{adapter, toy_spec};

    fn plan(options: &str) -> AdapterPlan {
        adapter("lora", options).unwrap()
    }

    #[test]
    fn adds_two_matrices_to_each_target() {
        let plan = plan("r = 4\ntargets = [\"up_proj\"]\nlayers = 1");
        assert_eq!(plan.linears, ["layers.1.mlp.up_proj"]);
        let [a, b] = &plan.params[..] else { panic!("{:?}", plan.params) };
        assert_eq!(
            (a.name.as_str(), &a.shape[..]),
            ("base_model.model.layers.1.mlp.up_proj.lora_A.weight", &[4, 8][..])
        );
        assert_eq!(
            (b.name.as_str(), &b.shape[..]),
            ("base_model.model.layers.1.mlp.up_proj.lora_B.weight", &[16, 4][..])
        );
        assert_eq!((a.init, b.init, a.block), (Init::Uniform(1.0 / 8.0_f64.sqrt()), Init::Zeros, Some(1)));
        assert!(plan.trained.is_empty());
    }

    #[test]
    fn biases_are_trained_if_asked_for() {
        let q = ["layers.0.attn.q_proj.bias", "layers.1.attn.q_proj.bias"];
        assert_eq!(plan("bias = \"all\"\ntargets = [\"v_proj\"]").trained, q);
        assert_eq!(plan("bias = \"lora_only\"\nlayers = 0").trained, q[..1]);
    }

    #[test]
    fn the_scale_depends_on_the_rank() {
        let lora = Lora { r: 16, alpha: 32.0, ..Lora::default() };
        assert_eq!(lora.scale("q_proj").unwrap(), 2.0);
        assert_eq!(Lora { rank_stabilised: true, ..lora }.scale("q_proj").unwrap(), 8.0);
    }

    #[test]
    fn writes_what_peft_reads() {
        let config = |options: &str| plan(options).peft_config.unwrap();
        let all = config("layers = \"0-1\"\nalpha = 1.5");
        assert_eq!(all["target_modules"], json!(["q_proj", "v_proj", "up_proj"]));
        assert_eq!((&all["layers_to_transform"], &all["lora_alpha"]), (&json!([0, 1]), &json!(1.5)));
        assert_eq!(config("alpha = 4")["lora_alpha"].to_string(), "4");
        assert_eq!(config("targets = [\"v_proj\"]")["target_modules"], json!(["v_proj"]));
        assert_eq!(config("targets = \".*q_proj\"")["target_modules"], json!(".*q_proj"));
        let narrowed = config("targets = \".*q_proj\"\nlayers = 1");
        assert_eq!(narrowed["target_modules"], json!(["layers.1.attn.q_proj"]));
        assert_eq!(narrowed["layers_to_transform"], Value::Null);
    }

    #[test]
    fn reads_what_peft_wrote() {
        let file = include_str!("../../../tests/golden/gpt_neox/parallel/lora_layers/adapter_config.json");
        let mut config: Value = serde_json::from_str(file).unwrap();
        let expected = Lora {
            r: 4,
            alpha: 8.0,
            targets: Targets::Names(vec!["dense".into(), "query_key_value".into()]),
            layers: Some(Layers::List(vec![1])),
            ..Lora::default()
        };
        assert_eq!(Lora::from_peft(&config).unwrap(), expected);
        let mut refused = |key: &str, value: Value| {
            let before = config[key].take();
            config[key] = value;
            let error = Lora::from_peft(&config).unwrap_err().message;
            config[key] = before;
            error
        };
        for (key, value) in [
            ("use_dora", json!(true)),
            ("lora_bias", json!(true)),
            ("trainable_token_indices", json!([1])),
            ("layers_pattern", json!("experts")),
            ("init_lora_weights", json!("pissa")),
            ("task_type", json!("SEQ_CLS")),
            ("something_new", json!(1)),
        ] {
            let expected = format!("adapter_config.json sets `{key}` to {value}, which is not supported here");
            assert_eq!(refused(key, value), expected);
        }
        assert_eq!(refused("target_modules", Value::Null), "adapter_config.json does not give `target_modules`");
    }

    #[test]
    fn options_out_of_range_and_unknown_targets_are_refused() {
        let error = |options: &str| adapter("lora", options).unwrap_err().message;
        assert_eq!(error("r = 0"), "`r` must be at least 1");
        assert_eq!(error("dropout = 1.0"), "`dropout` must be at least 0 and less than 1, not 1");
        assert!(error("targets = [\"query\"]").ends_with("there are q_proj, v_proj, up_proj"));
        assert!(error("targets = \"layers.0.*\"\nlayers = 1").starts_with("none of the `targets` lies in"));
        assert_eq!(Lora::default().chosen(&toy_spec()).unwrap().0.len(), 6);
    }
}
