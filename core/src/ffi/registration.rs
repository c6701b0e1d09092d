//! Registrations: what a plugin crate submits, one constant per plugin.

use super::{RawResult, adapter, augmenter, dataset, decoder, from_json, model, optimizer, receive};
use crate::{About, Adapter, Augmenter, Dataset, Decoder, Kind, ModelArch, Optimizer, PluginError, Result};
use abi_stable::{
    StableAbi,
    prefix_type::WithMetadata,
    staticref,
    std_types::{RStr, RString},
};
use std::marker::PhantomData;

/// What builds a plugin from its options: the functions of its kind. Later versions append fields, and never move
/// `last_prefix_field`.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = Constructors_Ref)))]
pub struct Constructors {
    dataset: Option<extern "C" fn(RStr<'_>) -> RawResult<dataset::RawDataset>>,
    augmenter: Option<extern "C" fn(RStr<'_>) -> RawResult<augmenter::RawAugmenter>>,
    model: Option<extern "C" fn(RStr<'_>) -> RawResult<model::RawModel>>,
    adapter: Option<extern "C" fn(RStr<'_>) -> RawResult<adapter::RawAdapter>>,
    adapter_options: Option<extern "C" fn(RStr<'_>) -> RawResult<RString>>,
    optimizer: Option<extern "C" fn(RStr<'_>) -> RawResult<optimizer::RawOptimizer>>,
    #[sabi(last_prefix_field)]
    decoder: Option<extern "C" fn(RStr<'_>) -> RawResult<decoder::RawDecoder>>,
    #[cfg(feature = "growth")]
    grown: Option<extern "C" fn(RStr<'_>) -> RawResult<RString>>,
}

impl Constructors {
    const NONE: Self = Self {
        dataset: None,
        augmenter: None,
        model: None,
        adapter: None,
        adapter_options: None,
        optimizer: None,
        decoder: None,
        #[cfg(feature = "growth")]
        grown: None,
    };
}

/// How a plugin is built from its options.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy)]
pub struct Build(Constructors_Ref);

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

/// The constructors of a plugin type.
struct Of<T>(PhantomData<T>);

macro_rules! constructor {
    ($name:ident, $kind:ident, $trait:ident, $($function:ident: $build:expr),+) => {
        #[allow(non_upper_case_globals)]
        impl<T: $trait> Of<T> {
            staticref!(const $kind: WithMetadata<Constructors> = WithMetadata::new(Constructors {
                $($function: Some($build),)+
                ..Constructors::NONE
            }));
        }

        impl Registration {
            /// Registers a plugin of this kind.
            pub const fn $name<T: $trait>(tags: Tags) -> Self {
                let build = Build(Constructors_Ref(Of::<T>::$kind.as_prefix()));
                Self { kind: Kind::$kind, tags, schema: crate::schema_of::<T>, build }
            }
        }
    };
}

constructor!(dataset, Dataset, Dataset, dataset: dataset::build::<T>);
constructor!(augmenter, Augmenter, Augmenter, augmenter: augmenter::build::<T>);
constructor!(model, Model, ModelArch, model: model::build::<T>);
constructor!(adapter, Adapter, Adapter, adapter: adapter::build::<T>, adapter_options: adapter::from_peft::<T>);
constructor!(optimizer, Optimizer, Optimizer, optimizer: optimizer::build::<T>);
constructor!(decoder, Decoder, Decoder, decoder: decoder::build::<T>);

impl Registration {
    /// The plugin's description.
    pub fn about(&self) -> About {
        About {
            aliases: self.tags.aliases.iter().map(|&a| a.into()).collect(),
            version: self.tags.version.into(),
            example: self.tags.example.trim().to_owned(),
            ..About::new(self.kind, self.tags.name, (self.schema)())
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
            super::named(plugin, || {
                let build = self.0.$method().ok_or_else(|| wrong(Kind::$kind))?;
                Ok(<$object>::new(receive(build(options.to_string().as_str().into()))?, plugin))
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

    /// Whether it builds plugins of this kind.
    pub fn builds(&self, kind: Kind) -> bool {
        match kind {
            Kind::Dataset => self.0.dataset().is_some(),
            Kind::Augmenter => self.0.augmenter().is_some(),
            Kind::Model => self.0.model().is_some(),
            Kind::Adapter => self.0.adapter().is_some() && self.0.adapter_options().is_some(),
            Kind::Optimizer => self.0.optimizer().is_some(),
            Kind::Decoder => self.0.decoder().is_some(),
        }
    }

    /// Builds a plugin of this kind and returns all its options, defaults included.
    pub fn fill(&self, kind: Kind, plugin: &str, options: &serde_json::Value) -> Result<serde_json::Value> {
        match kind {
            Kind::Dataset => self.dataset(plugin, options)?.options(),
            Kind::Augmenter => self.augmenter(plugin, options)?.options(),
            Kind::Model => self.model(plugin, options)?.options(),
            Kind::Adapter => self.adapter(plugin, options)?.options(),
            Kind::Optimizer => self.optimizer(plugin, options)?.options(),
            Kind::Decoder => self.decoder(plugin, options)?.options(),
        }
    }

    /// Options of an adapter from PEFT's `adapter_config.json`; null if it is another adapter's.
    pub fn adapter_options(&self, plugin: &str, peft: &serde_json::Value) -> Result<serde_json::Value> {
        super::named(plugin, || {
            let from_peft = self.0.adapter_options().ok_or_else(|| wrong(Kind::Adapter))?;
            from_json(&receive(from_peft(peft.to_string().as_str().into()))?)
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
