//! `lora`: low-rank adaptation.

mod choose;
mod net;
mod pissa;

use framework_sdk::{
    adapter::{self, Layers, Pattern, Targets, target_modules},
    prelude::*,
    serde_json::{self, Map},
};
pub(crate) use net::LoraNet;
use net::Part;
use pissa::Start;

options! {
    /// Low-rank adaptation (Hu et al., 2021, arXiv:2106.09685), in PEFT's format.
    ///
    /// A target projection `Wx` becomes `Wx + s · B(A · dropout(x))`. `A` `[r, in]` is initialised at random and `B`
    /// `[out, r]` with zeros, and only these two are trained. The scale `s` is `alpha / r`, or `alpha / √r` if
    /// rank-stabilised.
    #[serde(default)]
    pub struct Lora {
        /// Rank of the added matrices.
        r: usize,
        /// Scale of the added product, before the division by the rank: the product is multiplied by `alpha / r`.
        alpha: f64,
        /// Dropout probability of the inputs of `A` during training.
        dropout: f64,
        /// The modules to adapt. A list of module names or their last parts, such as `["q_proj", "self_attn.o_proj"]`;
        /// a list of roles, which name modules in any architecture (`"attention"`, `"attention.query"`, `"mlp.down"`,
        /// `"embedding"`, `"output"`); one regular expression that matches whole module names; or `"all-linear"`, every
        /// projection of the blocks.
        targets: Targets,
        /// Adapt these blocks only, counted from 0: `"23-27"`, `"0-2,5"`, `3` or `[3, 4]`. Default: all blocks.
        layers: Option<Layers>,
        /// Divide `alpha` by the square root of the rank instead of the rank (rsLoRA: Kalajdzievski, 2023,
        /// arXiv:2312.03732), so that high ranks learn as fast as low ones.
        rank_stabilised: bool,
        /// Which of the model's biases are trained as well.
        bias: Bias,
        /// Modules to exclude from `targets`: names, or one regular expression.
        exclude: Option<Targets>,
        /// Ranks of individual modules: `{ "down_proj" = 4 }`. A key is a regular expression for a module's name or its
        /// last parts. The first key that matches applies.
        #[schemars(extend("x-expected" = "a table from module names to ranks"))]
        rank_pattern: Map<String, Value>,
        /// Values of `alpha` for individual modules, with keys as in `rank_pattern`.
        #[schemars(extend("x-expected" = "a table from module names to numbers"))]
        alpha_pattern: Map<String, Value>,
        /// Modules to train and save as a whole, by the last parts of their names: `["lm_head", "embed_tokens"]`.
        modules_to_save: Vec<String>,
        /// DoRA (Liu et al., 2024, arXiv:2402.09353): also train the magnitude of each row of the adapted weight.
        /// Projections only.
        use_dora: bool,
        /// Initial values of `A` and `B`. `true`: `A` is random and `B` is zero. `"pissa"` (PiSSA: Meng et al., 2024,
        /// arXiv:2404.02948): the part of the weight with the largest singular values, so that training changes this
        /// part and the rest stays frozen. Such an adapter is saved as a plain LoRA of twice the rank, which fits the
        /// unchanged base model, as PEFT converts its own. PEFT's faster approximations, such as `"pissa_niter_4"`, are
        /// accepted and computed exactly.
        #[schemars(extend("x-expected" = "true or \"pissa\""))]
        init_lora_weights: Start,
        /// Whether `B` has a bias, which is trained.
        lora_bias: bool,
        /// LoRA+ (Hayou et al., 2024, arXiv:2402.12354): ratio of the learning rate of `B`, and of all trained vectors,
        /// to that of `A`. The paper uses 16. Adapted embeddings keep the learning rate of `A`.
        loraplus_lr_ratio: Option<f64>,
        /// Ids of tokens whose embeddings are trained, for example tokens that were added to the vocabulary.
        trainable_token_indices: Vec<usize>,
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
            use_dora: false,
            init_lora_weights: Start::Usual(true),
            lora_bias: false,
            loraplus_lr_ratio: None,
            trainable_token_indices: Vec::new(),
        }
    }
}

/// PEFT's names of the options.
const PEFT_NAMES: [(&str, &str); 14] = [
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
    ("use_dora", "use_dora"),
    ("lora_bias", "lora_bias"),
    ("trainable_token_indices", "trainable_token_indices"),
];

