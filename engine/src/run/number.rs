//! Numbers in JSON, which has no NaN and no infinity: those are written as the strings "NaN", "inf" and "-inf".

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Form {
    Number(f64),
    Text(String),
}

impl From<f64> for Form {
    fn from(x: f64) -> Self {
        if x.is_finite() { Form::Number(x) } else { Form::Text(x.to_string()) }
    }
}

/// `#[serde(with = "number")]`.
pub fn serialize<S: Serializer>(x: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Form::from(*x).serialize(serializer)
}

/// `#[serde(with = "number::maybe")]`.
pub mod maybe {
    use super::{Deserialize, Deserializer, Form, Serialize, Serializer};

    /// A number or nothing.
    pub fn serialize<S: Serializer>(x: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        x.map(Form::from).serialize(serializer)
    }

    /// A number or nothing.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Ok(match Option::<Form>::deserialize(deserializer)? {
            Some(Form::Number(x)) => Some(x),
            Some(Form::Text(text)) => Some(text.parse().map_err(serde::de::Error::custom)?),
            None => None,
        })
    }
}
