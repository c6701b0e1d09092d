//! Plugins that return errors and ask for impossible operators.

use framework_sdk::prelude::*;

options! {
    /// Refuses every record.
    pub struct Refusing {}
}

impl Augmenter for Refusing {
    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        Ok(each(records, |_| Err(PluginError::new("the field `mood` is missing"))))
    }
}

register!(augmenter "refusing" => Refusing, example = "");

options! {
    /// Multiplies what does not fit, and is not documented as it should be.
    pub struct Misshapen {
        #[serde(default)]
        undocumented: f64,
    }
}

impl Optimizer for Misshapen {
    fn learning_rate(&self) -> f64 {
        1.0 + self.undocumented
    }
    fn update(&self, _: &Update, param: Tensor, grad: Tensor, state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        (param.matmul(grad), state)
    }
}

register!(optimizer "misshapen" => Misshapen, example = "");
