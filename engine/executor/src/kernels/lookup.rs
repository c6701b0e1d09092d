//! Numbers of 4-bit codes, two in a byte, the first in its upper half.

/// As many numbers as the bytes have codes.
pub fn looked_up(bytes: &[u8], table: &[f32; 16], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if super::has_avx512() {
        // SAFETY: the instructions are there.
        #[expect(unsafe_code, reason = "vector instructions")]
        return unsafe { wide(bytes, table, out) };
    }
    plain(bytes, table, out);
}

fn plain(bytes: &[u8], table: &[f32; 16], out: &mut [f32]) {
    for (out, both) in out.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *out = [table[usize::from(both >> 4)], table[usize::from(both & 15)]];
    }
}

/// The table lies in one register: 16 codes are looked up at a time.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "vector instructions")]
unsafe fn wide(bytes: &[u8], table: &[f32; 16], out: &mut [f32]) {
    use std::arch::x86_64::*;
    const SIDE: usize = 16;
    let (parts, rest) = bytes.as_chunks::<SIDE>();
    let (outs, others) = out.as_chunks_mut::<{ 2 * SIDE }>();
    let numbers = |codes| {
        // SAFETY: an array of 16 numbers.
        let table = unsafe { _mm512_loadu_ps(table.as_ptr()) };
        _mm512_permutexvar_ps(codes, table)
    };
    // Of one side and the other in turn.
    let first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    let second = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    for (bytes, out) in parts.iter().zip(outs) {
        // SAFETY: an array of 16 bytes.
        let codes = _mm512_cvtepu8_epi32(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) });
        // Only the lowest four bits of an index count.
        let (upper, lower) = (numbers(_mm512_srli_epi32::<4>(codes)), numbers(codes));
        // SAFETY: an array of 32 numbers.
        unsafe {
            _mm512_storeu_ps(out.as_mut_ptr(), _mm512_permutex2var_ps(upper, first, lower));
            _mm512_storeu_ps(out.as_mut_ptr().add(SIDE), _mm512_permutex2var_ps(upper, second, lower));
        }
    }
    plain(rest, table, others);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_finds_the_same() {
        let table: [f32; 16] = std::array::from_fn(|i| i as f32 * 1.5 - 3.0);
        let bytes: Vec<u8> = (0..=255).chain(0..37).collect();
        for count in [0, 1, 15, 16, 17, 293] {
            let [mut found, mut expected] = [0, 1].map(|_| vec![9.0; 2 * count]);
            looked_up(&bytes[..count], &table, &mut found);
            plain(&bytes[..count], &table, &mut expected);
            assert_eq!(found, expected);
        }
    }
}
