//! An optimizer of a name that another plugin has.

use framework_sdk::prelude::*;

options! {
    /// Does nothing, under a name that is taken.
    pub struct Impostor {}
}

impl Optimizer for Impostor {
    fn learning_rate(&self) -> f64 {
        1.0
    }
    fn update(&self, _: &Update, param: Tensor, _: Tensor, state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        (param, state)
    }
}

register!(optimizer "sign-sgd" => Impostor, example = "");
