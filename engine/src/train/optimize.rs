//! One step of the optimizer over all trained parameters.

use framework_base::{Error, Result};
use framework_core::{
    Param, StateSpec, ffi,
    ffi::{OptimizerObject, OptimizingObject},
};
use framework_executor::{Grads, Network, Value};

/// An optimizer, opened for the trained parameters, and what it keeps for each.
pub struct Stepper {
    optimizer: OptimizingObject,
    learning_rate: f64,
    params: Vec<Param>,
    /// A factor on the learning rate of each parameter.
    rates: Vec<f64>,
    /// The states of each parameter, in the order in which the optimizer named them.
    states: Vec<Vec<(String, Value)>>,
}

impl Stepper {
    /// An optimizer at its start.
    pub fn new(optimizer: OptimizerObject, network: &Network) -> Result<Self> {
        let learning_rate = optimizer.learning_rate()?;
        let params: Vec<Param> = network.trained().into_iter().cloned().collect();
        let optimizer = optimizer.open(&params)?;
        let zero = |s: &StateSpec| Ok((s.name.clone(), Value::zeros(&s.shape, network.device())?));
        let zeros = |states: &Vec<StateSpec>| states.iter().map(zero).collect::<Result<_>>();
        let states = optimizer.states().iter().map(zeros).collect::<Result<_>>()?;
        let rate = |param: &Param| network.plan().rates.get(&param.name).copied().unwrap_or(1.0);
        let rates = params.iter().map(rate).collect();
        Ok(Self { optimizer, learning_rate, params, rates, states })
    }

    /// The learning rate before the schedule.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Names, shapes and values of all states, as `parameter/state`.
    pub fn states(&self) -> impl Iterator<Item = (String, &Value)> {
        let named = |param: &Param, name: &String| format!("{}/{name}", param.name);
        let all = self.params.iter().zip(&self.states);
        all.flat_map(move |(param, all)| all.iter().map(move |(name, value)| (named(param, name), value)))
    }

    /// Puts saved states back; `read` finds one by the name that [`Stepper::states`] gave it.
    pub fn restore(&mut self, mut read: impl FnMut(&str, &[usize]) -> Result<Value>) -> Result<()> {
        use ffi::HostTensor;
        for (param, all) in self.params.iter().zip(&mut self.states) {
            for (name, value) in all {
                *value = read(&format!("{}/{name}", param.name), &value.shape())?;
            }
        }
        Ok(())
    }

    /// Clips the gradients, which are `scale` times too large, to the norm `max_norm`, unless it is 0, and moves every
    /// trained parameter. `step` counts from 1. Returns the gradients' norm before clipping: as `Err`, with nothing moved,
    /// if it is not finite.
    pub fn step(
        &mut self,
        network: &Network,
        (mut grads, scale): (Grads, f64),
        step: u64,
        learning_rate: f64,
        max_norm: f64,
    ) -> Result<Result<f64, f64>> {
        let norm = grads.norm()? / scale;
        if !norm.is_finite() {
            return Ok(Err(norm));
        }
        let clip = if max_norm > 0.0 { (max_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
        let factor = clip / scale;
        for index in 0..self.params.len() {
            let param = &self.params[index];
            // What nothing went through (an expert that no token chose) stands still or goes on as its momentum says.
            let mut grad = match grads.0.remove(&param.name) {
                Some(grad) => grad,
                None => Value::zeros(&param.shape, network.device())?,
            }
            .put_off();
            if factor != 1.0 {
                grad = grad.times(factor)?;
            }
            self.move_one(network, index, grad, step, learning_rate)?;
        }
        Ok(Ok(norm))
    }

    fn move_one(&mut self, network: &Network, index: usize, grad: Value, step: u64, rate: f64) -> Result<()> {
        let param = &self.params[index];
        let lost = || Error::failed(format!("parameter `{}` was lost", param.name));
        let value = network.take(&param.name).ok_or_else(lost)?;
        let state = &mut self.states[index];
        let (names, values): (Vec<_>, Vec<_>) = std::mem::take(state).into_iter().unzip();
        // What the optimizer computes of them goes over memory once.
        let tensors = (ffi::wrap(value.put_off()), ffi::wrap(grad));
        let kept = values.into_iter().map(|value| ffi::wrap(value.put_off())).collect();
        let (value, kept) = self.optimizer.update(rate * self.rates[index], step, index, tensors, kept)?;
        let values = std::iter::once(value).chain(kept).map(ffi::unwrap).collect::<Result<Vec<Value>, _>>()?;
        let mut values = Value::computed(values)?.into_iter();
        network.set(&param.name, values.next().ok_or_else(lost)?)?;
        *state = names.into_iter().zip(values).collect();
        Ok(())
    }
}
