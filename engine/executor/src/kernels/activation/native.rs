//! Activations and gates on the processor, in place.

use super::{Curve, OnActivation};
use crate::kernels::{Loop, Row, contiguous, each_row, vectorised};
use burn::backend::{Flex, tensor::FloatTensor};
use rayon::prelude::*;

/// Elements of a row of the native code.
const ROW: usize = 1 << 12;

/// All curves, by the numbers that loops know them by.
const ALL: [Curve; 4] = [Curve::Relu, Curve::Gelu, Curve::GeluTanh, Curve::Silu];

/// Evaluates `$e` with the curve's number as a constant, so that each has a loop of its own.
macro_rules! for_curve {
    ($curve:expr, $c:ident => $e:expr) => {
        match $curve {
            Curve::Relu => {
                const $c: usize = 0;
                $e
            }
            Curve::Gelu => {
                const $c: usize = 1;
                $e
            }
            Curve::GeluTanh => {
                const $c: usize = 2;
                $e
            }
            Curve::Silu => {
                const $c: usize = 3;
                $e
            }
        }
    };
}

/// `act(x)`, in the place of `x`.
struct Activation<const C: usize>;

impl<const C: usize> Row for Activation<C> {
    #[inline(always)]
    fn run(&self, _: usize, row: &mut [f32]) {
        row.iter_mut().for_each(|x| *x = ALL[C].at(*x));
    }
}

/// What is beside each row.
struct Beside<'a, const C: usize>(&'a [f32]);

impl<const C: usize> Beside<'_, C> {
    #[inline(always)]
    fn of(&self, i: usize, row: &[f32]) -> &[f32] {
        &self.0[i * ROW..][..row.len()]
    }
}

/// `act(x) · up`, in the place of `x`.
struct Gate<'a, const C: usize>(Beside<'a, C>);

impl<const C: usize> Row for Gate<'_, C> {
    #[inline(always)]
    fn run(&self, i: usize, row: &mut [f32]) {
        let up = self.0.of(i, row);
        for (x, up) in row.iter_mut().zip(up) {
            *x = ALL[C].at(*x) * up;
        }
    }
}

/// `act'(x) · g`, in the place of `g`.
struct Slope<'a, const C: usize>(Beside<'a, C>);

impl<const C: usize> Row for Slope<'_, C> {
    #[inline(always)]
    fn run(&self, i: usize, row: &mut [f32]) {
        let x = self.0.of(i, row);
        // `for_each` would call a function of its own, which is compiled for the least of the levels.
        for (g, x) in row.iter_mut().zip(x) {
            *g *= ALL[C].slope(*x);
        }
    }
}

/// The gradients of `x` and `up`, in their places.
struct GateBack<'a, const C: usize> {
    x: &'a mut [f32],
    up: &'a mut [f32],
    g: &'a [f32],
}

impl<const C: usize> Loop for GateBack<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for ((x, up), g) in self.x.iter_mut().zip(self.up).zip(self.g) {
            (*x, *up) = (ALL[C].slope(*x) * *up * g, ALL[C].at(*x) * g);
        }
    }
}

fn numbers(x: &FloatTensor<Flex>) -> &[f32] {
    x.as_slice::<f32>().expect("32-bit numbers")
}

impl OnActivation for Flex {
    fn activated(x: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self> {
        let mut x = contiguous(x);
        let data = x.storage_mut::<f32>();
        for_curve!(curve, C => each_row(data, ROW, &Activation::<C>));
        x
    }

    fn activated_back(x: FloatTensor<Self>, g: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self> {
        let (x, mut g) = (contiguous(x), contiguous(g));
        let data = g.storage_mut::<f32>();
        for_curve!(curve, C => each_row(data, ROW, &Slope::<C>(Beside(numbers(&x)))));
        g
    }

    fn gated_back(
        x: FloatTensor<Self>,
        up: FloatTensor<Self>,
        g: FloatTensor<Self>,
        curve: Curve,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (mut x, mut up, g) = (contiguous(x), contiguous(up), contiguous(g));
        let rows = x.storage_mut::<f32>().par_chunks_mut(ROW).zip(up.storage_mut::<f32>().par_chunks_mut(ROW));
        let rows = rows.zip(numbers(&g).par_chunks(ROW)).with_min_len(4);
        for_curve!(curve, C => rows.for_each(|((x, up), g)| vectorised(GateBack::<C> { x, up, g })));
        (x, up)
    }

    fn gated(x: FloatTensor<Self>, up: FloatTensor<Self>, curve: Curve) -> FloatTensor<Self> {
        let (mut x, up) = (contiguous(x), contiguous(up));
        let data = x.storage_mut::<f32>();
        for_curve!(curve, C => each_row(data, ROW, &Gate::<C>(Beside(numbers(&up)))));
        x
    }
}
