//! What loops over rows have in common: numbers are kept side by side, which the compiler makes vectors of.

use super::exp::exp;

/// Numbers side by side.
pub const LANES: usize = 16;

/// The largest number; negative infinity for an empty row.
#[inline(always)]
pub fn maximum(row: &[f32]) -> f32 {
    let (parts, rest) = row.as_chunks::<LANES>();
    let mut most = [f32::NEG_INFINITY; LANES];
    for part in parts {
        for (most, x) in most.iter_mut().zip(part) {
            *most = if *x > *most { *x } else { *most };
        }
    }
    rest.iter().chain(&most).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// Makes each number `e^(x - most)`, and returns the sum.
#[inline(always)]
pub fn exponentials(row: &mut [f32], most: f32) -> f32 {
    exponentials_times(row, most, |_| 1.0)
}

/// Makes each number `e^(x - most) · f(x)`, and returns the sum of the exponentials.
#[inline(always)]
pub fn exponentials_times(row: &mut [f32], most: f32, f: impl Fn(f32) -> f32) -> f32 {
    let (parts, rest) = row.as_chunks_mut::<LANES>();
    let mut sums = [0.0; LANES];
    for part in parts {
        for (sum, x) in sums.iter_mut().zip(part) {
            let (e, factor) = (exp(*x - most), f(*x));
            (*sum, *x) = (*sum + e, e * factor);
        }
    }
    for x in rest {
        let (e, factor) = (exp(*x - most), f(*x));
        (sums[0], *x) = (sums[0] + e, e * factor);
    }
    folded(sums)
}

/// The sum of `f` over two rows.
#[inline(always)]
pub fn summed(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let ((parts, rest), (others, other)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in parts.iter().zip(others) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += f(*a, *b);
        }
    }
    folded(sums) + rest.iter().zip(other).map(|(a, b)| f(*a, *b)).sum::<f32>()
}

/// The sum, halves onto each other.
#[inline(always)]
fn folded(mut sums: [f32; LANES]) -> f32 {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
    }
    sums[0]
}
