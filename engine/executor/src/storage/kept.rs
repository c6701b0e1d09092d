//! Tensors that change, kept in fewer bits between two uses: the states of optimizers.

use super::{Coding, Matrix, Storage, Stored, dynamic8};
use crate::{Device, backend::on_processor, value::Value};
use burn::tensor::Tensor as Burn;
use framework_core::{PluginError, Result, ffi::HostTensor};
use std::sync::Arc;

/// What a coded tensor is made of, as checkpoints hold it: decoding and encoding again may give other codes.
#[derive(Debug, Clone, PartialEq)]
pub struct Raw {
    /// Codes, several in a word, the first in the lowest bits.
    pub words: Vec<i32>,
    /// Scales of blocks of numbers.
    pub scales: Vec<f32>,
}

impl Value {
    /// The same numbers as `storage` keeps them, encoded where they lie.
    ///
    /// # Errors
    /// A tensor that is not of floats, and a number that the storage cannot hold.
    pub fn kept(self, storage: Storage) -> Result<Self> {
        let (shape, device) = (self.shape(), Device { burn: self.device(), backend: None, half: None });
        let (storage, numbers) = match storage {
            Storage::F32 => return Ok(Self::float(self.into_float()?, shape.len())),
            _ => (storage, self.into_float()?),
        };
        let Storage::Dynamic8 { signed } = storage else {
            return Err(PluginError::new(format!("{storage:?} is for weights that do not change")));
        };
        if on_processor(&device.burn) {
            let numbers = numbers.into_data().try_into_vec::<f32>();
            let numbers = numbers.map_err(|e| PluginError::new(format!("cannot read a tensor: {e:?}")))?;
            return Self::stored(numbers, &shape, storage, &device);
        }
        let format = if signed { &dynamic8::SIGNED } else { &dynamic8::UNSIGNED };
        let (dims, matrix) = (numbers.dims(), Matrix::of(&shape));
        let flat: Burn<1> = numbers.reshape([matrix.len()]);
        let (words, scales) = format.encode_there(flat);
        let coding = Coding { storage, shape: matrix, half: None };
        Ok(Self::constant(Arc::new(Stored { words, scales, coding, shape, dims })))
    }

    /// What it is made of, if it is coded.
    pub fn raw(&self) -> Result<Option<Raw>> {
        let Some(stored) = self.as_stored() else { return Ok(None) };
        let unread = |e| PluginError::new(format!("cannot read a tensor: {e:?}"));
        let words = stored.words.clone().into_data().convert::<i32>().try_into_vec().map_err(unread)?;
        let scales = stored.scales.clone().into_data().try_into_vec().map_err(unread)?;
        Ok(Some(Raw { words, scales }))
    }

    /// A coded tensor from what it is made of.
    ///
    /// # Errors
    /// Not as many bytes as the storage takes for this shape.
    pub fn from_raw(raw: Raw, shape: &[usize], storage: Storage, device: &Device) -> Result<Self> {
        let (found, expected) = (4 * (raw.words.len() + raw.scales.len()) as u64, storage.bytes(shape));
        if found != expected {
            return Err(PluginError::new(format!("{found} bytes of {shape:?} as {storage:?}, which takes {expected}")));
        }
        let coding = Coding { storage, shape: Matrix::of(shape), half: None };
        Self::coded(super::Coded { words: raw.words, scales: raw.scales }, shape, coding, device)
    }
}
