//! One step of the optimizer over all trained parameters.

use crate::{
    error::{Error, Result},
    executor::{Grads, Network, Value},
};
use framework_core::{Param, Update, ffi, ffi::OptimizerObject};
use std::collections::BTreeMap;

/// An optimizer and what it keeps for each parameter.
pub struct Stepper {
    optimizer: OptimizerObject,
    learning_rate: f64,
    /// States by parameter name, in the order in which the optimizer named them.
    states: BTreeMap<String, Vec<(String, Value)>>,
}

impl Stepper {
    /// An optimizer at its start.
    pub fn new(optimizer: OptimizerObject, network: &Network) -> Result<Self> {
        let learning_rate = optimizer.learning_rate()?;
        let mut states = BTreeMap::new();
        for param in network.trained() {
            let zero = |s: framework_core::StateSpec| Ok((s.name, Value::zeros(&s.shape, network.device())?));
            let state = optimizer.state(param)?.into_iter().map(zero).collect::<Result<_>>()?;
            states.insert(param.name.clone(), state);
        }
        Ok(Self { optimizer, learning_rate, states })
    }

    /// The learning rate before the schedule.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Names, shapes and values of all states, as `parameter/state`.
    pub fn states(&self) -> impl Iterator<Item = (String, &Value)> {
        self.states.iter().flat_map(|(param, all)| all.iter().map(move |(name, v)| (format!("{param}/{name}"), v)))
    }

    /// Puts saved states back; `read` finds one by the name that [`Stepper::states`] gave it.
    pub fn restore(&mut self, mut read: impl FnMut(&str, &[usize]) -> Result<Value>) -> Result<()> {
        use ffi::HostTensor;
        for (param, all) in &mut self.states {
            for (name, value) in all {
                *value = read(&format!("{param}/{name}"), &value.shape())?;
            }
        }
        Ok(())
    }

    /// Clips the gradients to the norm `max_norm`, unless it is 0, and moves every trained parameter. `step` counts
    /// from 1. Returns the gradients' norm before clipping: as `Err`, with nothing moved, if it is not finite.
    pub fn step(
        &mut self,
        network: &Network,
        mut grads: Grads,
        step: u64,
        learning_rate: f64,
        max_norm: f64,
    ) -> Result<Result<f64, f64>> {
        let squares = grads.0.values().map(Value::sum_of_squares).collect::<Result<Vec<_>, _>>()?;
        let norm = squares.iter().sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Ok(Err(norm));
        }
        let clip = if max_norm > 0.0 { (max_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
        let trained: Vec<Param> = network.trained().into_iter().cloned().collect();
        for param in &trained {
            // What nothing went through (an expert that no token chose) stands still or goes on as its momentum says.
            let mut grad = match grads.0.remove(&param.name) {
                Some(grad) => grad,
                None => Value::zeros(&param.shape, network.device())?,
            };
            if clip < 1.0 {
                grad = grad.times(clip)?;
            }
            self.move_one(network, param, grad, step, learning_rate)?;
        }
        Ok(Ok(norm))
    }

    fn move_one(&mut self, network: &Network, param: &Param, grad: Value, step: u64, rate: f64) -> Result<()> {
        let lost = || Error::failed(format!("parameter `{}` was lost", param.name));
        let value = network.take(&param.name).ok_or_else(lost)?;
        let state = self.states.get_mut(&param.name).ok_or_else(lost)?;
        let names: Vec<String> = state.iter().map(|(name, _)| name.clone()).collect();
        let tensors = std::mem::take(state).into_iter().map(|(_, v)| ffi::wrap(v)).collect();
        let update = Update { learning_rate: rate, step, param };
        let (value, tensors) = self.optimizer.update(&update, ffi::wrap(value), ffi::wrap(grad), tensors)?;
        network.set(&param.name, ffi::unwrap(value)?)?;
        let values = tensors.into_iter().map(ffi::unwrap).collect::<Result<Vec<Value>, _>>()?;
        *state = names.into_iter().zip(values).collect();
        Ok(())
    }
}
