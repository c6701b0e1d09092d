//! Registrations: what a plugin crate submits, one constant per plugin.

use super::{RawResult, adapter, augmenter, dataset, decoder, from_json, model, optimizer, receive};
use crate::{About, Adapter, Augmenter, Dataset, Decoder, Kind, ModelArch, Optimizer, PluginError, Result};
use abi_stable::{
    StableAbi,
    std_types::{RStr, RString},
};

/// How a plugin is built from its options.
#[repr(u8)]
#[derive(StableAbi, Clone, Copy)]
pub enum Build {
    Dataset(extern "C" fn(RStr<'_>) -> RawResult<dataset::RawDataset>),
    Augmenter(extern "C" fn(RStr<'_>) -> RawResult<augmenter::RawAugmenter>),
    Model(extern "C" fn(RStr<'_>) -> RawResult<model::RawModel>),
    Adapter(extern "C" fn(RStr<'_>) -> RawResult<adapter::RawAdapter>, extern "C" fn(RStr<'_>) -> RawResult<RString>),
    Optimizer(extern "C" fn(RStr<'_>) -> RawResult<optimizer::RawOptimizer>),
    Decoder(extern "C" fn(RStr<'_>) -> RawResult<decoder::RawDecoder>),
}

/// Names and texts of a registration; `register!` fills them in.
pub struct Tags {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub version: &'static str,
    pub example: &'static str,
}

/// A plugin as its crate registers it.
pub struct Registration {
    kind: Kind,
    tags: Tags,
    schema: fn() -> serde_json::Value,
    pub(super) build: Build,
}

inventory::collect!(Registration);

macro_rules! constructor {
    ($name:ident, $kind:ident, $trait:ident, $($build:expr),+) => {
        /// Registers a plugin of this kind.
        pub const fn $name<T: $trait>(tags: Tags) -> Self {
            Self { kind: Kind::$kind, tags, schema: crate::schema_of::<T>, build: Build::$kind($($build),+) }
        }
    };
}

impl Registration {
    constructor!(dataset, Dataset, Dataset, dataset::build::<T>);
    constructor!(augmenter, Augmenter, Augmenter, augmenter::build::<T>);
    constructor!(model, Model, ModelArch, model::build::<T>);
    constructor!(adapter, Adapter, Adapter, adapter::build::<T>, adapter::from_peft::<T>);
    constructor!(optimizer, Optimizer, Optimizer, optimizer::build::<T>);
    constructor!(decoder, Decoder, Decoder, decoder::build::<T>);

    /// The plugin's description.
    pub fn about(&self) -> About {
        let schema = (self.schema)();
        let docs = schema["description"].as_str().unwrap_or_default();
        let summary = docs.split("\n\n").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        About {
            kind: self.kind,
            name: self.tags.name.into(),
            aliases: self.tags.aliases.iter().map(|&a| a.into()).collect(),
            version: self.tags.version.into(),
            summary,
            schema,
            example: self.tags.example.trim().to_owned(),
        }
    }
}

/// The plugins linked into this executable or library.
pub fn registered() -> impl Iterator<Item = &'static Registration> {
    inventory::iter::<Registration>.into_iter()
}

fn wrong(wanted: Kind) -> PluginError {
    PluginError::new(format!("is not a plugin of kind {wanted}"))
}

macro_rules! builder {
    ($method:ident, $kind:ident, $object:ty) => {
        /// Builds the plugin; `plugin` is its name and origin in messages, `options` a JSON object.
        pub fn $method(&self, plugin: &str, options: &serde_json::Value) -> Result<$object> {
            super::named(plugin, || match self {
                Build::$kind(build, ..) => {
                    let raw = receive(build(options.to_string().as_str().into()))?;
                    Ok(<$object>::new(raw, plugin))
                }
                _ => Err(wrong(Kind::$kind)),
            })
        }
    };
}

impl Build {
    builder!(dataset, Dataset, super::DatasetObject);
    builder!(augmenter, Augmenter, super::AugmenterObject);
    builder!(model, Model, super::ModelObject);
    builder!(adapter, Adapter, super::AdapterObject);
    builder!(optimizer, Optimizer, super::OptimizerObject);
    builder!(decoder, Decoder, super::DecoderObject);

    /// The kind of plugin that it builds.
    pub fn kind(&self) -> Kind {
        match self {
            Build::Dataset(_) => Kind::Dataset,
            Build::Augmenter(_) => Kind::Augmenter,
            Build::Model(_) => Kind::Model,
            Build::Adapter(..) => Kind::Adapter,
            Build::Optimizer(_) => Kind::Optimizer,
            Build::Decoder(_) => Kind::Decoder,
        }
    }

    /// Builds the plugin, whatever its kind, and returns all its options, defaults included.
    pub fn fill(&self, plugin: &str, options: &serde_json::Value) -> Result<serde_json::Value> {
        match self {
            Build::Dataset(_) => self.dataset(plugin, options)?.options(),
            Build::Augmenter(_) => self.augmenter(plugin, options)?.options(),
            Build::Model(_) => self.model(plugin, options)?.options(),
            Build::Adapter(..) => self.adapter(plugin, options)?.options(),
            Build::Optimizer(_) => self.optimizer(plugin, options)?.options(),
            Build::Decoder(_) => self.decoder(plugin, options)?.options(),
        }
    }

    /// Options of an adapter from PEFT's `adapter_config.json`; null if it is another adapter's.
    pub fn adapter_options(&self, plugin: &str, peft: &serde_json::Value) -> Result<serde_json::Value> {
        super::named(plugin, || match self {
            Build::Adapter(_, from_peft) => from_json(&receive(from_peft(peft.to_string().as_str().into()))?),
            _ => Err(wrong(Kind::Adapter)),
        })
    }
}

macro_rules! object {
    ($($object:ident = $raw:ty),+) => {$(
        impl super::$object {
            fn new(raw: $raw, plugin: &str) -> Self {
                Self { raw, plugin: plugin.to_owned() }
            }
        }
    )+};
}
object!(
    DatasetObject = dataset::RawDataset,
    AugmenterObject = augmenter::RawAugmenter,
    ModelObject = model::RawModel,
    AdapterObject = adapter::RawAdapter,
    OptimizerObject = optimizer::RawOptimizer,
    DecoderObject = decoder::RawDecoder
);
