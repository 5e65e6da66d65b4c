//! Encodings of a signature, as Commerce's PHP does them.

use std::cmp::Ordering;

use sha2::{Digest, Sha256};

/// Decodes `%XX`, and leaves `+` and invalid sequences as they are (`rawurldecode`).
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| (*byte as char).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Decodes a form value: `%XX`, and `+` as a blank (`urldecode`).
pub(crate) fn decode_form(text: &str) -> String {
    decode(&text.replace('+', "%20"))
}

/// Encodes everything but unreserved characters (RFC 3986).
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Compares in natural order, in which `a[9]` precedes `a[10]` (`strnatcmp`).
pub(crate) fn natural_order(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let (mut i, mut j) = (0, 0);
    loop {
        match (left.get(i), right.get(j)) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let (one, other) = (digits(&left[i..]), digits(&right[j..]));
                let compared = compare_numbers(one, other);
                if compared != Ordering::Equal {
                    return compared;
                }
                i += one.len();
                j += other.len();
            }
            (Some(a), Some(b)) if a == b => {
                i += 1;
                j += 1;
            }
            (Some(a), Some(b)) => return a.cmp(b),
        }
    }
}

fn digits(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    &text[..end.unwrap_or(text.len())]
}

/// Compares two runs of digits. A run with a leading zero is a fraction, so it is compared from the left.
fn compare_numbers(left: &[u8], right: &[u8]) -> Ordering {
    if left.first() == Some(&b'0') || right.first() == Some(&b'0') {
        return left.cmp(right);
    }
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// Computes HMAC-SHA256 (RFC 2104).
pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut padded = [0_u8; BLOCK];
    if key.len() > BLOCK {
        padded[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        padded[..key.len()].copy_from_slice(key);
    }
    let keyed = |pad: u8| padded.map(|byte| byte ^ pad);
    let inner = Sha256::new()
        .chain_update(keyed(0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(keyed(0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

/// Encodes as Base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .chain([&0; 2])
            .take(3)
            .fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
        for position in 0..4 {
            if position <= chunk.len() {
                out.push(ALPHABET[(group >> (18 - 6 * position) & 63) as usize] as char);
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn hmac_agrees_with_the_vectors_of_rfc_4231() {
        assert_eq!(
            hex(&hmac(&[0x0b; 20], b"Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            hex(&hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(
            hex(&hmac(&[0xaa; 131], text)),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn base64_agrees_with_the_vectors_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn natural_order_differs_from_that_of_bytes_from_ten_on() {
        assert_eq!(natural_order("a[9]", "a[10]"), Ordering::Less);
        assert_eq!("a[9]".cmp("a[10]"), Ordering::Greater);
        assert_eq!(natural_order("a[1][b]", "a[1][a]"), Ordering::Greater);
        assert_eq!(natural_order("a", "ab"), Ordering::Less);
    }

    #[test]
    fn only_a_form_reads_a_plus_as_a_blank() {
        assert_eq!(decode("a+b%20c%2Bd%zz"), "a+b c+d%zz");
        assert_eq!(decode_form("a+b%2B"), "a b+");
        assert_eq!(encode("a b+/Ä~"), "a%20b%2B%2F%C3%84~");
    }
}
