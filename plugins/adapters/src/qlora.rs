//! `qlora`: `lora` over weights of 4 bits.

use crate::lora::{Lora, LoraNet};
use framework_sdk::{
    prelude::*,
    schemars::{JsonSchema, Schema, SchemaGenerator},
    serde::{Deserialize, Serialize},
};
use std::borrow::Cow;

/// QLoRA (Dettmers et al., 2023, arXiv:2305.14314): low-rank adaptation of projections that are frozen in 4 bits.
///
/// `lora` with all of its options. Unless `backend.frozen` says otherwise, projections that are not trained are kept as
/// `nf4`: a 7B model takes 4 GB instead of 28. Its files are those of `lora`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "framework_sdk::serde", transparent)]
pub struct Qlora(Lora);

// By hand: derived, the schema would only refer to that of `lora`.
impl JsonSchema for Qlora {
    fn schema_name() -> Cow<'static, str> {
        "Qlora".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Lora::json_schema(generator);
        let text = "QLoRA (Dettmers et al., 2023, arXiv:2305.14314): low-rank adaptation over frozen projections of 4 \
                    bits.\n\n`lora` with all of its options. Unless `backend.frozen` says otherwise, projections that are \
                    not trained are kept as `nf4`: a 7B model takes 4 GB instead of 28. Its files are those of `lora`.";
        schema.insert("description".into(), text.into());
        schema
    }
}

impl Adapter for Qlora {
    type Net = LoraNet;

    fn validate(&self) -> Result<()> {
        self.0.validate()
    }

    fn from_peft(config: &Value) -> Result<Self> {
        Lora::from_peft(config).map(Self)
    }

    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<LoraNet> {
        a.storage("nf4");
        self.0.build(model, a)
    }
}

register!(adapter "qlora" aliases ["LORA"] => Qlora, example = r#"
r = 64
alpha = 16
dropout = 0.1
targets = "all-linear"
"#);

#[cfg(test)]
mod tests {
    use framework_sdk::test::adapter;

    #[test]
    fn is_lora_over_weights_of_4_bits() {
        let options = "r = 4\ntargets = [\"up_proj\"]";
        let (mut quantized, plain) = (adapter("qlora", options).unwrap(), adapter("lora", options).unwrap());
        assert_eq!(quantized.storage.take().as_deref(), Some("nf4"));
        assert_eq!(quantized, plain);
        assert_eq!(adapter("qlora", "r = 0").unwrap_err().message, "`r` must be at least 1");
    }
}
