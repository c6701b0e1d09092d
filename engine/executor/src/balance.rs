//! The load-balancing loss of mixtures of experts, which spans all blocks.

use super::Value;
use framework_core::{Op, PluginError, Result, ffi::HostTensor};
use std::collections::BTreeMap;

/// One router's part in a pass, averaged over the tokens.
#[derive(Clone)]
pub(super) struct Router {
    pub name: String,
    /// Factor on the loss.
    pub weight: f64,
    /// How often each expert was chosen `[1, experts]`, not differentiated.
    pub shares: Value,
    /// Each expert's probability `[1, experts]`.
    pub probabilities: Value,
}

/// The routers of a whole pass, by the name of their loss: `weight · experts · Σ share · probability`, where both are
/// means over tokens and routers (Fedus et al., 2022, arXiv:2101.03961; over all layers at once as in Mixtral).
#[derive(Default)]
pub(super) struct Balance(BTreeMap<String, Total>);

struct Total {
    weight: f64,
    routers: usize,
    shares: Value,
    probabilities: Value,
}

impl Balance {
    /// Counts routers in.
    pub fn add(&mut self, routers: &[Router]) -> Result<()> {
        for Router { name, weight, shares, probabilities } in routers {
            let (mut shares, mut probabilities) = (shares.clone().plain(), probabilities.clone().plain());
            let mut routers = 1;
            if let Some(total) = self.0.remove(name) {
                shares = shares.plus(total.shares)?;
                probabilities = probabilities.plus(total.probabilities)?;
                routers += total.routers;
            }
            self.0.insert(name.clone(), Total { weight: *weight, routers, shares, probabilities });
        }
        Ok(())
    }

    /// The losses `[1]`, one for each name.
    pub fn loss(&self) -> Result<Vec<Value>> {
        let each = self.0.values().map(|total| {
            let product = Value::execute(Op::Mul, vec![total.shares.clone(), total.probabilities.clone()])?;
            let sum = Value::execute(Op::Sum { dim: -1 }, vec![product])?;
            Value::execute(Op::Reshape { shape: vec![1].into() }, vec![sum])?.times(total.factor())
        });
        each.collect()
    }

    /// The part of the loss that goes through one router's probabilities, to be differentiated.
    pub fn objective(&self, router: Router) -> Result<Value> {
        let total = self.0.get(&router.name).ok_or_else(|| PluginError::new("a router appeared on the way back"))?;
        let product = Value::execute(Op::Mul, vec![router.probabilities, total.shares.clone().tracked()])?;
        Value::execute(Op::Sum { dim: -1 }, vec![product])?.times(total.factor())
    }
}

impl Total {
    /// Makes the sums over routers means, times the number of experts and the weight.
    fn factor(&self) -> f64 {
        let experts = self.shares.shape().last().copied().unwrap_or(0);
        self.weight * experts as f64 / (self.routers * self.routers) as f64
    }
}
