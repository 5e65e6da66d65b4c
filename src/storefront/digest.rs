//! Hashes of files, in the forms that browsers, npm and names of files use.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// Returns the value of the attribute `integrity` for a script.
pub(crate) fn integrity(content: &[u8]) -> String {
    format!("sha384-{}", STANDARD.encode(Sha384::digest(content)))
}

/// Returns the hash by which npm pins a tarball.
pub(crate) fn sha512(content: &[u8]) -> String {
    STANDARD.encode(Sha512::digest(content))
}

/// Returns a hash for the name of a file: the same name always has the same content.
pub(crate) fn short(content: &[u8]) -> String {
    hex::encode(&Sha256::digest(content)[..8])
}

/// Returns the whole SHA-256 in hexadecimal.
pub(crate) fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_integrity_of_a_known_text_is_the_published_one() {
        // The example of the specification "Subresource Integrity".
        assert_eq!(
            integrity(b"alert('Hello, world.');"),
            "sha384-H8BRh8j48O9oYatfu5AZzq6A9RINhZO5H16dQZngK7T62em8MUt1FLm52t+eX6xO"
        );
        assert_eq!(short(b"").len(), 16);
        assert!(sha512(b"").starts_with("z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg"));
    }
}
