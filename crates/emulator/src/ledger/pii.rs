//! A search for personal data in an event's bytes, which the default privacy profile must never send.

use serde::Serialize;

/// Possible personal data in an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PiiFinding {
    pub id: String,
    /// `email`, `personalEmail` or `street`. Never the value itself.
    pub what: &'static str,
}

/// Returns the kinds of personal data in an event, each once. A plain e-mail is `text@text.text` within one JSON
/// string, except an organization id (`…@AdobeOrg`).
pub(crate) fn findings(bytes: &[u8]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        let what = match byte {
            b'@' if is_email(bytes, at) => "email",
            b'"' if bytes[at + 1..].starts_with(b"personalEmail") => "personalEmail",
            b'"' if bytes[at + 1..].starts_with(b"street") => "street",
            _ => continue,
        };
        if !found.contains(&what) {
            found.push(what);
        }
    }
    found
}

fn is_email(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).map(|index| bytes[index]);
    let tail = &bytes[at + 1..];
    let end = tail
        .iter()
        .position(|byte| !is_address_byte(*byte))
        .unwrap_or(tail.len());
    let domain = &tail[..end];
    let dot = domain.iter().rposition(|byte| *byte == b'.');
    before.is_some_and(is_address_byte)
        && !domain.starts_with(b"AdobeOrg")
        && dot.is_some_and(|dot| dot > 0 && dot + 1 < domain.len())
}

fn is_address_byte(byte: u8) -> bool {
    !matches!(byte, b' ' | b'"' | b'@' | b',' | b'<' | b'>' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_and_address_keys_are_found() {
        assert_eq!(findings(br#"{"id":"jo@example.com","x":"a@b.c"}"#), ["email"]);
        assert_eq!(
            findings(br#"{"personalEmail":{"address":"x"}}"#),
            ["personalEmail"]
        );
        assert_eq!(findings(br#"{"street1":"Main St"}"#), ["street"]);
    }

    #[test]
    fn organization_ids_and_loose_at_signs_are_not() {
        for clean in [
            r#"{"org":"53A16ACB5CC1D3760A495C99@AdobeOrg"}"#,
            r#""@media.x""#,
            r#""a @ b.c""#,
            r#""a@b""#,
            r#""a@b.""#,
            r#""mainstreet""#,
        ] {
            assert!(findings(clean.as_bytes()).is_empty(), "{clean}");
        }
    }
}
