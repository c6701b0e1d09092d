//! A model that says how it is run, and an adapter that trains what it is told to.

use super::floats;
use crate::executor::{Device, Network, Parts, Value, value::Data};
use framework_core::ffi;
use framework_sdk::{prelude::*, serde_json};
use std::{cell::RefCell, sync::Arc};

thread_local! {
    static SEEN: RefCell<Vec<(usize, bool)>> = const { RefCell::new(Vec::new()) };
}

options! {
    /// Three blocks that say how they are run.
    #[serde(default)]
    #[derive(Default)]
    struct Probe {
        dropout: f64,
        attention_dropout: f64,
        /// Whether each block adds its scale to the loss.
        extra: bool,
        /// Whether each block chooses one of four experts, to no effect but their balance.
        routed: bool,
    }
}

impl ModelArch for Probe {
    fn spec(&self) -> Result<ModelSpec> {
        let output = "out.weight".to_owned();
        let mut spec = ModelSpec { blocks: 3, hidden_size: 4, vocab_size: 6, output, ..ModelSpec::default() };
        spec.param("embed.weight", &[6, 4], Init::Normal(1.0), Role::Embedding);
        for i in 0..3 {
            spec.linear(&format!("blocks.{i}.mix"), 4, 4, true, Init::Normal(1.0));
            spec.param(format!("blocks.{i}.scale"), &[1], Init::Ones, Role::Other);
        }
        spec.param("norm.weight", &[4], Init::Ones, Role::Norm);
        spec.param("out.weight", &[6, 4], Init::Normal(1.0), Role::Output);
        spec.output_bias = Some("out.bias".into());
        spec.param("out.bias", &[6], Init::Zeros, Role::Bias);
        Ok(spec)
    }

    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        cx.param("embed.weight").embedding(ids)
    }

    fn block(&self, cx: &Ctx, index: usize, hidden: Tensor) -> Tensor {
        if let Ok(value) = ffi::unwrap::<Value>(hidden.clone()) {
            let recorded = matches!(value.data, Data::Float(t) if t.is_autodiff());
            SEEN.with_borrow_mut(|seen| seen.push((index, recorded)));
        }
        let scale = cx.param(&format!("blocks.{index}.scale"));
        if self.extra {
            cx.add_loss("scale", scale.clone());
        }
        if self.routed {
            let probabilities = hidden.clone().reshape([-1, 4]).softmax(-1);
            let best = probabilities.clone().max(-1).expand([probabilities.dim(0), 4]);
            let chosen = probabilities.clone().equal(best).cast(DType::F32);
            cx.balance("experts", chosen, probabilities, 0.5);
        }
        let mixed = nn::split_heads(cx.linear(&format!("blocks.{index}.mix"), &hidden), 2);
        let how = Attention { dropout: self.attention_dropout, ..Attention::default() };
        let mixed = cx.attention(mixed.clone(), mixed.clone(), mixed, how);
        cx.dropout(nn::merge_heads(mixed).tanh(), self.dropout) * scale + hidden
    }

    fn head(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        hidden.rms_norm(cx.param("norm.weight"), 1e-5)
    }
}

options! {
    /// Trains what it is told to.
    #[serde(default)]
    #[derive(Default)]
    struct Chosen {
        trained: Vec<String>,
        /// Whether embeddings, keys and values are multiplied by a parameter of its own.
        hooks: bool,
    }
}

impl Adapter for Chosen {
    fn plan(&self, _: &ModelSpec) -> Result<AdapterPlan> {
        let mut plan = AdapterPlan { trained: self.trained.clone(), hooks: self.hooks, ..AdapterPlan::default() };
        if self.hooks {
            let (name, shape) = ("gain".to_owned(), vec![1]);
            plan.params.push(Param { name, shape, init: Init::Ones, role: Role::Other, block: None });
        }
        Ok(plan)
    }

    fn embed(&self, cx: &Ctx, hidden: Tensor) -> Tensor {
        hidden * cx.param("gain")
    }

    fn keys_values(&self, cx: &Ctx, block: usize, keys: Tensor, values: Tensor) -> (Tensor, Tensor) {
        (keys, if block == 1 { values * cx.param("gain") } else { values })
    }
}

register!(model "probe" => Probe, example = "");
register!(adapter "chosen" => Chosen, example = "");

/// The blocks that ran since this was last asked, and whether they were recorded.
pub fn seen() -> Vec<(usize, bool)> {
    SEEN.take()
}

fn built(name: &str) -> ffi::Build {
    ffi::linked().into_iter().find(|d| d.about.name == name).unwrap().build
}

/// A network with random parameters.
pub fn network(model: serde_json::Value, adapter: serde_json::Value) -> Arc<Network> {
    let model = built("probe").model("probe", &model).unwrap();
    let adapter = built("chosen").adapter("chosen", &adapter).unwrap();
    let network = Network::new(Parts { model, adapter: Some(adapter), device: Device::cpu() }).unwrap();
    let params: Vec<_> = network.spec().params.iter().chain(&network.plan().params).cloned().collect();
    for (seed, param) in (1..).zip(params) {
        network.set(&param.name, floats(&param.shape, seed)).unwrap();
    }
    Arc::new(network)
}
