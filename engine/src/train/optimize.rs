//! One step of the optimizer over all trained parameters.

use crate::states;
use framework_base::{Error, Result};
use framework_core::{
    Param, StateSpec, ffi,
    ffi::{HostTensor, OptimizerObject, OptimizingObject},
};
use framework_executor::{Grads, Network, Storage, Value};

/// An optimizer, opened for the trained parameters, and what it keeps for each.
pub struct Stepper {
    optimizer: OptimizingObject,
    learning_rate: f64,
    params: Vec<Param>,
    /// A factor on the learning rate of each parameter.
    rates: Vec<f64>,
    /// The states of each parameter, in the order in which the optimizer declared them.
    states: Vec<Vec<Value>>,
}

impl Stepper {
    /// An optimizer at its start.
    pub fn new(optimizer: OptimizerObject, network: &Network) -> Result<Self> {
        let learning_rate = optimizer.learning_rate()?;
        let params: Vec<Param> = network.trained().into_iter().cloned().collect();
        let optimizer = optimizer.open(&params)?;
        let device = network.device();
        let initial = |specs: &Vec<StateSpec>| specs.iter().map(|spec| states::initial(spec, device)).collect();
        let states = optimizer.states().iter().map(initial).collect::<Result<_>>()?;
        let rate = |param: &Param| network.plan().rates.get(&param.name).copied().unwrap_or(1.0);
        let rates = params.iter().map(rate).collect();
        Ok(Self { optimizer, learning_rate, params, rates, states })
    }

    /// The learning rate before the schedule.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// All states, by the names `parameter/state`.
    pub fn states(&self) -> impl Iterator<Item = (String, &Value)> {
        let all = self.params.iter().zip(self.optimizer.states()).zip(&self.states);
        all.flat_map(|((param, specs), values)| {
            specs.iter().zip(values).map(|(spec, value)| (named(param, spec), value))
        })
    }

    /// Puts saved states back; `read` finds one by the name that [`Stepper::states`] gives it.
    pub fn restore(&mut self, mut read: impl FnMut(&str, &StateSpec) -> Result<Value>) -> Result<()> {
        for ((param, specs), values) in self.params.iter().zip(self.optimizer.states()).zip(&mut self.states) {
            for (spec, value) in specs.iter().zip(values) {
                *value = read(&named(param, spec), spec)?;
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
        // Updates see 32 bits, and what they compute goes over memory once.
        let state = std::mem::take(&mut self.states[index]).into_iter().map(|value| value.kept(Storage::F32));
        let state = state.map(|value| value.map(|value| ffi::wrap(value.put_off()))).collect::<Result<_, _>>()?;
        let tensors = (ffi::wrap(value.put_off()), ffi::wrap(grad));
        let (value, state) = self.optimizer.update(rate * self.rates[index], step, index, tensors, state)?;
        let values = std::iter::once(value).chain(state).map(ffi::unwrap).collect::<Result<Vec<Value>, _>>()?;
        let mut values = Value::computed(values)?.into_iter();
        network.set(&param.name, values.next().ok_or_else(lost)?)?;
        let specs = &self.optimizer.states()[index];
        self.states[index] =
            specs.iter().zip(values).map(|(spec, value)| kept(param, spec, value)).collect::<Result<_>>()?;
        Ok(())
    }
}

fn named(param: &Param, state: &StateSpec) -> String {
    format!("{}/{}", param.name, state.name)
}

/// A state after an update, as it is kept until the next.
fn kept(param: &Param, spec: &StateSpec, value: Value) -> Result<Value> {
    if value.shape() != spec.shape {
        let (name, found, expected) = (named(param, spec), value.shape(), &spec.shape);
        return Err(Error::failed(format!("the update of `{name}` has the shape {found:?}, not {expected:?}")));
    }
    Ok(value.kept(states::storage(spec)?)?)
}
