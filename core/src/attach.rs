//! Where an adapter says what it does to a model.

use crate::{AdapterPlan, Init, ModelSpec, Needs, Param, Role, Site, Weight};
use std::cell::RefCell;

/// Notes what an adapter adds, trains and intercepts.
pub struct Attach {
    model: ModelSpec,
    plan: RefCell<AdapterPlan>,
}

impl Attach {
    pub(crate) fn new(model: &ModelSpec) -> Self {
        Self { model: model.clone(), plan: RefCell::default() }
    }

    pub(crate) fn finish(self) -> AdapterPlan {
        self.plan.into_inner()
    }

    /// Adds a parameter, which is trained. Its name is the key under which PEFT saves it. Say the block that it belongs
    /// to, if there is one, so that nothing below the lowest one is differentiated.
    pub fn param(&self, name: impl Into<String>, shape: &[usize], init: Init, block: Option<usize>) -> Weight {
        let params = &mut self.plan.borrow_mut().params;
        params.push(Param::new(name, shape, init, Role::Other).in_block(block));
        Weight::new(self.model.network, self.model.params.len() + params.len() - 1)
    }

    /// The same, with a start that [`crate::Adapted::initial`] computes when the base weights are there.
    pub fn computed(&self, name: impl Into<String>, shape: &[usize], block: Option<usize>) -> Weight {
        let weight = self.param(name, shape, Init::Zeros, block);
        let plan = &mut *self.plan.borrow_mut();
        plan.initial.push(plan.params.len() - 1);
        weight
    }

    /// The same, which stays as it starts: it is not trained, and not in PEFT's file.
    pub fn frozen(&self, name: impl Into<String>, shape: &[usize], block: Option<usize>) -> Weight {
        let weight = self.computed(name, shape, block);
        let plan = &mut *self.plan.borrow_mut();
        plan.frozen.push(plan.params.len() - 1);
        if !plan.requires.iter().any(|feature| feature == "adapter.frozen") {
            plan.requires.push("adapter.frozen".to_owned());
        }
        weight
    }

    /// One of the model's own parameters is trained, too.
    pub fn train(&self, param: &Param) {
        self.plan.borrow_mut().trained.push(param.name.clone());
    }

    /// A parameter that is trained, by its name, has this factor on the learning rate.
    pub fn rate(&self, param: impl Into<String>, factor: f64) {
        self.plan.borrow_mut().rates.insert(param.into(), factor);
    }

    /// A projection of the model, its embeddings or its vocabulary projection go through the adapter. `weight` is the
    /// module's weight.
    pub fn intercept(&self, weight: &Param) -> Site {
        let sites = &mut self.plan.borrow_mut().sites;
        sites.push(weight.module().to_owned());
        Site { index: sites.len() - 1, weight: self.model.weight(weight) }
    }

    /// So many virtual tokens stand before each sequence, with the hidden states of [`crate::Adapted::prompt`].
    pub fn prompt(&self, tokens: usize) {
        self.plan.borrow_mut().prompt = tokens;
    }

    /// So many virtual tokens stand before each sequence, with the keys and values of [`crate::Adapted::prefix`].
    pub fn prefix(&self, tokens: usize) {
        self.plan.borrow_mut().prefix = tokens;
    }

    /// PEFT's file holds this tensor instead of the parameters: see [`crate::Adapted::saved`].
    pub fn saved(&self, name: impl Into<String>, shape: &[usize]) {
        self.plan.borrow_mut().saved.push((name.into(), shape.to_vec()));
    }

    /// Something that the options choose and the model does not have, while there is more that it does have.
    pub fn unmatched(&self, sentence: impl Into<String>) {
        self.plan.borrow_mut().unmatched.push(sentence.into());
    }

    /// Hosts that do not have this feature must refuse the adapter, because they would leave it out: see
    /// [`crate::supports`].
    pub fn requires(&self, feature: &str) {
        self.plan.borrow_mut().requires.push(feature.to_owned());
    }

    /// What the adapter needs of the run and of the model. Hosts that do not know one of the needs refuse the adapter.
    pub fn needs(&self, needs: Needs) {
        let plan = &mut *self.plan.borrow_mut();
        plan.requires.extend(needs.features());
        plan.needs = needs;
    }

    /// Weights that are not trained are kept in this number format, one of the recipe's `backend.frozen`, unless the
    /// user says another.
    pub fn storage(&self, format: &str) {
        self.plan.borrow_mut().storage = Some(format.to_owned());
    }

    /// PEFT's `adapter_config.json`, without the base model's path.
    pub fn peft_config(&self, config: serde_json::Value) {
        self.plan.borrow_mut().peft_config = Some(config);
    }
}
