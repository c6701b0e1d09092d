//! How the numbers of a tensor lie in a GGUF file.

use framework_base::Float;
use half::f16;
use rayon::prelude::*;

/// Elements of a block of `Q8_0`, which share a scale.
const BLOCK: usize = 32;
/// Bytes of such a block: a scale of 16 bits, and a byte an element.
const BLOCK_BYTES: usize = 34;

/// The format of a tensor's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// 32 or 16 bits each.
    Float(Float),
    /// 8 bits each and a scale for 32 of them, as ggml's `quantize_row_q8_0_ref` computes them.
    Q8,
}

impl Packing {
    /// The number of the format in files.
    pub fn code(self) -> u32 {
        match self {
            Packing::Float(Float::F32) => 0,
            Packing::Float(Float::F16) => 1,
            Packing::Q8 => 8,
            Packing::Float(Float::BF16) => 30,
        }
    }

    /// The format with a number.
    pub fn of_code(code: u32) -> Option<Self> {
        let all = [Float::F32, Float::F16, Float::BF16].map(Packing::Float);
        all.into_iter().chain([Packing::Q8]).find(|packing| packing.code() == code)
    }

    /// The number for a file whose large tensors have this format: `general.file_type`.
    pub fn file_type(self) -> u32 {
        match self {
            Packing::Float(Float::F32) => 0,
            Packing::Float(Float::F16) => 1,
            Packing::Q8 => 7,
            Packing::Float(Float::BF16) => 32,
        }
    }

    /// The name in llama.cpp.
    pub fn name(self) -> &'static str {
        match self {
            Packing::Float(float) => float.name(),
            Packing::Q8 => "Q8_0",
        }
    }

    /// The format in which a tensor is stored whose file has this format: rows that are no multiple of a block take 16
    /// bits an element.
    pub fn fitting(self, shape: &[usize]) -> Self {
        match self {
            Packing::Q8 if shape.last().is_none_or(|row| row % BLOCK != 0) => Packing::Float(Float::F16),
            other => other,
        }
    }

    /// Bytes of so many elements.
    pub fn bytes(self, elements: usize) -> usize {
        match self {
            Packing::Float(float) => elements * float.size(),
            Packing::Q8 => elements / BLOCK * BLOCK_BYTES,
        }
    }

    /// Whether elements from this number on can be read without those before.
    pub(super) fn divides(self, element: usize) -> bool {
        matches!(self, Packing::Float(_)) || element.is_multiple_of(BLOCK)
    }

    /// Numbers to bytes, rounded to the nearest. None if a finite number is out of range.
    pub fn encode(self, numbers: &[f32]) -> Option<Vec<u8>> {
        let Packing::Q8 = self else {
            let Packing::Float(float) = self else { return None };
            return float.encode(numbers);
        };
        let mut out = vec![0; self.bytes(numbers.len())];
        let tasks = out.par_chunks_exact_mut(BLOCK_BYTES).zip(numbers.par_chunks_exact(BLOCK));
        tasks.map(|(out, block)| quantize(block, out)).reduce(|| true, |a, b| a && b).then_some(out)
    }

    /// Bytes to numbers.
    pub fn decode(self, bytes: &[u8]) -> Vec<f32> {
        let Packing::Q8 = self else {
            let Packing::Float(float) = self else { return Vec::new() };
            return float.decode(bytes);
        };
        let mut out = vec![0.0; bytes.len() / BLOCK_BYTES * BLOCK];
        out.par_chunks_exact_mut(BLOCK).zip(bytes.par_chunks_exact(BLOCK_BYTES)).for_each(|(out, bytes)| {
            let scale = f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
            out.iter_mut().zip(&bytes[2..]).for_each(|(out, byte)| *out = scale * f32::from(*byte as i8));
        });
        out
    }
}

/// `d = max|x| / 127`, `q = round(x / d)` with halves away from zero. The scale is stored in 16 bits, but the elements
/// are divided by it as it is in 32, as ggml does.
fn quantize(block: &[f32], out: &mut [u8]) -> bool {
    let scale = block.iter().fold(0f32, |most, x| most.max(x.abs())) / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let stored = f16::from_f32(scale);
    out[..2].copy_from_slice(&stored.to_le_bytes());
    out[2..].iter_mut().zip(block).for_each(|(out, x)| *out = (x * inverse).round() as i8 as u8);
    stored.is_finite() && block.iter().all(|x| x.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_a_scale_and_a_byte_an_element() {
        let mut block = [0f32; 32];
        (block[0], block[1], block[2]) = (-127.0, 2.5, 0.4);
        let bytes = Packing::Q8.encode(&block).unwrap();
        assert_eq!(bytes.len(), 34);
        assert_eq!(bytes[..5], [0x00, 0x3c, 0x81, 3, 0], "the scale is 1; 2.5 is rounded away from zero");
        assert_eq!(Packing::Q8.decode(&bytes)[..3], [-127.0, 3.0, 0.0]);
        assert_eq!(Packing::Q8.encode(&[0.0; 32]).unwrap(), [0; 34]);
        assert!(Packing::Q8.encode(&[f32::MAX; 32]).is_none(), "no scale of 16 bits is so large");
    }

    #[test]
    fn rows_that_are_no_multiple_of_a_block_take_16_bits() {
        assert_eq!(Packing::Q8.fitting(&[3, 64]), Packing::Q8);
        assert_eq!(Packing::Q8.fitting(&[64, 24]), Packing::Float(Float::F16));
        assert_eq!(Packing::Float(Float::BF16).fitting(&[64, 24]), Packing::Float(Float::BF16));
    }

    #[test]
    fn numbers_of_formats_lead_back_to_them() {
        for packing in
            [Packing::Float(Float::F32), Packing::Float(Float::F16), Packing::Float(Float::BF16), Packing::Q8]
        {
            assert_eq!(Packing::of_code(packing.code()), Some(packing));
        }
        assert_eq!(Packing::of_code(2), None);
    }
}
