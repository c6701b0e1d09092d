//! The adapter `__name__`.

use framework_sdk::{adapter, prelude::*, serde_json};

options! {
    /// Learns a factor for every input of the chosen projections, and nothing else.
    pub struct __Type__ {
        /// Last parts of the projections' names.
        targets: Vec<String>,
    }
}

/// What computes: the factors of each site.
pub struct Net(Vec<Weight>);

impl Adapter for __Type__ {
    type Net = Net;

    fn from_peft(config: &Value) -> Result<Self> {
        Ok(Self { targets: serde_json::from_value(config["target_modules"].clone())? })
    }

    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Net> {
        let mut factors = Vec::new();
        let hit = |weight: &&Param| self.targets.iter().any(|name| adapter::names_module(name, weight.module()));
        for weight in model.linears().filter(hit) {
            a.intercept(weight);
            let name = format!("base_model.model.{}.scale", weight.module());
            factors.push(a.param(name, &[weight.shape[1]], Init::Ones, weight.block));
        }
        a.peft_config(json!({"peft_type": "__NAME__", "target_modules": self.targets}));
        match factors.is_empty() {
            true => Err(PluginError::new(format!("targets = {:?} match no projection of the model", self.targets))),
            false => Ok(Net(factors)),
        }
    }
}

impl Adapted for Net {
    fn linear(&self, cx: &Ctx, site: Site, x: Tensor) -> Tensor {
        cx.base(site, x * self.0[site.index()].get(cx))
    }

    fn merge(&self, cx: &Ctx, site: Site, module: Merged) -> Result<Merged> {
        Ok(Merged::new(module.weight * self.0[site.index()].get(cx), module.bias))
    }
}

register!(adapter "__name__" aliases ["__NAME__"] => __Type__, example = r#"targets = ["q_proj", "v_proj"]"#);

#[cfg(test)]
mod tests {
    use framework_sdk::test;

    #[test]
    fn scales_the_inputs_of_its_targets() {
        let plan = test::adapter("__name__", r#"targets = ["v_proj"]"#).unwrap();
        assert_eq!(plan.sites, ["layers.0.attn.v_proj", "layers.1.attn.v_proj"]);
        assert_eq!(plan.params[0].shape, [8]);
    }

    #[test]
    fn targets_must_exist() {
        let error = test::adapter("__name__", r#"targets = ["nothing"]"#).unwrap_err();
        assert!(error.message.contains("match no projection"), "{error}");
    }

    #[test]
    fn conforms() {
        test::all_plugins();
    }
}
