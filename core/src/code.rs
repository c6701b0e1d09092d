//! Codes that cross the boundary as numbers and may become more: element types and activations.
//!
//! A host that does not know a code says so when it is used, instead of refusing the library that has it.

use abi_stable::StableAbi;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::fmt;

macro_rules! open_code {
    ($(#[$meta:meta])* $type:ident, $what:literal { $($(#[$doc:meta])* $name:ident = $code:literal $text:literal,)* }) => {
        $(#[$meta])*
        #[repr(transparent)]
        #[derive(StableAbi, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $type(u16);

        #[allow(non_upper_case_globals)]
        impl $type {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// Its name; none if it is a code that this version does not know.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    _ => None,
                }
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{} number {}", $what, self.0),
                }
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.name() {
                    Some(name) => serializer.serialize_str(name),
                    None => serializer.serialize_u16(self.0),
                }
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match serde_json::Value::deserialize(deserializer)? {
                    serde_json::Value::Number(code) => {
                        let code = code.as_u64().and_then(|code| u16::try_from(code).ok());
                        code.map(Self).ok_or_else(|| D::Error::custom(concat!("no ", $what)))
                    }
                    name => {
                        $(if name == $text { return Ok(Self::$name); })*
                        Err(D::Error::custom(format!("{name} is no {}", $what)))
                    }
                }
            }
        }
    };
}

open_code! {
    /// An element type.
    DType, "element type" {
        /// 32-bit floating point.
        F32 = 0 "f32",
        /// 16-bit floating point, IEEE 754.
        F16 = 1 "f16",
        /// 16-bit floating point with f32's range.
        BF16 = 2 "bf16",
        /// Signed integers: token ids, positions, indices.
        Int = 3 "int",
        /// Truth values.
        Bool = 4 "bool",
    }
}

open_code! {
    /// A point-wise non-linearity.
    Activation, "activation" {
        /// The positive part.
        Relu = 0 "relu",
        /// Gaussian error linear unit, exact, by the error function.
        Gelu = 1 "gelu",
        /// The same by the hyperbolic tangent, as GPT-2 has it.
        GeluTanh = 2 "gelu_tanh",
        /// `x · sigmoid(x)`.
        Silu = 3 "silu",
        /// `log(1 + e^x)`.
        Softplus = 4 "softplus",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_names_and_unknown_ones_are_kept() {
        assert_eq!(serde_json::to_string(&DType::BF16).unwrap(), "\"bf16\"");
        assert_eq!(serde_json::from_str::<Activation>("\"silu\"").unwrap(), Activation::Silu);
        let newer: DType = serde_json::from_str("77").unwrap();
        assert_eq!((newer.name(), format!("{newer:?}")), (None, "element type number 77".into()));
        assert_eq!(serde_json::to_string(&newer).unwrap(), "77");
        assert!(serde_json::from_str::<DType>("\"f8\"").is_err());
    }
}
