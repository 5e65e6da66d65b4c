//! What can be sent at all, and the words for what cannot.

use thiserror::Error;

use crate::kinds::EventKind;

/// Adobe's limit for a request body: 64 KB.
const MAX_REQUEST_BYTES: usize = 65_536;
/// What a request with a single event adds to it.
const ENVELOPE: &str = r#"{"events":[]}"#;

/// The largest event that can be sent, in bytes: alone in a request it makes 65,536, Adobe's limit.
pub const MAX_EVENT_BYTES: usize = MAX_REQUEST_BYTES - ENVELOPE.len();

/// The longest text in an event, in bytes. Commerce's own columns hold 255 characters; what is longer was put there by
/// something else, is cut at a character's end, and then ends with `…`.
pub const MAX_TEXT_BYTES: usize = 512;

/// Why an event cannot be sent, now or ever. It is parked with this sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unsendable {
    /// More bytes than a request may have.
    #[error(
        "the event has {bytes} bytes and a request at most {limit}: it has too many item lines to be sent"
    )]
    TooLarge {
        /// Size of the event.
        bytes: usize,
        /// [`MAX_EVENT_BYTES`].
        limit: usize,
    },
    /// A moment that RFC 3339 cannot write.
    #[error(
        "the document's date, {millis} ms since 1970, lies outside the years 0 to 9999; correct it in Commerce"
    )]
    Timestamp {
        /// Milliseconds since 1970.
        millis: i64,
    },
    /// The order does not hold the document any more.
    #[error("document {document_id} of the {kind} event is no longer part of the order")]
    DocumentGone {
        /// Kind of the event.
        kind: EventKind,
        /// Id of the document.
        document_id: i64,
    },
    /// The encoder refused.
    #[error("the event cannot be written as JSON: {cause}")]
    Encoding {
        /// What the encoder said.
        cause: String,
    },
}

impl Unsendable {
    /// A stable word for scripts and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::Timestamp { .. } => "bad_timestamp",
            Self::DocumentGone { .. } => "document_gone",
            Self::Encoding { .. } => "encoding",
        }
    }
}
