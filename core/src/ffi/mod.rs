//! The boundary: how the contract crosses between a host and plugins built by other compilers' runs.
//!
//! Plugin authors never see this. The SDK exports plugins through it, the registry and the engine import them. Tensor
//! operations are typed, everything that happens once a run crosses as JSON. Every call into a plugin goes through
//! [`guard`], linked in or loaded, so that both behave alike.
#![cfg_attr(feature = "growth", allow(dead_code))]
#![allow(unsafe_code, missing_docs, non_camel_case_types, non_local_definitions)] // what abi_stable's macros expand to

mod adapter;
mod augmenter;
mod context;
mod dataset;
mod decoder;
mod guard;
mod log;
mod model;
mod optimizer;
mod records;
mod registration;
mod root;
mod tensor;

pub use abi_stable;
pub use adapter::{AdaptedObject, AdapterObject, adapter_object};
pub use augmenter::AugmenterObject;
pub use context::{Host, RawContext, context};
pub use dataset::DatasetObject;
pub use decoder::{DecodeObject, DecoderObject};
pub use guard::{guard, install_panic_hook};
pub use inventory;
pub use log::LogSink;
pub use model::{ModelObject, model_object};
pub use optimizer::{OptimizerObject, OptimizingObject};
pub use registration::{Build, Registration, Tags};
pub use root::{
    ABI_VERSION, Declaration, Listed, PluginHeader, PluginRoot, PluginRoot_Ref, declarations, linked, root,
};
pub use tensor::{HostTensor, RawTensor, unwrap, wrap};

pub(crate) use context::request;
use log::forward_logs;
use registration::registered;
pub(crate) use tensor::{dtype, execute, shape};

use crate::{ErrorKind, PluginError};
use abi_stable::{
    StableAbi,
    std_types::{RResult, RString},
};

/// [`PluginError`] on its way across, as JSON.
#[repr(transparent)]
#[derive(StableAbi, Debug, Clone)]
pub struct RawError(RString);

/// A result on its way across.
pub type RawResult<T> = RResult<T, RawError>;

impl From<PluginError> for RawError {
    fn from(e: PluginError) -> Self {
        Self(to_json(&e).unwrap_or_else(|_| RString::from(r#"{"message":"an error that cannot be told"}"#)))
    }
}

impl From<RawError> for PluginError {
    fn from(e: RawError) -> Self {
        from_json(&e.0).unwrap_or_else(|_| PluginError::new(String::from_utf8_lossy(e.0.as_bytes()).into_owned()))
    }
}

fn receive<T>(result: RawResult<T>) -> crate::Result<T> {
    result.into_result().map_err(PluginError::from)
}

fn send<T>(result: crate::Result<T>) -> RawResult<T> {
    result.map_err(RawError::from).into()
}

fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> crate::Result<RString> {
    Ok(serde_json::to_string(value)?.into())
}

/// A plugin's options. Those that are null because they were not given are left out, as they were: only null that
/// stands for something other than the default has to be kept.
fn filled<T: crate::Options>(options: &T) -> crate::Result<RString> {
    // By way of text, which keeps the digits of `f32`.
    let mut options: serde_json::Value = serde_json::from_str(&serde_json::to_string(options)?)?;
    if let Some(options) = options.as_object_mut()
        && options.values().any(serde_json::Value::is_null)
    {
        let schema = crate::schema_of::<T>();
        options.retain(|key, value| !value.is_null() || schema["properties"][key].get("default").is_some());
    }
    to_json(&options)
}

fn from_json<T: serde::de::DeserializeOwned>(json: &str) -> crate::Result<T> {
    Ok(serde_json::from_str(checked(json)?)?)
}

/// What is said to be text, if it is: another side's `unsafe` code may have made it.
fn checked(text: &str) -> crate::Result<&str> {
    std::str::from_utf8(text.as_bytes()).map_err(|e| {
        PluginError::new(format!("what it gives is not UTF-8, at byte {}", e.valid_up_to()))
            .kind(ErrorKind::Broken)
            .help("do not make strings with `from_utf8_unchecked`")
    })
}

/// What a plugin declares; if that cannot be read, it has something that this version does not know.
fn declared<T: serde::de::DeserializeOwned>(json: &str) -> crate::Result<T> {
    serde_json::from_str(checked(json)?).map_err(|e| {
        let message = format!("its declaration cannot be read ({e}): it was built with a newer framework-sdk");
        PluginError::new(message).help("update this program, or use an older version of the plugin")
    })
}

/// Runs a call into a plugin; an error is said to have happened there.
fn named<T>(plugin: &str, f: impl FnOnce() -> crate::Result<T>) -> crate::Result<T> {
    f().map_err(|e| e.in_plugin(plugin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    struct Options {
        given: Option<f32>,
        left_out: Option<f32>,
        #[serde(default = "eight")]
        turned_off: Option<usize>,
    }

    fn eight() -> Option<usize> {
        Some(8)
    }

    #[test]
    fn options_that_were_not_given_are_not_null() {
        let options = Options { given: Some(0.1), left_out: None, turned_off: None };
        assert_eq!(filled(&options).unwrap(), r#"{"given":0.1,"turned_off":null}"#);
    }
}
