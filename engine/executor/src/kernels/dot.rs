//! Sums of products of 32-bit numbers with others as they lie in memory.

use super::Loop;

/// Numbers added up side by side: what one of them waits for, others use.
const WIDE: usize = 64;

/// `Σ a · b`.
#[inline(always)]
pub(in super::super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    dot_of(a, b, |a| a)
}

/// `Σ number(a) · b`.
#[inline(always)]
fn dot_of<T: Copy>(a: &[T], b: &[f32], number: impl Fn(T) -> f32) -> f32 {
    let ((parts, rest), (others, other)) = (a.as_chunks::<WIDE>(), b.as_chunks::<WIDE>());
    let mut sums = [0.0; WIDE];
    for (a, b) in parts.iter().zip(others) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += number(*a) * b;
        }
    }
    for (sum, (a, b)) in sums.iter_mut().zip(rest.iter().zip(other)) {
        *sum += number(*a) * b;
    }
    // Halves onto each other: sums one after the other would take longer than all the rest.
    for half in [32, 16, 8, 4, 2, 1] {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
    }
    sums[0]
}

/// Products of rows with each row of `x`, `[n, width]`, to `sums`, `[rows, n]`.
pub(in super::super) struct Dots<'a, T, F> {
    pub rows: &'a [T],
    pub number: F,
    pub x: &'a [f32],
    pub width: usize,
    pub sums: &'a mut [f32],
}

impl<T: Copy, F: Fn(T) -> f32 + Copy> Loop for Dots<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let n = self.x.len() / self.width.max(1);
        for (row, sums) in self.rows.chunks_exact(self.width).zip(self.sums.chunks_exact_mut(n)) {
            for (sum, x) in sums.iter_mut().zip(self.x.chunks_exact(self.width)) {
                *sum = dot_of(row, x, self.number);
            }
        }
    }
}
