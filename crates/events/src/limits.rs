//! Size limits of an event, and the reasons an event cannot be sent.

use thiserror::Error;

use crate::kinds::EventKind;

/// Adobe's limit for a request body: 64 KB.
const MAX_REQUEST_BYTES: usize = 65_536;
/// Bytes that a request with a single event adds to it.
const ENVELOPE: &str = r#"{"events":[]}"#;

/// Largest event that can be sent, in bytes. Alone in a request it fills Adobe's limit of 65,536 bytes.
pub const MAX_EVENT_BYTES: usize = MAX_REQUEST_BYTES - ENVELOPE.len();

/// Longest text in an event, in bytes. Commerce's own columns hold 255 characters; longer texts come from extensions. They
/// are cut at a character boundary and end with `…`.
pub const MAX_TEXT_BYTES: usize = 512;

/// A reason an event can never be sent. The event is parked with this text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unsendable {
    /// The event exceeds the size of a request.
    #[error(
        "the event has {bytes} bytes and a request at most {limit}: it has too many item lines to be sent"
    )]
    TooLarge { bytes: usize, limit: usize },
    /// RFC 3339 cannot represent the document's date.
    #[error(
        "the document's date, {millis} ms since 1970, is outside the years 0 to 9999; correct it in Commerce"
    )]
    Timestamp { millis: i64 },
    /// The document is no longer part of the order.
    #[error("document {document_id} of the {kind} event is no longer part of the order")]
    DocumentGone { kind: EventKind, document_id: i64 },
    /// JSON encoding failed.
    #[error("the event cannot be written as JSON: {cause}")]
    Encoding { cause: String },
}

impl Unsendable {
    /// Returns a stable code for scripts and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::Timestamp { .. } => "bad_timestamp",
            Self::DocumentGone { .. } => "document_gone",
            Self::Encoding { .. } => "encoding",
        }
    }
}
