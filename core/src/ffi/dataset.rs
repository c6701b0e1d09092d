//! Datasets on the boundary.

use super::{RawError, RawResult, filled, guard, receive, records};
use crate::{Dataset, Records, Result, Skipped};
use abi_stable::{
    sabi_trait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RResult, RStr, RString},
};

#[sabi_trait]
pub trait DatasetFfi: Send + Sync + 'static {
    fn options(&self) -> RResult<RString, RawError>;
    #[sabi(last_prefix_field)]
    fn open(&self) -> RResult<records::RawStream, RawError>;
}

pub type RawDataset = DatasetFfi_TO<RBox<()>>;

struct Export<T>(T);

impl<T: Dataset> DatasetFfi for Export<T> {
    fn options(&self) -> RawResult<RString> {
        guard(|| filled(&self.0))
    }
    fn open(&self) -> RawResult<records::RawStream> {
        guard(|| {
            let skipped = Skipped::default();
            Ok(records::export(self.0.open(&skipped)?, skipped))
        })
    }
}

pub(super) extern "C" fn build<T: Dataset>(options: RStr<'_>) -> RawResult<RawDataset> {
    guard(|| {
        let options: T = super::from_json(&options)?;
        options.validate()?;
        Ok(DatasetFfi_TO::from_value(Export(options), TD_Opaque))
    })
}

/// A dataset, linked in or loaded.
pub struct DatasetObject {
    pub(super) raw: RawDataset,
    pub(super) plugin: String,
}

impl DatasetObject {
    /// All options, defaults included, as JSON.
    pub fn options(&self) -> Result<serde_json::Value> {
        super::named(&self.plugin, || super::from_json(&receive(self.raw.options())?))
    }

    /// See [`Dataset::open`]. `skipped` hears of a row when the record that follows it is asked for.
    pub fn open(&self, skipped: &Skipped) -> Result<Records> {
        super::named(&self.plugin, || {
            Ok(records::import(receive(self.raw.open())?, Some(&self.plugin), skipped.clone()))
        })
    }
}
