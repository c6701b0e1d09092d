//! Tensors as plain rows of numbers.

use super::{Dual, ops};
use crate::{DType, Op, Result, ffi::HostTensor};
use std::sync::Arc;

/// A tensor, row-major. Integers and truth values are numbers, too.
#[derive(Debug, Clone)]
pub struct Array {
    /// The size of each dimension.
    pub shape: Vec<usize>,
    /// The numbers.
    pub data: Arc<Vec<Dual>>,
    /// What the numbers stand for.
    pub dtype: DType,
}

impl Array {
    /// A tensor of these numbers.
    pub fn new(shape: &[usize], data: Vec<Dual>, dtype: DType) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), data.len(), "{shape:?}");
        Self { shape: shape.to_vec(), data: Arc::new(data), dtype }
    }

    /// A tensor of floating-point numbers that do not move.
    pub fn floats(shape: &[usize], data: impl IntoIterator<Item = f64>) -> Self {
        Self::new(shape, data.into_iter().map(Dual::from).collect(), DType::F32)
    }

    /// A tensor of integers.
    pub fn ints(shape: &[usize], data: impl IntoIterator<Item = usize>) -> Self {
        Self::new(shape, data.into_iter().map(|n| Dual::from(n as f64)).collect(), DType::Int)
    }

    /// The numbers without their derivatives.
    pub fn values(&self) -> Vec<f64> {
        self.data.iter().map(|number| number.value).collect()
    }

    /// The numbers as indices.
    pub(super) fn indices(&self) -> Vec<usize> {
        self.data.iter().map(|number| number.value as usize).collect()
    }

    /// The last dimension's rows.
    pub(super) fn rows(&self) -> std::slice::ChunksExact<'_, Dual> {
        self.data.chunks_exact(self.shape.last().copied().unwrap_or(1).max(1))
    }

    /// The numbers repeated to a shape to which this one broadcasts.
    pub(super) fn expanded(&self, shape: &[usize]) -> Vec<Dual> {
        if self.shape == shape {
            return self.data.to_vec();
        }
        let missing = shape.len() - self.shape.len();
        let mut strides = vec![0; shape.len()];
        let mut stride = 1;
        for (dim, &size) in self.shape.iter().enumerate().rev() {
            strides[missing + dim] = if size == 1 { 0 } else { stride };
            stride *= size;
        }
        positions(shape)
            .map(|at| self.data[at.iter().zip(&strides).map(|(i, stride)| i * stride).sum::<usize>()])
            .collect()
    }
}

/// All indices of a shape, the last dimension's fastest.
pub(super) fn positions(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    let count: usize = shape.iter().product();
    (0..count).map(move |flat| {
        let mut rest = flat;
        let mut at = vec![0; shape.len()];
        for (index, size) in at.iter_mut().zip(shape).rev() {
            (*index, rest) = (rest % size, rest / size);
        }
        at
    })
}

impl HostTensor for Array {
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }
    fn dtype(&self) -> DType {
        self.dtype
    }
    fn execute(op: Op, operands: Vec<Self>) -> Result<Self> {
        ops::execute(&op, &operands)
    }
}
