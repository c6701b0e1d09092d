//! How weights that are not trained lie in memory.
//!
//! A [`Stored`] weight is integers on the device, several numbers in a word, with the scales that belong to them. It is
//! a constant: gradients go through what is computed with it, none to it. [`ops`] decodes it where it is used, and again
//! on the way back, so that no weight of 32-bit numbers outlives the operator that needs it.

mod block4;
mod dynamic8;
#[cfg(test)]
mod dynamic8_tests;
mod half;
mod head;
mod int8;
mod kept;
mod ops;
mod portable;
mod scales;
mod tables;
#[cfg(test)]
mod tests;

use super::{
    Device,
    kernels::{
        dot::{Numbers, dots},
        head::How,
        matrix::Panel,
        multiply::takes_halves,
    },
    precision::Half,
    value::{R, Value, padded},
};
use burn::tensor::{DType, Int, Tensor as Burn, TensorData};
use framework_base::Float;
use framework_core::{PluginError, Result};
use rayon::prelude::*;
use std::{ops::Range, sync::Arc};

/// Numbers that one task decodes, at least.
const CHUNK: usize = 1 << 15;
/// Numbers that are decoded at a time where few rows are multiplied with them: they stay near.
const NEAR: usize = 1 << 11;

pub use half::words as words_of_halves;
pub use kept::Raw;

/// How a weight lies in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Storage {
    /// 32-bit numbers.
    #[default]
    F32,
    /// 16-bit numbers with f32's range.
    Bf16,
    /// 16-bit numbers, IEEE half precision.
    F16,
    /// 8-bit integers, a scale for each row: the largest magnitude of a row is 127.
    Int8,
    /// 4-bit numbers in blocks of 64, each with a scale: the quantiles of a normal distribution (Dettmers et al., 2023,
    /// arXiv:2305.14314).
    Nf4 {
        /// Whether scales are quantized too, to 8 bits in blocks of 256.
        double: bool,
    },
    /// 4-bit floating-point numbers in blocks of 64.
    Fp4 {
        /// Whether scales are quantized too.
        double: bool,
    },
    /// 8-bit numbers in blocks of 256, each with a scale, for states of optimizers (Dettmers et al., 2022,
    /// arXiv:2110.02861).
    Dynamic8 {
        /// Whether they may be negative.
        signed: bool,
    },
}

/// Integers and the scales that belong to them. A word holds its numbers from its lowest byte on.
#[derive(Debug, Clone, Default, PartialEq)]
struct Coded {
    words: Vec<i32>,
    scales: Vec<f32>,
}

/// What turns numbers into words and back.
trait Codec: Sync {
    /// Encodes a matrix with rows of `width` numbers.
    ///
    /// # Errors
    /// A number that the format cannot hold.
    fn encode(&self, numbers: &[f32], width: usize) -> Result<Coded>;

    /// Decodes the numbers from `start` on, as many as `out` takes.
    fn decode(&self, words: &[i32], scales: &[f32], shape: Matrix, start: usize, out: &mut [f32]);

    /// Writes the products of rows from `first` on with each row of `x` to `sums`, `[rows, n]`.
    fn products(&self, words: &[i32], scales: &[f32], shape: Matrix, first: usize, x: &[f32], sums: &mut [f32]) {
        products_of_decoded(self, words, scales, shape, first, x, sums);
    }

    /// Bytes of the words and scales of a matrix.
    fn bytes(&self, shape: Matrix) -> usize;
}

/// [`Codec::products`] of rows that are decoded before.
fn products_of_decoded(
    codec: &(impl Codec + ?Sized),
    words: &[i32],
    scales: &[f32],
    shape: Matrix,
    first: usize,
    x: &[f32],
    sums: &mut [f32],
) {
    let (n, width) = (x.len() / shape.width.max(1), shape.width);
    let near = (NEAR / width.max(1)).max(1);
    let mut rows = vec![0.0; near * width];
    for (i, sums) in sums.chunks_mut(near * n).enumerate() {
        let rows = &mut rows[..sums.len() / n * width];
        codec.decode(words, scales, shape, (first + i * near) * width, rows);
        dots(Numbers::F32(rows), x, width, sums);
    }
}

/// Rows and columns of a weight; what has more dimensions has more rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrix {
    rows: usize,
    width: usize,
}

impl Matrix {
    fn of(shape: &[usize]) -> Self {
        let width = shape.last().copied().unwrap_or(1);
        Self { rows: shape.iter().product::<usize>() / width.max(1), width }
    }

    fn len(self) -> usize {
        self.rows * self.width
    }
}

/// A weight's storage and its shape as a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coding {
    storage: Storage,
    shape: Matrix,
    /// What products with it are computed in.
    half: Half,
}

impl Coding {
    fn codec(self) -> &'static dyn Codec {
        self.storage.codec().expect("32-bit numbers are not coded")
    }

    /// Some rows, for a product: as they are, if it is computed in their format.
    fn panel<'a>(self, words: &'a [i32], scales: &[f32], rows: Range<usize>) -> Panel<'a> {
        match self.storage == Storage::Bf16 && takes_halves(self.half) {
            true => {
                let halves = &half::halves(words)[rows.start * self.shape.width..rows.end * self.shape.width];
                Panel::Halves(halves)
            }
            false => Panel::Numbers(self.numbers(words, scales, rows).into()),
        }
    }

    /// Some rows, decoded on all cores.
    fn numbers(self, words: &[i32], scales: &[f32], rows: Range<usize>) -> Vec<f32> {
        let (codec, width) = (self.codec(), self.shape.width);
        let mut out = vec![0.0; rows.len() * width];
        out.par_chunks_mut(CHUNK).enumerate().for_each(|(i, out)| {
            codec.decode(words, scales, self.shape, rows.start * width + i * CHUNK, out);
        });
        out
    }
}

