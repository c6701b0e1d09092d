//! The two macros of a plugin.

/// Declares a struct of options: serde and schema derived, unknown keys refused, doc comments kept as documentation.
///
/// Give defaults with `#[serde(default)]` or `#[serde(default = "function")]`. What is an `Option` may be left out without
/// either, and stays out of the filled options.
#[macro_export]
macro_rules! options {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident { $($fields:tt)* }) => {
        #[derive(
            Debug, Clone, PartialEq,
            $crate::serde::Serialize, $crate::serde::Deserialize, $crate::schemars::JsonSchema,
        )]
        #[serde(crate = "framework_sdk::serde", deny_unknown_fields)]
        #[schemars(crate = "framework_sdk::schemars")]
        $(#[$meta])*
        $visibility struct $name { $($fields)* }
    };
    ($(#[$meta:meta])* $visibility:vis enum $name:ident { $($variants:tt)* }) => {
        #[derive(
            Debug, Clone, PartialEq,
            $crate::serde::Serialize, $crate::serde::Deserialize, $crate::schemars::JsonSchema,
        )]
        #[serde(crate = "framework_sdk::serde")]
        #[schemars(crate = "framework_sdk::schemars")]
        $(#[$meta])*
        $visibility enum $name { $($variants)* }
    };
}

/// Registers a plugin: its kind, its name in recipes, the type, and one example table.
///
/// `aliases` are names in other tools' files: a Hugging Face `model_type` and the class of transformers that goes with
/// it, a PEFT `peft_type`.
#[macro_export]
macro_rules! register {
    ($kind:ident $name:literal $(aliases [$($alias:literal),* $(,)?])? => $type:ty, example = $example:expr $(,)?) => {
        const _: () = {
            $crate::ffi::inventory::submit! {
                $crate::ffi::Registration::$kind::<$type>($crate::ffi::Tags {
                    name: $name,
                    aliases: &[$($($alias),*)?],
                    version: env!("CARGO_PKG_VERSION"),
                    example: $example,
                })
            }
        };
    };
}
