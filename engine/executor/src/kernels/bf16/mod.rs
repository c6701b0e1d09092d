//! Products of matrices whose numbers are rounded to bfloat16, or split into two of them, with sums in 32 bits.
//!
//! A processor has one of two kinds of them, or none: AMX multiplies tiles, AVX512-BF16 adds two products to each of 16 sums.
//! Both pack their operands so that the inner loop reads memory in order. A product of rounded numbers is off by 2⁻⁸ of the
//! largest terms' size at most, one of split numbers by 2⁻¹⁶; the instructions take denormals for 0.

mod amx;
mod dots;
#[cfg(test)]
mod tests;

pub use amx::Split;

use super::{
    Level, has_avx512,
    matrix::{Matrix, Number},
};
use amx::Side;

/// How products are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    Tiles,
    Dots,
}

/// The fastest means that this processor has for such numbers.
fn means(split: Split) -> Option<Means> {
    if has_tiles() {
        return Some(Means::Tiles);
    }
    (split == Split::Rounded && has_avx512() && dots::pay()).then_some(Means::Dots)
}

fn chosen(split: Split) -> Means {
    means(split).expect("a processor with products in bfloat16")
}

/// Whether the processor has products of such numbers that are worth it.
pub fn available(split: Split) -> bool {
    means(split).is_some()
}

/// Whether the processor has tiles, used or not.
pub fn knows_tiles() -> bool {
    amx::available()
}

/// Whether products are computed by tiles.
pub fn has_tiles() -> bool {
    *super::LEVEL == Level::Widest && amx::available()
}

/// The left side of a product.
pub enum Rows {
    Tiles(amx::Tiles),
    Dots(dots::Rows),
}

/// The right side of a product.
pub enum Columns {
    Tiles(amx::Tiles),
    Dots(dots::Columns),
}

impl Rows {
    /// # Panics
    /// If the processor has no such products.
    pub fn new<T: Number>(matrix: Matrix<T>, split: Split) -> Self {
        Self::by(chosen(split), matrix, split)
    }

    fn by<T: Number>(means: Means, matrix: Matrix<T>, split: Split) -> Self {
        match means {
            Means::Tiles => Self::Tiles(amx::Tiles::new(matrix, split, Side::Left)),
            Means::Dots => Self::Dots(dots::Rows::new(matrix)),
        }
    }

    pub fn dims(&self) -> [usize; 2] {
        match self {
            Self::Tiles(tiles) => tiles.dims(),
            Self::Dots(rows) => rows.dims(),
        }
    }

    /// A right side for products with this.
    pub fn beside<T: Number>(&self, matrix: Matrix<T>) -> Columns {
        match self {
            Self::Tiles(tiles) => Columns::by(Means::Tiles, matrix, tiles.split()),
            Self::Dots(_) => Columns::by(Means::Dots, matrix, Split::Rounded),
        }
    }
}

impl Columns {
    /// # Panics
    /// If the processor has no such products.
    pub fn new<T: Number>(matrix: Matrix<T>, split: Split) -> Self {
        Self::by(chosen(split), matrix, split)
    }

    fn by<T: Number>(means: Means, matrix: Matrix<T>, split: Split) -> Self {
        match means {
            Means::Tiles => Self::Tiles(amx::Tiles::new(matrix.transposed(), split, Side::Right)),
            Means::Dots => Self::Dots(dots::Columns::new(matrix)),
        }
    }

    pub fn dims(&self) -> [usize; 2] {
        match self {
            Self::Tiles(tiles) => {
                let [columns, rows] = tiles.dims();
                [rows, columns]
            }
            Self::Dots(columns) => columns.dims(),
        }
    }
}

/// `a · b`, or its sum with what is there, into rows that lie one after the other. What is summed does not depend on how many
/// cores do it.
///
/// # Safety
/// `out` is valid for as many numbers as the product has, and holds them if they are added to.
///
/// # Panics
/// If the sides do not fit.
#[expect(unsafe_code, reason = "parts of rows are no slices of their own")]
pub unsafe fn multiply(out: *mut f32, a: &Rows, b: &Columns, before: bool) {
    // SAFETY: the caller's.
    unsafe {
        match (a, b) {
            (Rows::Tiles(a), Columns::Tiles(b)) => amx::multiply(out, a, b, before),
            (Rows::Dots(a), Columns::Dots(b)) => dots::multiply(out, a, b, before),
            _ => panic!("sides of a product that are packed for different means"),
        }
    }
}

/// Where tasks write, each its own part.
#[derive(Clone, Copy)]
struct Out(*mut f32);

// SAFETY: tasks write to parts that do not overlap, while `multiply` runs.
#[expect(unsafe_code, reason = "parts of rows are no slices of their own")]
unsafe impl Send for Out {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "parts of rows are no slices of their own")]
unsafe impl Sync for Out {}

impl Out {
    /// The place of a number, which must be one of the result's.
    fn at(self, index: usize) -> *mut f32 {
        self.0.wrapping_add(index)
    }
}
