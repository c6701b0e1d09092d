//! The adapter `__name__`.

use framework_sdk::{ModelSpec, prelude::*, serde_json};

options! {
    /// Learns a factor for every input of the chosen projections, and nothing else.
    pub struct __Type__ {
        /// Last parts of the projections' names.
        targets: Vec<String>,
    }
}

fn scale(module: &str) -> String {
    format!("base_model.model.{module}.scale")
}

impl Adapter for __Type__ {
    fn from_peft(config: &Value) -> Result<Self> {
        Ok(Self { targets: serde_json::from_value(config["target_modules"].clone())? })
    }

    fn plan(&self, model: &ModelSpec) -> Result<AdapterPlan> {
        let peft_config = json!({"peft_type": "__NAME__", "target_modules": self.targets});
        let mut plan = AdapterPlan { peft_config: Some(peft_config), ..AdapterPlan::default() };
        for weight in model.linears() {
            let module = weight.module();
            if self.targets.iter().any(|target| module.rsplit('.').next() == Some(target)) {
                let (name, shape) = (scale(module), vec![weight.shape[1]]);
                plan.params.push(Param::new(name, &shape, Init::Ones, Role::Other).in_block(weight.block));
                plan.linears.push(module.to_owned());
            }
        }
        match plan.linears.is_empty() {
            true => Err(PluginError::new(format!("targets = {:?} match no projection of the model", self.targets))),
            false => Ok(plan),
        }
    }

    fn linear(&self, cx: &Ctx, module: &str, x: Tensor) -> Tensor {
        cx.base_linear(module, x * cx.param(&scale(module)))
    }

    fn merge(&self, cx: &Ctx, module: &str, weight: Tensor) -> Tensor {
        weight * cx.param(&scale(module))
    }
}

register!(adapter "__name__" aliases ["__NAME__"] => __Type__, example = r#"targets = ["q_proj", "v_proj"]"#);

#[cfg(test)]
mod tests {
    use framework_sdk::test;

    #[test]
    fn scales_the_inputs_of_its_targets() {
        let plan = test::adapter("__name__", r#"targets = ["v_proj"]"#).unwrap();
        assert_eq!(plan.linears, ["layers.0.attn.v_proj", "layers.1.attn.v_proj"]);
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
