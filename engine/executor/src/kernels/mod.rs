//! Operators that the processor computes in one pass over memory, each with its own way back.
//!
//! A kernel is a trait of burn's backend extension: written in burn's operators for every backend, and natively for the
//! processor. Native code is plain loops over slices, compiled for each level of vector instructions and chosen when the
//! program runs; what a loop computes does not depend on how many threads share the rows.

pub(super) mod activation;
#[cfg(target_arch = "x86_64")]
mod bf16;
pub(super) mod bias;
pub(super) mod copy;
pub(super) mod cross_entropy;
pub(super) mod curves;
pub(super) mod dot;
pub(super) mod dots4;
pub(super) mod exact;
pub(super) mod exp;
pub(super) mod few;
pub(super) mod float32;
pub(super) mod head;
mod instructions;
#[cfg(target_arch = "x86_64")]
mod lanes;
pub(super) mod lookup;
pub(super) mod matrix;
pub(super) mod multiply;
pub(super) mod norm;
pub(super) mod product;
pub(super) mod reshape;
pub(super) mod rotary;
pub(super) mod rows;
pub(super) mod slice;
pub(super) mod squash;
pub(super) mod sum;
pub(super) mod trained_head;

pub(super) use copy::contiguous;
pub use instructions::{Kernel, Processor};

use super::precision::Narrow;
use burn::backend::{Flex, tensor::IntTensor};
use pulp::NullaryFnOnce;
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
    /// AVX-512 and its products of 16-bit numbers.
    Avx512,
    /// The widest that this processor has.
    Widest,
}

/// Lowered by the environment variable `FRAMEWORK_CPU`: `portable`, `avx2` or `avx512`.
static LEVEL: LazyLock<Level> = LazyLock::new(|| match std::env::var(instructions::VARIABLE).as_deref() {
    Ok("portable") => Level::Portable,
    Ok("avx2") => Level::Avx2,
    Ok("avx512") => Level::Avx512,
    _ => Level::Widest,
});

/// Loops that are compiled for each level of vector instructions.
///
/// [`Loop::run`] is `#[inline(always)]`, as all must be that it calls but for the smallest closures: what is not inlined is
/// compiled once, for the least of the levels.
pub(super) trait Loop {
    type Output;
    fn run(self) -> Self::Output;
}

struct Call<L>(L);

impl<L: Loop> NullaryFnOnce for Call<L> {
    type Output = L::Output;

    #[inline(always)]
    fn call(self) -> L::Output {
        self.0.run()
    }
}

/// Runs loops with the widest vector instructions that this processor has.
#[inline(always)]
pub(super) fn vectorised<L: Loop>(loops: L) -> L::Output {
    at(*LEVEL, loops)
}

#[inline(always)]
fn at<L: Loop>(level: Level, loops: L) -> L::Output {
    match level {
        Level::Portable => loops.run(),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => match pulp::x86::V3::try_new() {
            Some(avx2) => avx2.vectorize(Call(loops)),
            None => loops.run(),
        },
        _ => pulp::Arch::new().dispatch(Call(loops)),
    }
}

/// Whether the processor has products in this format that are worth it.
pub(super) fn has(narrow: Narrow) -> bool {
    multiply::split(Some(narrow)).is_some()
}

/// Whether the processor has AVX-512, and may use it.
#[cfg(target_arch = "x86_64")]
pub(super) fn has_avx512() -> bool {
    matches!(*LEVEL, Level::Avx512 | Level::Widest) && is_x86_feature_detected!("avx512f")
}

/// Whether 4-bit codes are looked up sixteen at a time.
fn wide_codes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return has_avx512();
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Integers that are not negative, in either width that burn holds them in; of a contiguous tensor.
#[derive(Clone, Copy)]
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

/// What is done to each row of a matrix; [`Row::run`] as [`Loop::run`].
pub(super) trait Row: Sync {
    /// Changes a row, given its number.
    fn run(&self, i: usize, row: &mut [f32]);
}

/// On all cores.
pub(super) fn each_row(data: &mut [f32], width: usize, how: &impl Row) {
    let (task, width) = (rows_of_a_task(width), width.max(1));
    data.par_chunks_mut(width * task).enumerate().for_each(|(i, rows)| {
        vectorised(Rows { rows, width, first: i * task, how });
    });
}

struct Rows<'a, R> {
    rows: &'a mut [f32],
    width: usize,
    first: usize,
    how: &'a R,
}

impl<R: Row> Loop for Rows<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (i, row) in self.rows.chunks_mut(self.width).enumerate() {
            self.how.run(self.first + i, row);
        }
    }
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
        struct All<'a>(&'a [f32]);
        impl Loop for All<'_> {
            type Output = Vec<f32>;
            #[inline(always)]
            fn run(self) -> Vec<f32> {
                self.0.iter().map(|x| curves::tanh(*x) + curves::erf(*x) + exp::exp(-x.abs())).collect()
            }
        }
        let computed = |level| at(level, All(&numbers));
        let portable = computed(Level::Portable);
        for level in [Level::Avx2, Level::Avx512, Level::Widest] {
            let found = computed(level);
            assert!(found.iter().zip(&portable).all(|(a, b)| (a - b).abs() < 1e-6), "{level:?}");
        }
    }
}
