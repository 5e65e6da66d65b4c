//! Gzip without compression: stored deflate blocks (RFC 1951 §3.2.4) in an RFC 1952 frame. Enough to test a client's
//! support of `Content-Encoding: gzip`.

/// Wraps `data` as a gzip member of stored blocks.
pub(crate) fn gzip_stored(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 32);
    out.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    let blocks = data.len().div_ceil(STORED_MAX).max(1);
    for index in 0..blocks {
        let start = index * STORED_MAX;
        let block = &data[start..data.len().min(start + STORED_MAX)];
        let len = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(index + 1 == blocks));
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&(!len).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&crc32(data).to_le_bytes());
    out.extend_from_slice(&u32::try_from(data.len() & 0xffff_ffff).unwrap_or(0).to_le_bytes());
    out
}

/// Largest stored block, in bytes.
const STORED_MAX: usize = 65_535;

/// Computes the CRC-32 (IEEE, reflected). Replies are small, so a table would not pay.
fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32_matches_the_published_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn long_data_is_split_into_stored_blocks() {
        let data = vec![7_u8; 70_000];
        let out = gzip_stored(&data);
        assert_eq!(out.len(), 10 + 2 * 5 + 70_000 + 8);
        assert_eq!(out[10], 0, "the first block is not the last");
        assert_eq!(out[10 + 5 + STORED_MAX], 1, "the second is");
    }
}
