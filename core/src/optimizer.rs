//! Optimizers.

use crate::{Options, Param, Result, Tensor};
use serde::{Deserialize, Serialize};

/// A tensor that an optimizer keeps for a parameter. It starts at zero and is saved in checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StateSpec {
    /// Its name, e.g. `exp_avg`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

impl StateSpec {
    /// State of any shape.
    pub fn new(name: &str, shape: &[usize]) -> Self {
        Self { name: name.to_owned(), shape: shape.to_vec() }
    }

    /// State of the same shape as the parameter.
    pub fn like(name: &str, param: &Param) -> Self {
        Self { name: name.to_owned(), shape: param.shape.clone() }
    }
}

/// What an update is told beside the tensors.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Update<'a> {
    /// The learning rate of this step, after the schedule.
    pub learning_rate: f64,
    /// The number of this step, counted from 1.
    pub step: u64,
    /// The parameter's declaration.
    pub param: &'a Param,
}

/// Moves parameters along their gradients, in tensor operators, so that it runs on every backend.
pub trait Optimizer: Options {
    /// An error if the options contradict each other or are out of range: what types cannot express.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// The learning rate that the schedule scales.
    fn learning_rate(&self) -> f64;

    /// The state kept for a parameter. None unless said otherwise.
    fn state(&self, param: &Param) -> Vec<StateSpec> {
        let _ = param;
        Vec::new()
    }

    /// One update: the parameter's new value and the new values of the state, which comes as [`Optimizer::state`]
    /// named it. Gradients are already averaged and clipped.
    fn update(&self, update: &Update, param: Tensor, grad: Tensor, state: Vec<Tensor>) -> (Tensor, Vec<Tensor>);
}
