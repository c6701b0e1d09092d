//! Optimizers.

use crate::{Needs, Options, Param, Result, Tensor};
use serde::{Deserialize, Serialize};

/// A tensor that an optimizer keeps for a parameter. It is saved in checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StateSpec {
    /// Its name, e.g. `exp_avg`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The value that all its elements start with.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub initial: f64,
    /// The number format in which it is kept between updates, which see 32 bits: see [`StateSpec::stored`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

impl StateSpec {
    /// State of any shape, which starts at zero and is kept in 32 bits.
    pub fn new(name: &str, shape: &[usize]) -> Self {
        Self { name: name.to_owned(), shape: shape.to_vec(), initial: 0.0, storage: None }
    }

    /// State of the same shape as the parameter.
    pub fn like(name: &str, param: &Param) -> Self {
        Self::new(name, &param.shape)
    }

    /// The same, with another start than zero.
    pub fn starting_at(self, initial: f64) -> Self {
        Self { initial, ..self }
    }

    /// The same, kept in fewer bits between updates: `"dynamic8"`, or `"dynamic8-unsigned"` for what is never negative,
    /// are 8 bits in blocks of 256 with a scale each (Dettmers et al., 2022, arXiv:2110.02861). Updates get and return
    /// 32 bits. Hosts have the feature `optimizer.storage`; an older one keeps 32 bits.
    pub fn stored(self, format: &str) -> Self {
        Self { storage: Some(format.to_owned()), ..self }
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

    /// What it needs of the run: backends and precisions. Nothing in particular unless said otherwise.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// The state kept for a parameter. None unless said otherwise.
    fn state(&self, param: &Param) -> Vec<StateSpec> {
        let _ = param;
        Vec::new()
    }

    /// One update: the parameter's new value and the new values of the state, which comes as [`Optimizer::state`]
    /// named it. Gradients are already averaged and clipped.
    fn update(&self, update: &Update, param: Tensor, grad: Tensor, state: Vec<Tensor>) -> (Tensor, Vec<Tensor>);
}