impl Lora {
    /// Sets the learning rate of a parameter, as LoRA+ has it.
    fn rate(&self, a: &Attach, name: &str, shape: &[usize]) {
        let faster = name.contains(".lora_B.") || shape.len() == 1;
        if let Some(ratio) = self.loraplus_lr_ratio.filter(|_| faster) {
            a.rate(name, ratio);
        }
    }

    fn peft_config(&self, model: &ModelSpec, chosen: &[&Param]) -> Result<Value> {
        let modules = || chosen.iter().map(|p| model.peft_name(p.module()));
        let all = self.targets == Targets::default();
        let in_peft =
            |name: &String| model.params.iter().any(|p| adapter::names_module(name, model.peft_name(p.module())));
        let (targets, layers) = match (&self.targets, &self.layers) {
            // Blocks are chosen by `layers_to_transform`.
            (Targets::Pattern(_), layers) if all => {
                let every: Vec<_> = model.linears().collect();
                (json!(target_modules(model, &every)), layers.as_ref().map(Layers::indices).transpose()?)
            }
            // PEFT has no layers beside a pattern.
            (Targets::Pattern(_), Some(_)) => (json!(modules().collect::<Vec<_>>()), None),
            // What modules do, only we know.
            (Targets::Names(names), _) if !names.iter().all(in_peft) => (json!(target_modules(model, chosen)), None),
            (targets, layers) => (json!(targets), layers.as_ref().map(Layers::indices).transpose()?),
        };
        let saved: Vec<_> = self.modules_to_save.iter().map(|name| model.peft_name(name)).collect();
        let (r, alpha, rank_pattern, alpha_pattern) = self.ranks();
        let tokens = Some(&self.trainable_token_indices).filter(|tokens| !tokens.is_empty());
        Ok(json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": null,
            "revision": null,
            "auto_mapping": null,
            "inference_mode": true,
            "r": r,
            "lora_alpha": adapter::number(alpha),
            "lora_dropout": self.dropout,
            "target_modules": targets,
            "layers_to_transform": layers,
            "layers_pattern": null,
            "bias": self.bias,
            "use_rslora": self.rank_stabilised,
            "init_lora_weights": true,
            "fan_in_fan_out": chosen.iter().any(|p| p.stored == Stored::InOut),
            "use_dora": self.use_dora,
            "lora_bias": self.lora_bias,
            "trainable_token_indices": tokens,
            "exclude_modules": self.exclude,
            "modules_to_save": if saved.is_empty() { Value::Null } else { json!(saved) },
            "rank_pattern": rank_pattern,
            "alpha_pattern": alpha_pattern,
        }))
    }
}

