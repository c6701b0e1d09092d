//! Products of tiles by AMX: `tdpbf16ps` adds the products of 16 × 32 and 32 × 16 numbers in bfloat16 to 16 × 16 sums in 32
//! bits, in the time in which AVX512-BF16 computes a sixteenth of that.
//!
//! The inner loop has two tiles of either side and four of sums. With [`Split::HighLow`] a product is
//! `high · high + high · low + low · high`: what is left out is 2⁻¹⁶ of the largest terms' size.

mod kernel;
mod lines;
mod processor;
mod tiles;

pub use processor::available;
pub use tiles::{Side, Split, Tiles};

use kernel::{BLOCK, Configured, block};
use rayon::prelude::*;

/// Rows of a tile, and columns of 32 bits.
const SIDE: usize = 16;
/// Tiles of either side in the inner loop.
const PAIR: usize = 2;
/// Pairs of tiles that are summed before the result is touched again.
const CHUNK: usize = 64;
/// Pairs of tiles of the right side that stay in the second cache: 1 MiB.
const NEAR: usize = 1 << 9;

/// `a · b`, or its sum with what is there, into rows that lie one after the other. What is summed does not depend on how many
/// cores do it.
///
/// # Safety
/// `out` is valid for as many numbers as the product has, and holds them if they are added to.
///
/// # Panics
/// If operands do not fit.
#[expect(unsafe_code, reason = "parts of rows are no slices of their own")]
pub unsafe fn multiply(out: *mut f32, a: &Tiles, b: &Tiles, before: bool) {
    let ([m, k], [n, depth]) = (a.dims(), b.dims());
    assert!(k == depth && a.split() == b.split(), "{m} x {k} times {depth} x {n}");
    assert!(a.side() == Side::Left && b.side() == Side::Right, "sides of a product");
    if m * n * k == 0 {
        if !before {
            // SAFETY: the caller's; zeros are numbers.
            unsafe { out.write_bytes(0, m * n) };
        }
        return;
    }
    let deep = a.deep();
    let chunk = CHUNK / a.split() as usize;
    let [down, across] = [m.div_ceil(BLOCK), n.div_ceil(BLOCK)];
    let size = task([down, across], deep * a.split() as usize);
    let tasks = [down.div_ceil(size[0]), across.div_ceil(size[1])];
    let target = super::Out(out);
    (0..tasks[0] * tasks[1]).into_par_iter().for_each(|task| {
        let (row, column) = (task % tasks[0] * size[0], task / tasks[0] * size[1]);
        let configured = Configured::new();
        for from in (0..deep).step_by(chunk) {
            let count = chunk.min(deep - from);
            let add = from > 0 || before;
            for i in row..down.min(row + size[0]) {
                for j in column..across.min(column + size[1]) {
                    let strips = [a.strip(i, from), b.strip(j, from)];
                    let size = [BLOCK.min(m - i * BLOCK), BLOCK.min(n - j * BLOCK)];
                    let out = target.at(i * BLOCK * n + j * BLOCK);
                    // SAFETY: strips have `count` tiles from there on; the block of this size lies within `out`, of which no
                    // other task writes this part.
                    unsafe { block(&configured, strips, a.split(), count, out, n, size, add) };
                }
            }
        }
    });
}

/// Blocks of a task, down and across. Tasks below each other share the columns, and so what is near.
fn task([down, across]: [usize; 2], deep: usize) -> [usize; 2] {
    let wanted = 4 * rayon::current_num_threads();
    let mut size = [8.min(down), (NEAR / deep).clamp(1, across)];
    let count = |size: [usize; 2]| down.div_ceil(size[0]) * across.div_ceil(size[1]);
    while count(size) < wanted && size != [1, 1] {
        let side = if size[0] > 2 || size[1] == 1 { 0 } else { 1 };
        size[side] = size[side].div_ceil(2);
    }
    size
}
