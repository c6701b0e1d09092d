//! Copies of what does not lie in one piece, on all cores.

use super::{ELEMENTS, rows_of_a_task};
use burn::{
    backend::{Flex, ops::FloatTensorOps, tensor::FloatTensor},
    tensor::{DType, Shape, TensorData},
};
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// Side of the squares in which a matrix is turned.
const SIDE: usize = 16;

/// The same elements in a buffer that holds nothing else, which is changed in place if nobody else has it.
pub(in super::super) fn contiguous(x: FloatTensor<Flex>) -> FloatTensor<Flex> {
    let dims = merged(x.layout().shape(), x.layout().strides());
    let count = x.layout().num_elements();
    let whole = x.is_contiguous() && x.bytes().len() == count * size_of::<f32>();
    if whole || x.dtype() != DType::F32 || count < ELEMENTS || !known(&dims) {
        // What is whole is held twice until `x` is gone.
        let whole = x.to_contiguous();
        drop(x);
        return whole;
    }
    let numbers = copied(&x.storage::<f32>()[x.layout().start_offset()..], &dims, count);
    let shape: Shape = x.layout().shape().clone();
    Flex::float_from_data(TensorData::new(numbers, shape), &Default::default())
}

/// A size, and how far its elements are apart.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Dim {
    size: usize,
    stride: isize,
}

/// Without sizes of 1, and with what lies in one piece as one.
fn merged(shape: &Shape, strides: &[isize]) -> Vec<Dim> {
    let mut dims: Vec<Dim> = Vec::new();
    for (&size, &stride) in shape.iter().zip(strides).filter(|(size, _)| **size != 1) {
        match dims.last_mut() {
            Some(last) if last.stride == stride * size as isize => *last = Dim { size: last.size * size, stride },
            _ => dims.push(Dim { size, stride }),
        }
    }
    dims
}

/// Whether [`copied`] knows such: rows that lie in one piece, or the columns of turned matrices.
fn known(dims: &[Dim]) -> bool {
    dims.iter().all(|dim| dim.stride >= 0)
        && match dims {
            [.., Dim { stride: 1, .. }] => true,
            [.., Dim { stride: 1, .. }, Dim { stride, .. }] => *stride > 0,
            _ => false,
        }
}

fn copied(from: &[f32], dims: &[Dim], count: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(count);
    let spare = &mut out.spare_capacity_mut()[..count];
    match dims {
        [Dim { stride: 1, .. }] => {
            let parts = spare.par_chunks_mut(ELEMENTS).zip(from[..count].par_chunks(ELEMENTS));
            parts.for_each(|(out, from)| {
                out.write_copy_of_slice(from);
            });
        }
        [outer @ .., Dim { size, stride: 1 }] => {
            let task = rows_of_a_task(*size);
            spare.par_chunks_mut(size * task).enumerate().for_each(|(i, rows)| {
                let starts = Starts::of(outer, i * task);
                for (row, start) in rows.chunks_exact_mut(*size).zip(starts) {
                    row.write_copy_of_slice(&from[start..start + size]);
                }
            });
        }
        [outer @ .., rows, columns] => {
            // Some rows of a matrix at a time; a task does not go beyond one.
            let matrices = spare.par_chunks_mut(rows.size * columns.size).enumerate();
            matrices.for_each(|(i, matrix)| {
                let start = Starts::of(outer, i).next().unwrap_or(0);
                let blocks = matrix.par_chunks_mut(SIDE * columns.size).enumerate();
                let least = (ELEMENTS / (SIDE * columns.size).max(1)).clamp(1, blocks.len());
                blocks.with_min_len(least).for_each(|(block, out)| {
                    turned(&from[start + block * SIDE..], columns.stride as usize, out, columns.size);
                });
            });
        }
        _ => unreachable!("`known` lets none but these pass"),
    }
    // SAFETY: each branch writes all of them.
    #[expect(unsafe_code, reason = "to clear them first would take as long as to write them")]
    unsafe {
        out.set_len(count);
    }
    out
}