/// An error unless all values of a table are in range.
fn each(table: &Map<String, Value>, key: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Result<()> {
    for (pattern, value) in table {
        Pattern::ending(pattern, key)?;
        if !fits(value) {
            return Err(PluginError::option(key, format!("gives `{pattern}` {value}; expected {what}")));
        }
    }
    Ok(())
}

impl Adapter for Lora {
    type Net = LoraNet;

    fn validate(&self) -> Result<()> {
        if self.r == 0 {
            return Err(PluginError::option("r", "must be at least 1"));
        }
        if self.alpha <= 0.0 || !self.alpha.is_finite() {
            return Err(PluginError::option("alpha", format!("must be positive, not {}", self.alpha)));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(PluginError::option(
                "dropout",
                format!("must be at least 0 and less than 1, not {}", self.dropout),
            ));
        }
        if let Some(ratio) = self.loraplus_lr_ratio.filter(|ratio| !(ratio.is_finite() && *ratio > 0.0)) {
            return Err(PluginError::option("loraplus_lr_ratio", format!("must be positive, not {ratio}")));
        }
        self.init_lora_weights.validate(self)?;
        self.targets.validate("targets")?;
        self.exclude.as_ref().map_or(Ok(()), |exclude| exclude.validate("exclude"))?;
        each(&self.rank_pattern, "rank_pattern", "a rank of at least 1", |v| v.as_u64().is_some_and(|r| r > 0))?;
        each(&self.alpha_pattern, "alpha_pattern", "a positive number", |v| v.as_f64().is_some_and(|a| a > 0.0))?;
        if self.modules_to_save.iter().any(String::is_empty) {
            return Err(PluginError::option("modules_to_save", "has an empty name, which every module ends with"));
        }
        self.layers.as_ref().map_or(Ok(()), |layers| layers.indices().map(|_| ()))
    }

    fn from_peft(config: &Value) -> Result<Self> {
        let mut config = config.clone();
        let start = Start::take(&mut config)?;
        let options = adapter::options(&config, &PEFT_NAMES)?;
        if !options.contains_key("targets") {
            return Err(PluginError::new("adapter_config.json does not give `target_modules`"));
        }
        // What PEFT takes for those that the file leaves out.
        let init_lora_weights = start.unwrap_or(Start::Usual(true));
        let defaults = Self { r: 8, alpha: 8.0, dropout: 0.0, init_lora_weights, ..Self::default() };
        let mut all = serde_json::to_value(defaults)?;
        all.as_object_mut().into_iter().for_each(|all| all.extend(options.clone()));
        Ok(serde_json::from_value(all)?)
    }

    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<LoraNet> {
        let (chosen, unmatched) = self.chosen(model)?;
        let (saved, lost) = self.saved(model)?;
        unmatched.into_iter().chain(lost).for_each(|sentence| a.unmatched(sentence));
        a.peft_config(self.peft_config(model, &chosen)?);
        let mut parts = Vec::new();
        for weight in &chosen {
            parts.push(Part::new(self, model, weight, a)?);
        }
        if !self.trainable_token_indices.is_empty() {
            parts.push(Part::tokens(&self.trainable_token_indices, model, a)?);
        }
        let adapted = |module: &str| chosen.iter().any(|weight| weight.module() == module);
        let trained = |name: &str| match (self.bias, name.strip_suffix(".bias")) {
            (Bias::All, Some(_)) => true,
            (Bias::LoraOnly, Some(module)) => adapted(module),
            _ => false,
        };
        let trained = model.params.iter().filter(|p| trained(&p.name) || saved.contains(&p.name));
        for param in trained {
            a.train(param);
            self.rate(a, &param.name, &param.shape);
        }
        Ok(LoraNet { parts, dropout: self.dropout, found: Default::default() })
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
        assert_eq!(plan.sites, ["layers.1.mlp.up_proj"]);
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
            ("use_qalora", json!(true)),
            ("alora_invocation_tokens", json!([1])),
            ("layers_pattern", json!("experts")),
            ("init_lora_weights", json!("olora")),
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
        assert!(error("use_dora = true\ntargets = [\"embed\"]").starts_with("`use_dora` is for projections"));
        assert!(error("trainable_token_indices = [32]").starts_with("`trainable_token_indices` names token 32"));
    }

    #[test]
    fn modules_are_chosen_by_what_they_do() {
        let sites = |targets: &str| plan(&format!("targets = {targets}")).sites;
        assert_eq!(sites(r#"["attention.query"]"#), ["layers.0.attn.q_proj", "layers.1.attn.q_proj"]);
        assert_eq!(sites(r#"["attention"]"#).len(), 4);
        assert_eq!(sites(r#"["mlp", "embedding", "output"]"#).len(), 4);
        let config = plan(r#"targets = ["attention", "output"]"#).peft_config.unwrap();
        assert_eq!(config["target_modules"], json!(["q_proj", "v_proj", "lm_head"]));
    }

    #[test]
    fn embeddings_and_projection_are_adapted_under_pefts_names() {
        let plan = plan("r = 4\ntargets = [\"embed\", \"lm_head\"]\ntrainable_token_indices = [3, 5]");
        let named: Vec<_> = plan.params.iter().map(|p| (p.name.as_str(), &p.shape[..])).collect();
        assert_eq!(
            named,
            [
                ("base_model.model.embed.lora_embedding_A", &[4, 32][..]),
                ("base_model.model.embed.lora_embedding_B", &[8, 4]),
                ("base_model.model.lm_head.lora_A.weight", &[4, 8]),
                ("base_model.model.lm_head.lora_B.weight", &[32, 4]),
                ("base_model.model.embed.token_adapter.trainable_tokens_delta", &[2, 8]),
            ]
        );
        assert_eq!(plan.initial, [4]);
    }
}
