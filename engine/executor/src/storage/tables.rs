//! Small tables that every weight of a format is decoded with: sent to a device once.

use crate::transfer;
use burn::{
    backend::{
        Backend,
        tensor::{Device, FloatTensor, IntTensor},
    },
    tensor::{DType, Tensor as Burn, TensorData},
};
use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt::Debug,
    sync::{LazyLock, Mutex, PoisonError},
};

/// Which table: of which kind of tensor, on which device, of which numbers.
type Key = (TypeId, String, DType, Vec<u32>);

static SENT: LazyLock<Mutex<HashMap<Key, Box<dyn Any + Send>>>> = LazyLock::new(Mutex::default);

fn once<T: Any + Clone + Send>(device: &dyn Debug, dtype: DType, bits: Vec<u32>, send: impl FnOnce() -> T) -> T {
    let mut all = SENT.lock().unwrap_or_else(PoisonError::into_inner);
    let table = all.entry((TypeId::of::<T>(), format!("{device:?}"), dtype, bits)).or_insert_with(|| {
        transfer::sent();
        Box::new(send())
    });
    table.downcast_ref::<T>().expect("the key says which type it is").clone()
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

/// Numbers `[n]`.
pub(super) fn floats<B: Backend>(numbers: &[f32], device: &Device<B>) -> FloatTensor<B> {
    let data = || TensorData::new(numbers.to_vec(), [numbers.len()]);
    once(device, DType::F32, bits(numbers), || B::float_from_data(data(), device))
}

/// Integers `[1, n]`.
pub(super) fn ints<B: Backend>(numbers: &[i32], dtype: DType, device: &Device<B>) -> IntTensor<B> {
    let data = || TensorData::new(numbers.to_vec(), [1, numbers.len()]).convert_dtype(dtype);
    let bits = numbers.iter().map(|&x| x as u32).collect();
    once(device, dtype, bits, || B::int_from_data(data(), device))
}

/// Numbers `[n]`, whatever the backend.
pub(super) fn of_device(numbers: &[f32], device: &burn::tensor::Device) -> Burn<1> {
    let data = || TensorData::new(numbers.to_vec(), [numbers.len()]);
    once(device, DType::F32, bits(numbers), || Burn::from_data(data(), device))
}
