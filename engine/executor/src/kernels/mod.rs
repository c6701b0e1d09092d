//! Operators that the processor computes in one pass over memory, each with its own way back.
//!
//! A kernel is a trait of burn's backend extension: written in burn's operators for every backend, and natively for the
//! processor. Native code is plain loops over slices, compiled for each level of vector instructions and chosen when the
//! program runs; what a loop computes does not depend on how many threads share the rows.

pub(super) mod activation;
pub(super) mod cross_entropy;
pub(super) mod curves;
pub(super) mod exp;
pub(super) mod norm;
pub(super) mod rows;
pub(super) mod sum;

use burn::backend::{
    Flex,
    tensor::{FloatTensor, IntTensor},
};
use rayon::prelude::*;
use std::sync::LazyLock;

/// Elements that one task works on, at least.
const ELEMENTS: usize = 1 << 14;

/// The vector instructions that our loops are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Those that every processor of the architecture has.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// The widest that this processor has.
    Widest,
}

/// Lowered by the environment variable `FRAMEWORK_CPU`: `portable` or `avx2`.
static LEVEL: LazyLock<Level> = LazyLock::new(|| match std::env::var("FRAMEWORK_CPU").as_deref() {
    Ok("portable") => Level::Portable,
    Ok("avx2") => Level::Avx2,
    _ => Level::Widest,
});

/// Calls `f` with the widest vector instructions that this processor has.
#[inline(always)]
pub(super) fn vectorised<R>(f: impl FnOnce() -> R) -> R {
    at(*LEVEL, f)
}

#[inline(always)]
fn at<R>(level: Level, f: impl FnOnce() -> R) -> R {
    match level {
        Level::Portable => f(),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => match pulp::x86::V3::try_new() {
            Some(avx2) => avx2.vectorize(f),
            None => f(),
        },
        _ => pulp::Arch::new().dispatch(f),
    }
}

/// The same elements in a buffer that holds nothing else, which is changed in place if nobody else has it.
pub(super) fn contiguous(x: FloatTensor<Flex>) -> FloatTensor<Flex> {
    // This copies views; what is none is held twice until `x` is gone.
    let whole = x.to_contiguous();
    drop(x);
    whole
}

/// Integers that are not negative, in either width that burn holds them in; of a contiguous tensor.
pub(super) enum Integers<'a> {
    Narrow(&'a [i32]),
    Wide(&'a [i64]),
}

impl<'a> Integers<'a> {
    pub fn of(x: &'a IntTensor<Flex>) -> Self {
        match x.as_slice::<i32>() {
            Some(numbers) => Self::Narrow(numbers),
            None => Self::Wide(x.as_slice::<i64>().expect("integers")),
        }
    }

    pub fn at(&self, index: usize) -> usize {
        match self {
            Self::Narrow(numbers) => numbers[index].max(0) as usize,
            Self::Wide(numbers) => numbers[index].max(0) as usize,
        }
    }
}

/// Rows of a task, for rows of this width.
pub(super) fn rows_of_a_task(width: usize) -> usize {
    (ELEMENTS / width.max(1)).max(1)
}

/// Calls `f` with the number of each row and the row, on all cores.
pub(super) fn each_row(data: &mut [f32], width: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    let task = rows_of_a_task(width);
    data.par_chunks_mut(width.max(1) * task).enumerate().for_each(|(i, rows)| {
        vectorised(|| {
            for (j, row) in rows.chunks_mut(width.max(1)).enumerate() {
                f(i * task + j, row);
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::random;
    use burn::tensor::{Int, Tensor as Burn, TensorData};

    /// The first rows of a larger tensor lie as if they were all of it.
    #[test]
    fn parts_of_a_tensor_are_only_parts() {
        let device = crate::Device::cpu().burn;
        let all = Burn::<2>::from_data(TensorData::new(random(8 * 6, 1), [8, 6]), &device);
        let part = || all.clone().slice_dim(0, 0..3);
        let apart = || Burn::<2>::from_data(part().into_data(), &device);
        let targets = || Burn::<2, Int>::zeros([3, 1], &device);
        let weight = || Burn::<2>::ones([1, 6], &device);
        let norm = norm::Norm { centred: true, eps: 1e-5 };
        type Kernel<'a> = &'a dyn Fn(Burn<2>) -> Burn<2>;
        let kernels: [Kernel; 5] = [
            &|x| activation::activated(x, activation::Curve::Silu),
            &|x| activation::gated(x.clone(), x, activation::Curve::Gelu),
            &|x| norm::normed(x, weight(), Some(weight()), norm),
            &|x| cross_entropy::cross_entropy(x, targets(), 1.0).1,
            &|x| sum::sum_of_squares(x).reshape([1, 1]),
        ];
        for (i, kernel) in kernels.into_iter().enumerate() {
            let numbers = |x: Burn<2>| kernel(x).into_data().try_into_vec::<f32>().unwrap();
            assert_eq!(numbers(part()), numbers(apart()), "kernel {i}");
        }
        let rest: Vec<f32> = all.into_data().try_into_vec().unwrap();
        assert_eq!(rest, random(8 * 6, 1), "the tensor itself stays as it is");
    }

    /// Sums and functions of a thousand numbers, at each level that the processor has.
    #[test]
    fn every_level_computes_the_same() {
        let numbers = random(1003, 1);
        let computed = |level| {
            at(level, || {
                numbers.iter().map(|x| curves::tanh(*x) + curves::erf(*x) + exp::exp(-x.abs())).collect::<Vec<_>>()
            })
        };
        let portable = computed(Level::Portable);
        for level in [Level::Avx2, Level::Widest] {
            let found = computed(level);
            assert!(found.iter().zip(&portable).all(|(a, b)| (a - b).abs() < 1e-6), "{level:?}");
        }
    }
}
