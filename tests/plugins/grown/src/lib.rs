//! What a plugin of a later SDK may look like: it uses what is new where the host has it, and does without elsewhere.

use framework_sdk::{prelude::*, supports};

options! {
    /// Stochastic gradient descent by an operator that is new.
    pub struct GrownSgd {
        /// The learning rate.
        #[serde(default = "rate")]
        learning_rate: f64,
        /// Uses the new operator even on hosts that lack it.
        #[serde(default)]
        insist: bool,
    }
}

fn rate() -> f64 {
    1e-2
}

impl Optimizer for GrownSgd {
    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn update(&self, update: &Update, param: Tensor, grad: Tensor, state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        let new = self.insist || supports("op.grown");
        let down = if new { grad.grown() } else { -grad };
        (param + down * update.learning_rate, state)
    }
}

register!(optimizer "grown-sgd" => GrownSgd, example = "learning_rate = 1e-2");

options! {
    /// Passes records on.
    pub struct Pass {}
}

impl Augmenter for Pass {
    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        Ok(records)
    }
}

register!(augmenter "pass" => Pass, example = "");

options! {
    /// Trains the model's biases, and refuses hosts without something that is new if it is told to.
    pub struct GrownBias {
        /// A feature that the host must have.
        #[serde(default)]
        requires: Option<String>,
    }
}

impl Adapter for GrownBias {
    type Net = Nothing;

    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Nothing> {
        model.params.iter().filter(|p| p.role == Role::Bias).for_each(|bias| a.train(bias));
        self.requires.iter().for_each(|feature| a.requires(feature));
        Ok(Nothing)
    }
}

register!(adapter "grown-bias" => GrownBias, example = "");

options! {
    /// An adapter with a parameter of its own, whose declaration has a field that is new.
    pub struct GrownScale {}
}

/// A factor on what every projection gives.
pub struct Scale(Vec<Weight>);

impl Adapter for GrownScale {
    type Net = Scale;

    fn from_peft(_: &Value) -> Result<Self> {
        Ok(Self {})
    }

    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Scale> {
        let scale = |weight: &Param| {
            a.intercept(weight);
            a.param(format!("{}.scale", weight.module()), &[weight.shape[0]], Init::Ones, weight.block)
        };
        let scales = model.linears().map(scale).collect();
        a.peft_config(json!({ "peft_type": "GROWN" }));
        Ok(Scale(scales))
    }
}

impl Adapted for Scale {
    fn linear(&self, cx: &Ctx, site: Site, x: Tensor) -> Tensor {
        cx.base(site, x) * self.0[site.index()].get(cx)
    }
}

register!(adapter "grown-scale" => GrownScale, example = "");
