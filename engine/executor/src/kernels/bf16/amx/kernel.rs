//! The inner loop: a block of 32 × 32 sums.

use super::{
    SIDE,
    tiles::{Split, Tile},
};
use std::arch::asm;

/// Rows and columns of a block.
pub(super) const BLOCK: usize = super::PAIR * SIDE;

/// What the tile registers hold.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    /// Bytes of a row.
    columns: [u16; 16],
    rows: [u8; 16],
}

/// 16 rows of 64 bytes in each of eight.
const SHAPES: Shapes = {
    let (mut columns, mut rows) = ([0; 16], [0; 16]);
    let mut i = 0;
    while i < 8 {
        (columns[i], rows[i]) = (64, 16);
        i += 1;
    }
    Shapes { palette: 1, start: 0, reserved: [0; 14], columns, rows }
};

/// This thread's tile registers are set up until this goes out of scope; then there is nothing of them to save.
pub(super) struct Configured(std::marker::PhantomData<*mut ()>);

impl Configured {
    /// # Panics
    /// If the processor has no tiles.
    pub fn new() -> Self {
        assert!(super::available(), "no tiles on this processor");
        // SAFETY: the instruction is there, and reads 64 bytes.
        #[expect(unsafe_code, reason = "an instruction that has no stable function")]
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &SHAPES, options(nostack, preserves_flags));
        }
        Self(std::marker::PhantomData)
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        // SAFETY: the instruction is there, as `new` has found.
        #[expect(unsafe_code, reason = "an instruction that has no stable function")]
        unsafe {
            asm!("tilerelease", options(nostack, nomem, preserves_flags));
        }
    }
}

/// A block of the result, or what is left of it at an edge.
///
/// # Safety
/// Strips have `count` tiles, two where numbers are split; `out` is valid for `size[0]` rows of `size[1]` numbers that are
/// `stride` apart, which hold numbers if they are added to.
#[expect(unsafe_code, reason = "instructions that have no stable functions")]
#[expect(clippy::too_many_arguments, reason = "a block is all of these")]
pub(super) unsafe fn block(
    configured: &Configured,
    strips: [*const Tile; 2],
    split: Split,
    count: usize,
    out: *mut f32,
    stride: usize,
    size: [usize; 2],
    add: bool,
) {
    if size == [BLOCK; 2] {
        // SAFETY: the caller's.
        return unsafe { whole(configured, strips, split, count, out, stride, add) };
    }
    #[repr(align(64))]
    struct Sums([f32; BLOCK * BLOCK]);
    let mut sums = Sums([0.0; BLOCK * BLOCK]);
    // SAFETY: the caller's, of the strips; the sums are a whole block.
    unsafe { whole(configured, strips, split, count, sums.0.as_mut_ptr(), BLOCK, false) };
    for (i, row) in sums.0.as_chunks::<BLOCK>().0.iter().enumerate().take(size[0]) {
        for (j, sum) in row.iter().enumerate().take(size[1]) {
            // SAFETY: the caller's.
            unsafe {
                let out = out.add(i * stride + j);
                *out = if add { *out + sum } else { *sum };
            }
        }
    }
}

/// # Safety
/// As [`block`], of the whole size.
#[expect(unsafe_code, reason = "instructions that have no stable functions")]
unsafe fn whole(
    _: &Configured,
    [a, b]: [*const Tile; 2],
    split: Split,
    count: usize,
    out: *mut f32,
    stride: usize,
    add: bool,
) {
    let places = [out, out.wrapping_add(SIDE), out.wrapping_add(SIDE * stride), out.wrapping_add(SIDE * stride + SIDE)];
    // SAFETY: the registers are configured; memory is as the caller says. No function is called between the statements that
    // would use them, and statements keep their order.
    unsafe {
        if add {
            asm!(
                "tileloadd tmm0, [{0} + {4}]", "tileloadd tmm1, [{1} + {4}]",
                "tileloadd tmm2, [{2} + {4}]", "tileloadd tmm3, [{3} + {4}]",
                in(reg) places[0], in(reg) places[1], in(reg) places[2], in(reg) places[3], in(reg) 4 * stride,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                options(nostack, preserves_flags),
            );
        } else {
            asm!(
                "tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3",
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                options(nostack, nomem, preserves_flags),
            );
        }
        match split {
            Split::Rounded => asm!(
                "2:",
                "tileloadd tmm4, [{a} + {row}]", "tileloaddt1 tmm6, [{b} + {row}]", "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloaddt1 tmm7, [{b} + {row} + 1024]", "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{a} + {row} + 1024]", "tdpbf16ps tmm2, tmm5, tmm6", "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a}, 2048", "add {b}, 2048",
                "dec {count}", "jnz 2b",
                a = inout(reg) a => _, b = inout(reg) b => _, count = inout(reg) count => _, row = in(reg) 64usize,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, readonly),
            ),
            // A tile is followed by what its rounding has left. Low of the left with high of the right, high with high, high with
            // low.
            Split::HighLow => asm!(
                "2:",
                "tileloadd tmm4, [{a} + {row} + 1024]", "tileloaddt1 tmm6, [{b} + {row}]", "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloaddt1 tmm7, [{b} + {row} + 2048]", "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{a} + {row} + 3072]", "tdpbf16ps tmm2, tmm5, tmm6", "tdpbf16ps tmm3, tmm5, tmm7",
                "tileloadd tmm4, [{a} + {row}]", "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{a} + {row} + 2048]", "tdpbf16ps tmm2, tmm5, tmm6", "tdpbf16ps tmm3, tmm5, tmm7",
                "tileloaddt1 tmm6, [{b} + {row} + 1024]", "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm2, tmm5, tmm6",
                "tileloaddt1 tmm7, [{b} + {row} + 3072]", "tdpbf16ps tmm1, tmm4, tmm7", "tdpbf16ps tmm3, tmm5, tmm7",
                "add {a}, 4096", "add {b}, 4096",
                "dec {count}", "jnz 2b",
                a = inout(reg) a => _, b = inout(reg) b => _, count = inout(reg) count => _, row = in(reg) 64usize,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, readonly),
            ),
        }
        asm!(
            "tilestored [{0} + {4}], tmm0", "tilestored [{1} + {4}], tmm1",
            "tilestored [{2} + {4}], tmm2", "tilestored [{3} + {4}], tmm3",
            in(reg) places[0], in(reg) places[1], in(reg) places[2], in(reg) places[3], in(reg) 4 * stride,
            options(nostack, preserves_flags),
        );
    }
}
