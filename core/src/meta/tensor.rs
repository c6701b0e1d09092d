//! Tensors that have a shape and no numbers, and what is counted of them.

use super::{infer, keep::Buffer};
use crate::{DType, Op, Result, ffi::HostTensor};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A tensor's shape and type.
#[derive(Clone)]
pub struct MetaTensor {
    pub(super) shape: Vec<usize>,
    pub(super) dtype: DType,
    /// Each element is one of this many values, assumed to be equally likely; a mask is true once in this many.
    pub(super) choices: Option<usize>,
    /// Whether a trained parameter took part in it.
    pub(super) tracked: bool,
    pub(super) buffer: Buffer,
    pub(super) counting: Arc<Mutex<Counting>>,
}

/// What is counted while a model runs.
#[derive(Default)]
pub(super) struct Counting {
    pub flops: u64,
    pub used: BTreeSet<String>,
    /// Sizes of what is kept, by the numbers of buffers.
    pub kept: BTreeMap<u64, u64>,
    buffers: u64,
    pub largest: u64,
}

impl Counting {
    pub fn buffer(&mut self, shape: &[usize], dtype: DType) -> Buffer {
        self.buffers += 1;
        Buffer::new(self.buffers, shape, dtype)
    }
}

pub(super) fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MetaTensor {
    pub(super) fn like(&self, shape: Vec<usize>, dtype: DType, flops: u64) -> Self {
        let mut counting = lock(&self.counting);
        counting.flops = counting.flops.saturating_add(flops);
        let buffer = counting.buffer(&shape, dtype);
        let (choices, tracked, counting) = (None, self.tracked, self.counting.clone());
        Self { shape, dtype, choices, tracked, buffer, counting }
    }
}

impl HostTensor for MetaTensor {
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }
    fn dtype(&self) -> DType {
        self.dtype
    }
    fn execute(op: Op, operands: Vec<Self>) -> Result<Self> {
        infer::infer(&op, &operands)
    }
}

/// The shape and the element type of what an operator gives for operands of these.
///
/// # Errors
/// They do not fit the operator.
pub fn inferred(op: &Op, operands: &[(Vec<usize>, DType)]) -> Result<(Vec<usize>, DType)> {
    let counting: Arc<Mutex<Counting>> = Arc::default();
    let tensor = |(shape, dtype): &(Vec<usize>, DType)| {
        let (shape, dtype, buffer, counting) = (shape.clone(), *dtype, Buffer::of_param(), counting.clone());
        MetaTensor { shape, dtype, choices: None, tracked: false, buffer, counting }
    };
    let out = infer::infer(op, &operands.iter().map(tensor).collect::<Vec<_>>())?;
    Ok((out.shape, out.dtype))
}
