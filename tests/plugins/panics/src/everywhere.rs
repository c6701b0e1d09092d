//! A plugin of each kind that panics in the method that it is told.

use framework_sdk::prelude::*;

macro_rules! panicking {
    ($type:ident) => {
        options! {
            /// Panics where it is told.
            pub struct $type {
                /// The method.
                at: String,
            }
        }

        impl $type {
            fn reach(&self, method: &str) {
                assert!(self.at != method, "{method} was reached");
            }
        }
    };
}

panicking!(Data);
panicking!(Network0);
panicking!(Attached);
panicking!(Step0);
panicking!(Choice);

impl Dataset for Data {
    fn validate(&self) -> Result<()> {
        self.reach("validate");
        Ok(())
    }
    fn open(&self, _: &Skipped) -> Result<Records> {
        self.reach("open");
        let this = self.clone();
        Ok(Box::new((0..).map(move |_| {
            this.reach("next");
            let huge: Vec<u64> = Vec::with_capacity(if this.at == "allocate" { usize::MAX } else { 0 });
            Ok([("output".to_owned(), json!(huge.len()))].into_iter().collect())
        })))
    }
}

register!(dataset "panicking-data" => Data, example = "at = \"open\"");

/// What [`Network0`] computes.
pub struct Net(Network0, Embedding);

impl ModelArch for Network0 {
    type Net = Net;

    fn validate(&self) -> Result<()> {
        self.reach("validate");
        Ok(())
    }
    fn build(&self, m: &Scope) -> Result<Net> {
        self.reach("build");
        m.sizes(Sizes { hidden: 4, vocab: 8, ..Sizes::default() });
        let embedding = m.embedding("embed", Table { rows: 8, width: 4, padding: None, init: Init::Zeros });
        m.blocks("blocks", 1, |_, _| Ok(()))?;
        m.tied_output(&embedding, "lm_head", Logits::default());
        Ok(Net(self.clone(), embedding))
    }
}

impl Network for Net {
    fn embed(&self, cx: &Ctx, ids: Tensor) -> Tensor {
        self.0.reach("embed");
        self.1.forward(cx, ids)
    }
    fn start(&self, _: &Ctx, embedded: Tensor) -> Tensor {
        self.0.reach("start");
        embedded
    }
    fn block(&self, _: &Ctx, _: usize, hidden: Tensor) -> Tensor {
        self.0.reach("block");
        hidden
    }
    fn head(&self, _: &Ctx, hidden: Tensor) -> Tensor {
        self.0.reach("head");
        hidden
    }
}

register!(model "panicking-network" => Network0, example = "at = \"build\"");

impl Adapter for Attached {
    type Net = Attached;

    fn validate(&self) -> Result<()> {
        self.reach("validate");
        Ok(())
    }
    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Attached> {
        self.reach("build");
        model.linears().for_each(|weight| drop(a.intercept(weight)));
        a.prompt(2);
        Ok(self.clone())
    }
}

impl Adapted for Attached {
    fn linear(&self, cx: &Ctx, site: Site, x: Tensor) -> Tensor {
        self.reach("linear");
        cx.base(site, x)
    }
    fn prompt(&self, cx: &Ctx) -> Tensor {
        self.reach("prompt");
        cx.positions().full([2, 8], 0.0, DType::F32)
    }
    fn merge(&self, _: &Ctx, _: Site, module: Merged) -> Result<Merged> {
        self.reach("merge");
        Ok(module)
    }
}

register!(adapter "panicking-adapter" => Attached, example = "at = \"build\"");

impl Optimizer for Step0 {
    fn validate(&self) -> Result<()> {
        self.reach("validate");
        Ok(())
    }
    fn learning_rate(&self) -> f64 {
        self.reach("learning_rate");
        1.0
    }
    fn state(&self, _: &Param) -> Vec<StateSpec> {
        self.reach("state");
        Vec::new()
    }
    fn update(&self, _: &Update, param: Tensor, _: Tensor, state: Vec<Tensor>) -> (Tensor, Vec<Tensor>) {
        self.reach("update");
        (param, state)
    }
}

register!(optimizer "panicking-optimizer" => Step0, example = "at = \"state\"");

impl Decoder for Choice {
    fn validate(&self) -> Result<()> {
        self.reach("validate");
        Ok(())
    }
    fn traits(&self) -> DecoderTraits {
        self.reach("traits");
        DecoderTraits::default()
    }
    fn start(&self, _: DecodeRequest) -> Result<Box<dyn Decode>> {
        self.reach("start");
        Ok(Box::new(self.clone()))
    }
}

impl Decode for Choice {
    fn step(&mut self, _: Scores) -> Result<Step> {
        self.reach("step");
        Ok(Step::default())
    }
    fn finish(&mut self) -> Result<Vec<Vec<u32>>> {
        self.reach("finish");
        Ok(vec![vec![1]])
    }
}

register!(decoder "panicking-decoder" => Choice, example = "at = \"start\"");
