//! Operands in tiles of 16 rows of 64 bytes, each number rounded to bfloat16, or split into two of them.
//!
//! An operand is a matrix `[outer, k]`, where `k` is what is summed over. A word holds two neighbours along `k`. Lines of the
//! left side's tiles go along `k`, those of the right side's along `outer`. Tiles lie in strips of
//! two along `outer`, pairs of them one after the other along `k`; zeros fill up the last ones.

use super::{
    BLOCK, PAIR, SIDE,
    lines::{self, Part},
};
use crate::kernels::matrix::{Matrix, Number};
use rayon::prelude::*;
use std::{arch::x86_64::*, mem::MaybeUninit};

/// Numbers along `k` in a tile.
pub(super) const DEEP: usize = 2 * SIDE;
/// Strips that are packed together at most: their columns lie side by side.
const TOGETHER: usize = 8;

/// What a number becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// The nearest bfloat16.
    Rounded = 1,
    /// That and the nearest to what is left; together they have 16 bits.
    HighLow = 2,
}

/// The side of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// 16 lines of 64 bytes.
pub(super) type Tile = [__m512i; SIDE];

/// An operand.
pub struct Tiles {
    tiles: Vec<Tile>,
    outer: usize,
    k: usize,
    split: Split,
    side: Side,
}

impl Tiles {
    /// Packs a matrix `[outer, k]`.
    ///
    /// # Panics
    /// If the processor lacks the instructions.
    pub fn new<T: Number>(matrix: Matrix<T>, split: Split, side: Side) -> Self {
        assert!(super::available(), "no tiles on this processor");
        let [outer, k] = matrix.dims();
        let (strips, deep, step) = (outer.div_ceil(BLOCK), k.div_ceil(DEEP), PAIR * split as usize);
        let mut tiles = Vec::with_capacity(strips * deep * step);
        let room = &mut tiles.spare_capacity_mut()[..strips * deep * step];
        let together = (strips / (2 * rayon::current_num_threads())).clamp(1, TOGETHER);
        room.par_chunks_mut((together * deep * step).max(1)).enumerate().for_each(|(i, room)| {
            let count = room.len() / (deep * step);
            let mut each = |strip: usize, d: usize| {
                let outer = (i * together + strip) * BLOCK;
                let room = room[(strip * deep + d) * step..][..step].chunks_mut(split as usize);
                for (half, room) in room.enumerate() {
                    // SAFETY: `available` has found the instructions.
                    #[expect(unsafe_code, reason = "vector instructions")]
                    unsafe {
                        write(matrix, [outer + half * SIDE, d * DEEP], split, side, room);
                    }
                }
            };
            match matrix.strides()[1] {
                1 => (0..count).for_each(|s| (0..deep).for_each(|d| each(s, d))),
                _ => (0..deep).for_each(|d| (0..count).for_each(|s| each(s, d))),
            }
        });
        // SAFETY: every tile has been written.
        #[expect(unsafe_code, reason = "to clear them first would take as long as to write them")]
        unsafe {
            tiles.set_len(strips * deep * step);
        }
        Self { tiles, outer, k, split, side }
    }

    /// `[outer, k]`.
    pub fn dims(&self) -> [usize; 2] {
        [self.outer, self.k]
    }

    pub fn split(&self) -> Split {
        self.split
    }

    pub(super) fn side(&self) -> Side {
        self.side
    }

    /// Tiles along `k`.
    pub(super) fn deep(&self) -> usize {
        self.k.div_ceil(DEEP)
    }

    /// Where the tiles of a strip lie, from a pair of them on.
    pub(super) fn strip(&self, strip: usize, from: usize) -> *const Tile {
        self.tiles[(strip * self.deep() + from) * PAIR * self.split as usize..].as_ptr()
    }
}

/// Packs a tile from a place in the matrix on, and behind it that of what rounding leaves.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn write<T: Number>(matrix: Matrix<T>, at: [usize; 2], split: Split, side: Side, out: &mut [MaybeUninit<Tile>]) {
    let [rows, columns] = matrix.dims();
    let part = Part { at, size: [rows.saturating_sub(at[0]).min(SIDE), (columns - at[1]).min(DEEP)] };
    let none = [_mm512_setzero_si512(); SIDE];
    let (first, rest) = out.split_at_mut(1);
    let (rounded, mut nowhere) = (first[0].write(none), none);
    let left = rest.first_mut().map_or(&mut nowhere, |left| left.write(none));
    let filled = match matrix.strides() {
        _ if part.size[0] == 0 => return,
        [_, 1] => {
            lines::along(matrix, part, split, [rounded, left]);
            Side::Left
        }
        [1, _] => {
            lines::across(matrix, part, split, [rounded, left]);
            Side::Right
        }
        _ => {
            lines::gathered(matrix, part, split, [rounded, left]);
            Side::Left
        }
    };
    if side != filled {
        lines::transpose(rounded);
        if split == Split::HighLow {
            lines::transpose(left);
        }
    }
}
