//! The way between host and device, for everything but weights. It is counted: on a GPU a read waits for all that was
//! asked for before.

use burn::tensor::{Device, Int, Tensor as Burn, TensorData};
use framework_core::{PluginError, Result};
use std::cell::Cell;

/// How often this thread has sent data to a device, and read some back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Transfers {
    /// Tensors that were sent.
    pub sent: u64,
    /// Tensors that were read, and operators whose result is as long as the data say.
    pub read: u64,
}

thread_local! {
    static COUNTED: Cell<Transfers> = const { Cell::new(Transfers { sent: 0, read: 0 }) };
}

impl Transfers {
    /// Since the thread began.
    pub fn of_this_thread() -> Self {
        COUNTED.get()
    }
}

pub(super) fn sent() {
    COUNTED.set(Transfers { sent: COUNTED.get().sent + 1, ..COUNTED.get() });
}

/// Notes that the device is waited for.
pub(super) fn waited() {
    COUNTED.set(Transfers { read: COUNTED.get().read + 1, ..COUNTED.get() });
}

pub(super) fn floats<const D: usize>(data: Vec<f32>, dims: [usize; D], device: &Device) -> Burn<D> {
    sent();
    Burn::from_data(TensorData::new(data, dims), device)
}

pub(super) fn ints<const D: usize>(data: Vec<i32>, dims: [usize; D], device: &Device) -> Burn<D, Int> {
    sent();
    Burn::from_data(TensorData::new(data, dims), device)
}

/// The same for integers.
pub(super) fn read_ints(data: impl FnOnce() -> TensorData) -> Result<Vec<i32>> {
    waited();
    let numbers = data().convert::<i32>().try_into_vec::<i32>();
    numbers.map_err(|e| PluginError::new(format!("cannot read a tensor: {e:?}")))
}

/// The elements of what a tensor is read into.
pub(super) fn read(data: impl FnOnce() -> TensorData) -> Result<Vec<f32>> {
    waited();
    let numbers = data().convert::<f32>().try_into_vec::<f32>();
    numbers.map_err(|e| PluginError::new(format!("cannot read a tensor: {e:?}")))
}