impl Storage {
    /// How 16-bit numbers of a file are kept as they are; other formats in 32 bits.
    pub fn of(format: Float) -> Self {
        match format {
            Float::F32 => Storage::F32,
            Float::F16 => Storage::F16,
            Float::BF16 => Storage::Bf16,
        }
    }

    fn codec(self) -> Option<&'static dyn Codec> {
        Some(match self {
            Storage::F32 => return None,
            Storage::Bf16 => &half::BF16,
            Storage::F16 => &half::F16,
            Storage::Int8 => &int8::Int8,
            Storage::Nf4 { double: false } => &block4::NF4,
            Storage::Nf4 { double: true } => &block4::NF4_DOUBLE,
            Storage::Fp4 { double: false } => &block4::FP4,
            Storage::Fp4 { double: true } => &block4::FP4_DOUBLE,
            Storage::Dynamic8 { signed: true } => &*dynamic8::SIGNED,
            Storage::Dynamic8 { signed: false } => &*dynamic8::UNSIGNED,
        })
    }

    /// Bytes that a tensor of this shape takes.
    pub fn bytes(self, shape: &[usize]) -> u64 {
        let shape = Matrix::of(shape);
        self.codec().map_or(4 * shape.len(), |codec| codec.bytes(shape)) as u64
    }
}

/// A weight in memory, coded.
pub(super) struct Stored {
    words: Burn<1, Int>,
    scales: Burn<1>,
    coding: Coding,
    shape: Vec<usize>,
    dims: [usize; R],
}

impl Value {
    /// A float tensor from row-major data, kept as `storage` says. What is computed with it is computed in 32 bits.
    ///
    /// # Errors
    /// A number that the storage cannot hold.
    pub fn stored(data: Vec<f32>, shape: &[usize], storage: Storage, device: &Device) -> Result<Self> {
        let Some(codec) = storage.codec() else { return Self::from_f32(data, shape, device) };
        let matrix = Matrix::of(shape);
        let coded = codec.encode(&data, matrix.width)?;
        drop(data);
        Self::coded(coded, shape, Coding { storage, shape: matrix, half: device.half }, device)
    }

    /// A float tensor from 16-bit numbers, two in a word, which are kept as they are.
    pub fn from_halves(words: Vec<i32>, format: Float, shape: &[usize], device: &Device) -> Result<Self> {
        let coding = Coding { storage: Storage::of(format), shape: Matrix::of(shape), half: device.half };
        Self::coded(Coded { words, scales: vec![1.0] }, shape, coding, device)
    }

    fn coded(coded: Coded, shape: &[usize], coding: Coding, device: &Device) -> Result<Self> {
        let dims = padded(shape)?;
        let (words, scales) = ([coded.words.len()], [coded.scales.len()]);
        let words = Burn::from_data(TensorData::new(coded.words, words), (&device.burn, DType::I32));
        let scales = Burn::from_data(TensorData::new(coded.scales, scales), &device.burn);
        Ok(Self::constant(Arc::new(Stored { words, scales, coding, shape: shape.to_vec(), dims })))
    }
}

impl Stored {
    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(super) fn dims(&self) -> [usize; R] {
        self.dims
    }

    pub(super) fn device(&self) -> burn::tensor::Device {
        self.words.device()
    }

    /// All numbers, in 32 bits.
    pub(super) fn dense(&self) -> Burn<R> {
        ops::dense(self.words.clone(), self.scales.clone(), self.coding).reshape(self.dims)
    }

    /// `x · selfᵀ` for `x` `[n, in]` and a weight `[out, in]`.
    pub(super) fn linear(&self, x: Burn<2>) -> Burn<2> {
        ops::linear(x, self.words.clone(), self.scales.clone(), self.coding)
    }

    /// `g · self` for `g` `[n, out]`.
    pub(super) fn back(&self, g: Burn<2>) -> Burn<2> {
        ops::back(g, self.words.clone(), self.scales.clone(), self.coding)
    }

    /// Losses, and gradients of hidden states or how far targets are below, as [`kernels::head`](super::kernels::head::head) gives them.
    pub(super) fn head(
        &self,
        hidden: Burn<2>,
        bias: Option<Burn<2>>,
        targets: Burn<2, Int>,
        how: How,
    ) -> (Burn<2>, Burn<2>) {
        head::head(hidden, (self.words.clone(), self.scales.clone(), self.coding), bias, targets, how)
    }

    /// Rows `[n, width]` of a table, by their numbers.
    pub(super) fn rows(&self, numbers: Burn<1, Int>) -> Result<Burn<2>> {
        if self.shape.len() != 2 {
            return Err(PluginError::new(format!("a table of {:?}: expected [rows, width]", self.shape)));
        }
        Ok(ops::rows(numbers, self.words.clone(), self.scales.clone(), self.coding))
    }
}
