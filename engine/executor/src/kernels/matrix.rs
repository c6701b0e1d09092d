//! Matrices that lie in slices, for kernels that keep their operands in place.

use std::borrow::Cow;

/// A number of a matrix.
pub trait Number: Copy + Sync + 'static {
    /// Whether it is the bits of a bfloat16, and not a 32-bit number.
    const HALF: bool;

    fn to_f32(self) -> f32;

    /// Rounded to bfloat16, in the upper half of a word.
    fn rounded(self) -> u32;
}

impl Number for f32 {
    const HALF: bool = false;

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }

    #[inline(always)]
    fn rounded(self) -> u32 {
        let bits = self.to_bits();
        let near = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
        (if self.is_nan() { bits | 0x40_0000 } else { near }) & 0xffff_0000
    }
}

/// The bits of a bfloat16.
impl Number for u16 {
    const HALF: bool = true;

    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self) << 16)
    }

    #[inline(always)]
    fn rounded(self) -> u32 {
        u32::from(self) << 16
    }
}

/// A matrix in a slice.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T = f32> {
    pub(super) numbers: &'a [T],
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// How far apart numbers of neighbouring rows and columns are.
    pub(super) strides: [usize; 2],
}

impl<'a, T: Number> Matrix<'a, T> {
    /// Rows that lie one after the other.
    pub fn new(numbers: &'a [T], rows: usize, columns: usize) -> Self {
        assert_eq!(numbers.len(), rows * columns, "a matrix of {rows} x {columns}");
        Self { numbers, rows, columns, strides: [columns, 1] }
    }

    /// A matrix within a slice.
    pub fn strided(numbers: &'a [T], [rows, columns]: [usize; 2], strides: [usize; 2]) -> Self {
        let matrix = Self { numbers, rows, columns, strides };
        assert!(matrix.reach() <= numbers.len(), "a matrix reaches beyond its slice");
        matrix
    }

    /// Rows and columns.
    pub fn dims(self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    /// How far apart numbers of neighbouring rows and columns are.
    pub fn strides(self) -> [usize; 2] {
        self.strides
    }

    #[inline(always)]
    pub fn at(self, row: usize, column: usize) -> T {
        self.numbers[row * self.strides[0] + column * self.strides[1]]
    }

    /// A row, of a matrix whose rows lie in one piece.
    #[inline(always)]
    pub fn row(self, row: usize) -> &'a [T] {
        &self.numbers[row * self.strides[0]..][..self.columns]
    }

    /// A column, of a matrix whose columns lie in one piece.
    #[inline(always)]
    pub fn column(self, column: usize) -> &'a [T] {
        &self.numbers[column * self.strides[1]..][..self.rows]
    }

    pub fn transposed(self) -> Self {
        let [row, column] = self.strides;
        Self { rows: self.columns, columns: self.rows, strides: [column, row], ..self }
    }

    /// Numbers that the slice must have.
    pub(super) fn reach(&self) -> usize {
        match self.rows * self.columns {
            0 => 0,
            _ => (self.rows - 1) * self.strides[0] + (self.columns - 1) * self.strides[1] + 1,
        }
    }
}

/// The right side of a product.
#[derive(Clone, Copy)]
pub enum Right<'a> {
    Numbers(Matrix<'a>),
    Halves(Matrix<'a, u16>),
}

impl Right<'_> {
    pub(super) fn dims(&self) -> [usize; 2] {
        match self {
            Self::Numbers(matrix) => matrix.dims(),
            Self::Halves(matrix) => matrix.dims(),
        }
    }

    pub fn transposed(self) -> Self {
        match self {
            Self::Numbers(matrix) => Self::Numbers(matrix.transposed()),
            Self::Halves(matrix) => Self::Halves(matrix.transposed()),
        }
    }
}

impl<'a> From<Matrix<'a>> for Right<'a> {
    fn from(matrix: Matrix<'a>) -> Self {
        Self::Numbers(matrix)
    }
}

/// Rows of a weight, as they lie in memory or decoded.
pub enum Panel<'a> {
    Numbers(Cow<'a, [f32]>),
    /// The bits of bfloat16.
    Halves(&'a [u16]),
}

impl Panel<'_> {
    /// As a matrix with rows of this width.
    pub fn matrix(&self, width: usize) -> Right<'_> {
        let rows = |count: usize| count.checked_div(width).unwrap_or(0);
        match self {
            Self::Numbers(numbers) => Right::Numbers(Matrix::new(numbers, rows(numbers.len()), width)),
            Self::Halves(halves) => Right::Halves(Matrix::new(halves, rows(halves.len()), width)),
        }
    }

    pub fn at(&self, index: usize) -> f32 {
        match self {
            Self::Numbers(numbers) => numbers[index],
            Self::Halves(halves) => halves[index].to_f32(),
        }
    }
}
