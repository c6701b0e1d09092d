//! Number formats in files: to and from f32.

use half::{bf16, f16};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Elements that one task converts: enough to be worth its start.
const CHUNK: usize = 1 << 16;

/// A number format that weights are stored in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Float {
    /// 32-bit.
    #[default]
    F32,
    /// 16-bit, IEEE half precision.
    F16,
    /// 16-bit with the exponent of f32.
    BF16,
}

impl Float {
    /// Bytes per element.
    pub fn size(self) -> usize {
        if self == Float::F32 { 4 } else { 2 }
    }

    /// The name in safetensors headers.
    pub fn name(self) -> &'static str {
        match self {
            Float::F32 => "F32",
            Float::F16 => "F16",
            Float::BF16 => "BF16",
        }
    }

    /// The name in `config.json`.
    pub fn torch_name(self) -> &'static str {
        match self {
            Float::F32 => "float32",
            Float::F16 => "float16",
            Float::BF16 => "bfloat16",
        }
    }

    /// Little-endian bytes to numbers; exact.
    pub fn decode(self, bytes: &[u8]) -> Vec<f32> {
        let mut out = vec![0.0; bytes.len() / self.size()];
        self.decode_into(bytes, &mut out);
        out
    }

    /// [`Float::decode`], into a slice of as many numbers.
    pub fn decode_into(self, bytes: &[u8], out: &mut [f32]) {
        let size = self.size();
        out.par_chunks_mut(CHUNK).zip(bytes.par_chunks(CHUNK * size)).for_each(|(out, bytes)| match self {
            Float::F32 => each(out, bytes, f32::from_le_bytes),
            Float::F16 => each(out, bytes, |b| f16::from_le_bytes(b).to_f32()),
            Float::BF16 => each(out, bytes, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)),
        });
    }

    /// Numbers to little-endian bytes, rounded to the nearest. None if a finite number is out of range.
    pub fn encode(self, numbers: &[f32]) -> Option<Vec<u8>> {
        let size = self.size();
        let mut out = vec![0; numbers.len() * size];
        let tasks = out.par_chunks_mut(CHUNK * size).zip(numbers.par_chunks(CHUNK));
        let fits = tasks.map(|(out, numbers)| match self {
            Float::F32 => put(out, numbers, |x| Some(x.to_le_bytes())),
            Float::F16 => put(out, numbers, |x| {
                let y = f16::from_f32(x);
                (y.is_finite() || !x.is_finite()).then(|| y.to_le_bytes())
            }),
            Float::BF16 => put(out, numbers, |x| {
                let y = bf16::from_f32(x);
                (y.is_finite() || !x.is_finite()).then(|| y.to_le_bytes())
            }),
        });
        fits.reduce(|| true, |a, b| a && b).then_some(out)
    }
}

fn each<const N: usize>(out: &mut [f32], bytes: &[u8], f: impl Fn([u8; N]) -> f32) {
    for (out, bytes) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *out = f(*bytes);
    }
}

fn put<const N: usize>(out: &mut [u8], numbers: &[f32], f: impl Fn(f32) -> Option<[u8; N]>) -> bool {
    out.as_chunks_mut::<N>().0.iter_mut().zip(numbers).all(|(out, x)| f(*x).map(|bytes| *out = bytes).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit patterns from IEEE 754-2019 and from bfloat16's definition as the upper half of an f32.
    #[test]
    fn known_bit_patterns() {
        let f16_bytes = [0x3c00u16, 0xc000, 0x7bff, 0x0001].map(u16::to_le_bytes).concat();
        assert_eq!(Float::F16.decode(&f16_bytes), [1.0, -2.0, 65504.0, 5.960_464_5e-8]);
        let bf16_bytes = [0x3f80u16, 0xc000, 0x4049].map(u16::to_le_bytes).concat();
        assert_eq!(Float::BF16.decode(&bf16_bytes), [1.0, -2.0, 3.140_625]);
        assert_eq!(Float::BF16.encode(&[1.0, -2.0, std::f32::consts::PI]).unwrap(), bf16_bytes);
        assert_eq!(Float::F16.encode(&[1.0, -2.0, 65504.0, 5.960_464_5e-8]).unwrap(), f16_bytes);
    }

    #[test]
    fn ties_round_to_even() {
        // bf16 has 1, 1 + 2^-7 and 1 + 2^-6 here; these lie half way between.
        let half_way = [1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0];
        assert_eq!(Float::BF16.encode(&half_way).unwrap(), [0x3f80u16, 0x3f82].map(u16::to_le_bytes).concat());
    }

    #[test]
    fn long_tensors_are_converted_whole() {
        let numbers: Vec<f32> = (0..3 * CHUNK + 7).map(|i| i as f32).collect();
        assert_eq!(Float::F32.decode(&Float::F32.encode(&numbers).unwrap()), numbers);
    }

    #[test]
    fn numbers_out_of_range_are_noticed() {
        assert!(Float::F16.encode(&[1.0, 70000.0]).is_none());
        assert!(Float::F16.encode(&[f32::INFINITY]).is_some());
        assert!(Float::BF16.encode(&[70000.0]).is_some());
    }
}
