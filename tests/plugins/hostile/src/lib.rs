//! Plugins that never end, want too much, or give what is no text.

use framework_sdk::prelude::*;

options! {
    /// Gives records without end, or waits for the first one without end.
    pub struct EndlessData {
        /// Whether it waits.
        #[serde(default)]
        waits: bool,
    }
}

impl Dataset for EndlessData {
    fn open(&self, _skipped: &Skipped) -> Result<Records> {
        while self.waits {
            std::thread::park();
        }
        let record = json!({"instruction": "What?", "input": "", "output": "That."});
        let record = record.as_object().cloned().unwrap_or_default();
        Ok(Box::new(std::iter::repeat_with(move || Ok(record.clone()))))
    }
}

register!(dataset "endless-data" => EndlessData, example = "");

options! {
    /// Waits for what never comes.
    pub struct WaitingData {}
}

impl Dataset for WaitingData {
    fn open(&self, skipped: &Skipped) -> Result<Records> {
        EndlessData { waits: true }.open(skipped)
    }
}

register!(dataset "waiting-data" => WaitingData, example = "");

options! {
    /// Asks for a tensor that fits into no memory.
    pub struct Greedy {
        /// Whether it asks at the second step only.
        #[serde(default)]
        later: bool,
    }
}

impl Optimizer for Greedy {
    fn learning_rate(&self) -> f64 {
        0.1
    }
    fn update(&self, update: &Update, param: Tensor, grad: Tensor, state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        if self.later && update.step < 2 {
            return (param, state);
        }
        let huge = grad.full([1 << 30, 1 << 30], 0.0, DType::F32);
        (param + huge, state)
    }
}

register!(optimizer "greedy-optimizer" => Greedy, example = "");

options! {
    /// Puts bytes that are no text into a record.
    pub struct Garbled {}
}

impl Augmenter for Garbled {
    fn augment(&self, records: Records, _seed: u64) -> Result<Records> {
        Ok(each(records, |mut record| {
            // SAFETY: none, which is what this plugin is for.
            let text = unsafe { String::from_utf8_unchecked(vec![b'a', 0xff, b'b']) };
            record.insert("output".into(), Value::String(text));
            Ok(vec![record])
        }))
    }
}

register!(augmenter "garbled" => Garbled, example = "");
