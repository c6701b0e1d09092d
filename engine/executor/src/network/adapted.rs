//! What an adapter computes besides its hooks in a pass: its start, its file, weights with it folded in.

use super::Network;
use crate::{
    Value,
    pass::{Pass, Setup},
};
use framework_core::{PluginError, Result, ffi};
use std::sync::Arc;

impl Network {
    /// Gives the adapter's parameters that depend on the base weights their start.
    pub fn start_adapter(self: &Arc<Self>) -> Result<()> {
        let Some(adapter) = &self.adapter else { return Ok(()) };
        for &index in &self.plan.initial {
            let pass = Pass::new(self, Setup::plain(1, 1));
            let start = adapter.initial(&pass.context(), index)?;
            self.set(&self.plan.params[index].name, ffi::unwrap(start)?)?;
        }
        Ok(())
    }

    /// The tensors of PEFT's file, where they are not the parameters themselves.
    pub fn saved(self: &Arc<Self>) -> Result<Vec<Value>> {
        let Some(adapter) = &self.adapter else { return Ok(Vec::new()) };
        let pass = Pass::new(self, Setup::plain(1, 1));
        adapter.saved(&pass.context())?.into_iter().map(ffi::unwrap).collect()
    }

    /// A parameter of the base model with the adapter folded in.
    ///
    /// # Errors
    /// The adapter cannot be folded into weights.
    pub fn merged(self: &Arc<Self>, name: &str) -> Result<Option<Value>> {
        let Some(value) = self.param(name) else { return Ok(None) };
        if self.plan.prompt + self.plan.prefix > 0 {
            let message = "the adapter puts virtual tokens before each sequence, which no weight can hold; export it as an adapter";
            return Err(PluginError::new(message));
        }
        let index = self.spec.params.iter().position(|p| p.name == name);
        // A bias goes with its weight.
        let of_bias = index.and_then(|i| self.modules.iter().position(|(_, bias)| *bias == Some(i)));
        let Some((weight, (adapter, _))) = of_bias.or(index).and_then(|i| Some((i, self.site_of(i)?))) else {
            return Ok(Some(value));
        };
        let bias = self.bias_of(weight).and_then(|bias| self.param(&self.spec.params[bias].name));
        let mut module = (self.param(&self.spec.params[weight].name).unwrap_or(value), bias);
        let pass = Pass::new(self, Setup::plain(1, 1));
        let own = self.spec.params[weight].module();
        for site in adapter.plan().sites.iter().enumerate().filter(|(_, site)| *site == own).map(|(i, _)| i) {
            let (weight, bias) = (ffi::wrap(module.0), module.1.map(ffi::wrap));
            let (weight, bias) = adapter.merge(&pass.context(), site, weight, bias)?;
            module = (ffi::unwrap(weight)?, bias.map(ffi::unwrap).transpose()?);
        }
        Ok(if of_bias.is_some() { module.1 } else { Some(module.0) })
    }
}
