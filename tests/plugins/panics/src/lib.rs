//! Plugins that panic where they can.

use framework_sdk::{ModelSpec, prelude::*};

options! {
    /// Panics at once, or at a record.
    pub struct PanickingAugmenter {
        /// The record at which it panics, counted from 1; 0 is at once.
        #[serde(default)]
        at: usize,
    }
}

impl Augmenter for PanickingAugmenter {
    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        assert!(self.at > 0, "nothing can be augmented");
        let (at, mut seen) = (self.at, 0);
        Ok(each(records, move |record| {
            seen += 1;
            assert!(seen < at, "record {seen} is too much");
            Ok(vec![record])
        }))
    }
}

register!(augmenter "panicking-augmenter" => PanickingAugmenter, example = "at = 2");

options! {
    /// Panics in its second block.
    pub struct PanickingModel {}
}

impl ModelArch for PanickingModel {
    fn spec(&self) -> Result<ModelSpec> {
        let mut spec = ModelSpec { blocks: 3, hidden_size: 4, vocab_size: 8, ..ModelSpec::default() };
        spec.output = "embed.weight".into();
        spec.param("embed.weight", &[8, 4], Init::Zeros, Role::Embedding);
        Ok(spec)
    }
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        cx.param("embed.weight").embedding(ids)
    }
    fn block(&self, _cx: &Ctx, index: usize, hidden: Tensor) -> Tensor {
        match index {
            1 => panic!("block {index} is not written yet"),
            _ => hidden,
        }
    }
    fn head(&self, _cx: &Ctx, hidden: Tensor) -> Tensor {
        hidden
    }
}

register!(model "panicking-model" => PanickingModel, example = "");