/// Where each row starts, for rows by all but the last size.
struct Starts<'a> {
    dims: &'a [Dim],
    /// The next row's place in each size.
    at: Vec<usize>,
    start: usize,
}

impl<'a> Starts<'a> {
    /// From this row on.
    fn of(dims: &'a [Dim], mut row: usize) -> Self {
        let mut at = vec![0; dims.len()];
        for (at, dim) in at.iter_mut().zip(dims).rev() {
            (*at, row) = (row % dim.size, row / dim.size);
        }
        let start = at.iter().zip(dims).map(|(at, dim)| at * dim.stride as usize).sum();
        Self { dims, at, start }
    }
}

impl Iterator for Starts<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let start = self.start;
        for (at, dim) in self.at.iter_mut().zip(self.dims).rev() {
            (*at, self.start) = (*at + 1, self.start + dim.stride as usize);
            if *at < dim.size {
                break;
            }
            (*at, self.start) = (0, self.start - dim.size * dim.stride as usize);
        }
        Some(start)
    }
}

/// Rows of so many numbers each, of a matrix whose columns lie in one piece, `stride` apart.
fn turned(from: &[f32], stride: usize, out: &mut [MaybeUninit<f32>], columns: usize) {
    let rows = out.len() / columns;
    for first in (0..columns).step_by(SIDE) {
        let mut square = [[0.0; SIDE]; SIDE];
        let wide = SIDE.min(columns - first);
        for (j, line) in square[..wide].iter_mut().enumerate() {
            line[..rows].copy_from_slice(&from[(first + j) * stride..][..rows]);
        }
        for (i, row) in out.chunks_exact_mut(columns).enumerate() {
            for (out, line) in row[first..first + wide].iter_mut().zip(&square) {
                out.write(line[i]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, test::random};
    use burn::tensor::Tensor as Burn;

    fn numbers<const D: usize>(x: Burn<D>) -> Vec<f32> {
        x.into_data().try_into_vec().unwrap()
    }

    /// Of tensors that lie in every way that views come to, against burn's own copies.
    #[test]
    fn copies_are_those_of_the_library() {
        let of = |shape: [usize; 4]| {
            let data = TensorData::new(random(shape.iter().product(), 1), shape);
            Burn::<4>::from_data(data, &Device::cpu().burn)
        };
        let x = || of([3, 37, 4, 50]);
        let views = [
            x(),
            x().swap_dims(1, 2),
            x().swap_dims(2, 3),
            x().swap_dims(1, 3),
            x().swap_dims(0, 3),
            x().permute([3, 1, 2, 0]),
            x().permute([2, 3, 0, 1]),
            x().slice_dim(3, 7..40),
            x().slice_dim(0, 1..3),
            x().slice_dim(1, 3..30).swap_dims(2, 3),
            of([1, 1, 311, 70]).swap_dims(2, 3),
            of([1, 1, 311, 70]).slice_dim(2, 5..300).swap_dims(2, 3),
            of([3, 1, 50, 40]).expand([3, 4, 50, 40]),
            of([3, 50, 40, 1]).expand([3, 50, 40, 4]),
            x().flip([1]),
            of([1, 1, 1, 3]).swap_dims(0, 3),
        ];
        let mut kernels = 0;
        for (i, view) in views.into_iter().enumerate() {
            let expected = numbers(view.clone());
            let flex = match view.into_dispatch().kind {
                burn::backend::DispatchTensorKind::Flex(burn::backend::BackendTensor::Float(x)) => x,
                _ => panic!("the processor's"),
            };
            kernels += usize::from(known(&merged(flex.layout().shape(), flex.layout().strides())));
            let copy = contiguous(flex);
            assert_eq!(copy.as_slice::<f32>().unwrap(), expected, "view {i}");
            assert_eq!(copy.bytes().len(), 4 * expected.len(), "view {i}");
        }
        assert!(kernels >= 9, "{kernels}");
    }
}
