//! Plugins that panic where they can.

use framework_sdk::prelude::*;

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
    type Net = PanickingNet;

    fn build(&self, m: &Scope) -> Result<PanickingNet> {
        m.sizes(Sizes { hidden: 4, vocab: 8, ..Sizes::default() });
        let embedding = m.embedding("embed", Table { rows: 8, width: 4, padding: None, init: Init::Zeros });
        m.blocks("blocks", 3, |_, _| Ok(()))?;
        m.tied_output(&embedding, "lm_head", Logits::default());
        Ok(PanickingNet(embedding))
    }
}

/// What [`PanickingModel`] computes.
pub struct PanickingNet(Embedding);

impl Network for PanickingNet {
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        self.0.forward(cx, ids)
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

mod everywhere;
