//! `ia3`: factors on activations.

use framework_sdk::{
    adapter::{self, Targets, target_modules},
    prelude::*,
    serde_json,
};

options! {
    /// (IA)³: learned factors that scale the outputs or inputs of projections (Liu et al., 2022, arXiv:2205.05638), in
    /// PEFT's format.
    ///
    /// A projection in `targets` becomes `l · (Wx + b)`, with a factor per output. A projection that is also in
    /// `feed_forward` becomes `W(l · x) + b`, with a factor per input. All factors start at 1.
    #[serde(default)]
    pub struct Ia3 {
        /// The modules to adapt: module names or their last parts, roles (`"attention.key"`), or one regular
        /// expression.
        targets: Targets,
        /// Targets whose inputs are scaled instead of their outputs.
        feed_forward: Targets,
    }
}

impl Default for Ia3 {
    fn default() -> Self {
        let names = |names: &[&str]| Targets::Names(names.iter().map(|name| (*name).to_owned()).collect());
        Self {
            targets: names(&["attention.key", "attention.value", "attention.qkv", "mlp.down"]),
            feed_forward: names(&["mlp.down"]),
        }
    }
}

const PEFT_NAMES: [(&str, &str); 2] = [("target_modules", "targets"), ("feedforward_modules", "feed_forward")];

/// The factors of a projection.
struct Factors {
    weight: Weight,
    of_inputs: bool,
}

/// (IA)³, attached to a model.
pub struct Ia3Net(Vec<Factors>);

impl Adapter for Ia3 {
    type Net = Ia3Net;

    fn validate(&self) -> Result<()> {
        self.targets.validate("targets")?;
        match &self.feed_forward {
            Targets::Names(names) if names.is_empty() => Ok(()),
            some => some.validate("feed_forward"),
        }
    }

    fn from_peft(config: &Value) -> Result<Self> {
        let mut options = adapter::options(config, &PEFT_NAMES)?;
        if !options.contains_key("targets") {
            return Err(PluginError::new("adapter_config.json does not give `target_modules`"));
        }
        options.entry("feed_forward").or_insert_with(|| json!([]));
        Ok(serde_json::from_value(options.into())?)
    }

    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Ia3Net> {
        let default = *self == Self::default();
        let (chosen, lost) = self.targets.select(model, &[])?;
        if !default {
            lost.into_iter().for_each(|sentence| a.unmatched(sentence));
        }
        let scaled = self.feed_forward.among(model, model.linears(), "feed_forward")?;
        let of_inputs = |param: &Param| scaled.iter().any(|other| other.name == param.name);
        let factors = |param: &&Param| {
            a.intercept(param);
            let name = format!("base_model.model.{}.ia3_l", model.peft_name(param.module()));
            let of_inputs = of_inputs(param);
            let shape = if of_inputs { [1, param.shape[1]] } else { [param.shape[0], 1] };
            Factors { weight: a.param(name, &shape, Init::Ones, param.block), of_inputs }
        };
        let all = chosen.iter().map(factors).collect();
        let inputs: Vec<_> = chosen.iter().copied().filter(|param| of_inputs(param)).collect();
        a.peft_config(json!({
            "peft_type": "IA3",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": null,
            "revision": null,
            "inference_mode": true,
            "target_modules": target_modules(model, &chosen),
            "feedforward_modules": target_modules(model, &inputs),
            "fan_in_fan_out": chosen.iter().any(|param| param.stored == Stored::InOut),
            "init_ia3_weights": true,
            "exclude_modules": null,
            "modules_to_save": null,
        }));
        Ok(Ia3Net(all))
    }
}

impl Adapted for Ia3Net {
    fn linear(&self, cx: &Ctx, site: Site, x: Tensor) -> Tensor {
        let Factors { weight, of_inputs } = &self.0[site.index()];
        let factors = weight.get(cx).reshape([-1]);
        if *of_inputs { cx.base(site, x * factors) } else { cx.base(site, x) * factors }
    }

    fn merge(&self, cx: &Ctx, site: Site, module: Merged) -> Result<Merged> {
        let Factors { weight, of_inputs } = &self.0[site.index()];
        let factors = weight.get(cx);
        let bias = match module.bias {
            Some(bias) if !of_inputs => Some(bias * factors.clone().reshape([-1])),
            bias => bias,
        };
        Ok(Merged::new(module.weight * factors, bias))
    }
}

register!(adapter "ia3" aliases ["IA3"] => Ia3, example = r#"
targets = ["attention.key", "attention.value", "mlp.down"]
feed_forward = ["mlp.down"]
"#);

#[cfg(test)]
mod tests {
    use framework_sdk::test::adapter;

    #[test]
    fn factors_are_of_inputs_or_of_outputs() {
        let plan = adapter("ia3", "targets = [\"v_proj\", \"up_proj\"]\nfeed_forward = [\"mlp.up\"]").unwrap();
        let shapes: Vec<_> = plan.params.iter().map(|p| (p.name.as_str(), &p.shape[..])).take(2).collect();
        let name = |module: &str| format!("base_model.model.layers.0.{module}.ia3_l");
        assert_eq!(shapes, [(&*name("attn.v_proj"), &[8, 1][..]), (&*name("mlp.up_proj"), &[1, 8])]);
        let config = plan.peft_config.unwrap();
        assert_eq!(
            (&config["target_modules"][1], &config["feedforward_modules"][0]),
            (&"up_proj".into(), &"up_proj".into())
        );
    }
}
