//! `TFRecord` framing: length, its checksum, the data, its checksum; all little-endian.
//!
//! Source: TensorFlow's `tensorflow/core/lib/io/record_writer.h`. A checksum is a CRC-32C that is rotated and shifted, so
//! that a checksum of data that holds checksums is not a special case.

/// One record.
pub fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked(data).to_le_bytes());
    record
}

fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-32C (RFC 3720, B.4), and what TensorBoard's `masked_crc32c` makes of it.
    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked(b"123456789"), 0xc78a_b0e5);
        assert_eq!(framed(b"ab").len(), 18);
    }
}
