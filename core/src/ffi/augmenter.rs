//! Augmenters on the boundary.

use super::{RawError, RawResult, filled, guard, receive, records};
use crate::{Augmenter, Records, Result, Skipped};
use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RResult, RStr, RString},
};

#[cfg(not(feature = "growth"))]
#[sabi_trait]
pub trait AugmenterFfi: Send + Sync + 'static {
    fn options(&self) -> RResult<RString, RawError>;
    #[sabi(last_prefix_field)]
    fn augment(&self, records: records::RawStream, seed: u64) -> RResult<records::RawStream, RawError>;
}

/// The same with a method that this version does not have.
#[cfg(feature = "growth")]
#[sabi_trait]
pub trait AugmenterFfi: Send + Sync + 'static {
    fn options(&self) -> RResult<RString, RawError>;
    #[sabi(last_prefix_field)]
    fn augment(&self, records: records::RawStream, seed: u64) -> RResult<records::RawStream, RawError>;
    fn grown(&self) -> u32 {
        0
    }
}

pub type RawAugmenter = AugmenterFfi_TO<RBox<()>>;

struct Export<T>(T);

impl<T: Augmenter> AugmenterFfi for Export<T> {
    #[cfg(feature = "growth")]
    fn grown(&self) -> u32 {
        7
    }
    fn options(&self) -> RawResult<RString> {
        guard(|| filled(&self.0))
    }
    fn augment(&self, stream: records::RawStream, seed: u64) -> RawResult<records::RawStream> {
        guard(|| {
            Ok(records::export(
                self.0.augment(records::import(stream, None, Skipped::default()), seed)?,
                Skipped::default(),
            ))
        })
    }
}

pub(super) extern "C" fn build<T: Augmenter>(options: RStr<'_>) -> RawResult<RawAugmenter> {
    guard(|| {
        let options: T = super::from_json(&options)?;
        options.validate()?;
        Ok(AugmenterFfi_TO::from_value(Export(options), TD_Opaque))
    })
}

/// An augmenter, linked in or loaded.
pub struct AugmenterObject {
    pub(super) raw: RawAugmenter,
    pub(super) plugin: String,
}

impl AugmenterObject {
    /// What a plugin of a later version answers, and nothing else.
    #[cfg(feature = "growth")]
    pub fn grown(&self) -> u32 {
        self.raw.grown()
    }

    /// All options, defaults included, as JSON.
    pub fn options(&self) -> Result<serde_json::Value> {
        super::named(&self.plugin, || super::from_json(&receive(self.raw.options())?))
    }

    /// See [`Augmenter::augment`].
    pub fn augment(&self, records: Records, seed: u64) -> Result<Records> {
        super::named(&self.plugin, || {
            let stream = receive(self.raw.augment(records::export(records, Skipped::default()), seed))?;
            Ok(records::import(stream, Some(&self.plugin), Skipped::default()))
        })
    }
}
