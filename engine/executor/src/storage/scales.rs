//! Scales of blocks, quantized too: 8-bit codes in blocks of 256, as the "double quantization" of Dettmers et al., 2023
//! (arXiv:2305.14314), with the dynamic code of Dettmers, 2016 (arXiv:1511.04561).

use super::dynamic8::SIGNED;

/// Scales that share a scale of their own.
pub(super) const BLOCK: usize = 256;
/// Quantized scales: their codes, the scale of each block of them, and their mean.
pub(super) struct Quantized {
    pub codes: Vec<u8>,
    pub absmax: Vec<f32>,
    pub offset: f32,
}

/// Quantizes scales around their mean.
pub(super) fn quantize(scales: &[f32]) -> Quantized {
    let offset = (scales.iter().map(|x| f64::from(*x)).sum::<f64>() / scales.len().max(1) as f64) as f32;
    let centred: Vec<f32> = scales.iter().map(|x| x - offset).collect();
    let (mut codes, mut absmax) = (Vec::with_capacity(scales.len()), Vec::new());
    for block in centred.chunks(BLOCK) {
        let most = block.iter().fold(0f32, |m, x| m.max(x.abs()));
        codes.extend(block.iter().map(|x| if most > 0.0 { nearest(x / most) } else { 0 }));
        absmax.push(most);
    }
    Quantized { codes, absmax, offset }
}

/// The code whose number is nearest; of two that are equally far, the lower.
fn nearest(x: f32) -> u8 {
    let numbers = &SIGNED.numbers;
    let above = numbers.partition_point(|code| *code <= x);
    let below = above.saturating_sub(1);
    let higher = above.min(255);
    if (numbers[higher] - x).abs() < (x - numbers[below]).abs() { higher as u8 } else { below as u8 }
}

/// A scale from its code.
pub(super) fn decode(code: u8, absmax: f32, offset: f32) -> f32 {
    SIGNED.numbers[code as usize] * absmax + offset
}
