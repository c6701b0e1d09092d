//! What a plugin needs of the run that it takes part in.

use serde::{Deserialize, Serialize};

/// What a model, an adapter or an optimizer needs of its run. `check` refuses a recipe that has something else, and
/// names the settings that fit. An empty list accepts everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Needs {
    /// Backends that it computes on, by their names in `backend.name`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<String>,
    /// Number formats of products that it computes correctly with, by their names in `backend.precision`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub precisions: Vec<String>,
    /// Number formats of frozen weights that it can use, by their names in `backend.frozen`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frozen: Vec<String>,
    /// What the model must have, for an adapter: layer roles, as in [`crate::Dense::layer`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
    /// Each sequence is in a row of its own: `train.packing` must be off.
    #[serde(skip_serializing_if = "is_false")]
    pub unpacked: bool,
    /// Each pass has whole sequences: the engine generates without a cache, and computes a sequence again for each
    /// token.
    #[serde(skip_serializing_if = "is_false")]
    pub uncached: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

impl Needs {
    /// Nothing in particular.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, on one of these backends: `cpu`, `wgpu`, `cuda`.
    #[must_use]
    pub fn backends<const N: usize>(self, backends: [&str; N]) -> Self {
        Self { backends: names(backends), ..self }
    }

    /// The same, with products in one of these number formats: `f32`, `tf32`, `high`, `bf16`, `f16`.
    #[must_use]
    pub fn precisions<const N: usize>(self, precisions: [&str; N]) -> Self {
        Self { precisions: names(precisions), ..self }
    }

    /// The same, with frozen weights in one of these number formats: `f32`, `stored`, `bf16`, `f16`, `int8`, `nf4`,
    /// `fp4`.
    #[must_use]
    pub fn frozen<const N: usize>(self, formats: [&str; N]) -> Self {
        Self { frozen: names(formats), ..self }
    }

    /// The same, attached to a model that has all of these layer roles.
    #[must_use]
    pub fn layers<const N: usize>(self, layers: [&str; N]) -> Self {
        Self { layers: names(layers), ..self }
    }

    /// The same, with one sequence in each row.
    #[must_use]
    pub fn unpacked(self) -> Self {
        Self { unpacked: true, ..self }
    }

    /// The same, with whole sequences in each pass.
    #[must_use]
    pub fn uncached(self) -> Self {
        Self { uncached: true, ..self }
    }

    /// The features that a host must have to respect these needs: see [`crate::Scope::requires`].
    pub(crate) fn features(&self) -> impl Iterator<Item = String> {
        let fields = [
            ("backends", !self.backends.is_empty()),
            ("precisions", !self.precisions.is_empty()),
            ("frozen", !self.frozen.is_empty()),
            ("layers", !self.layers.is_empty()),
            ("unpacked", self.unpacked),
            ("uncached", self.uncached),
        ];
        fields.into_iter().filter(|(_, set)| *set).map(|(name, _)| format!("needs.{name}"))
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supports;

    #[test]
    fn a_host_must_know_each_need() {
        let all = Needs::new().backends(["cpu"]).precisions(["f32"]).frozen(["f32"]).layers(["mlp.up"]);
        let all = all.unpacked().uncached();
        let features: Vec<_> = all.features().collect();
        assert_eq!(features.len(), serde_json::to_value(&all).unwrap().as_object().unwrap().len());
        assert!(features.iter().all(|feature| supports(feature)), "{features:?}");
        assert_eq!(Needs::new().features().count(), 0);
    }

    /// What a newer plugin needs beyond this is refused by its `requires`, not here.
    #[test]
    fn needs_of_newer_plugins_are_read() {
        let read: Needs = serde_json::from_str(r#"{"unpacked": true, "sharded": true}"#).unwrap();
        assert_eq!(read, Needs::new().unpacked());
    }
}
