//! `full`: full fine-tuning.

use framework_sdk::{adapter::Layers, prelude::*};

options! {
    /// Trains the model's own parameters: all of them, or those of some blocks.
    ///
    /// No parameters are added, and the result is a whole model instead of an adapter. If only the upper blocks are
    /// trained, the backward pass ends there, which saves memory and time.
    pub struct Full {
        /// The blocks to train, counted from 0: `"23-27"`, `"0-2,5"`, `3` or `[3, 4]`. Default: all blocks.
        #[serde(default)]
        layers: Option<Layers>,
        /// Whether to train the embeddings, the final norm and the vocabulary projection. Default: true, unless
        /// `layers` is set.
        #[serde(default)]
        embeddings: Option<bool>,
    }
}

impl Adapter for Full {
    type Net = Nothing;

    fn validate(&self) -> Result<()> {
        self.layers.as_ref().map_or(Ok(()), |layers| layers.indices().map(|_| ()))
    }

    fn build(&self, model: &ModelSpec, a: &Attach) -> Result<Nothing> {
        let blocks = self.layers.as_ref().map(|layers| layers.of(model)).transpose()?;
        let outside = self.embeddings.unwrap_or(blocks.is_none());
        let trained = |param: &&Param| match param.block {
            Some(block) => blocks.as_ref().is_none_or(|blocks| blocks.contains(&block)),
            None => outside,
        };
        model.params.iter().filter(trained).for_each(|param| a.train(param));
        Ok(Nothing)
    }
}

register!(adapter "full" => Full, example = r#"
layers = "4-5"
"#);

#[cfg(test)]
mod tests {
    use framework_sdk::test;

    #[test]
    fn trains_everything_unless_told_otherwise() {
        let trained = |options: &str| test::adapter("full", options).unwrap().trained;
        let all = trained("");
        assert_eq!(all.len(), test::toy_spec().params.len());
        assert_eq!(trained("embeddings = false").len(), all.len() - 3);
        let upper = trained("layers = 1");
        assert!(upper.iter().all(|name| name.starts_with("layers.1.")) && upper.len() == 4, "{upper:?}");
        assert_eq!(trained("layers = \"0-1\"\nembeddings = true"), all);
    }

    #[test]
    fn blocks_must_exist() {
        let error = |options: &str| test::adapter("full", options).unwrap_err().message;
        assert_eq!(error("layers = \"1-2\""), "`layers` names block 2; the model has 2, from 0 to 1");
        assert!(error("layers = \"top\"").starts_with("`layers` must be like"));
    }
}
