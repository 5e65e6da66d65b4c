//! The inputs of the ledger.

use serde::Serialize;

use orderfeed_model::clock::UtcMillis;

/// An accepted event, ready to be recorded. Hash and scan are computed before the ledger is locked.
pub(crate) struct NewEvent<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) event_type: Option<&'a str>,
    pub(crate) purchase_id: Option<&'a str>,
    /// Hash of datastream, scope and order number.
    pub(crate) order_key: u64,
    pub(crate) timestamp: Option<UtcMillis>,
    /// Bytes of the event, as sent.
    pub(crate) bytes: &'a [u8],
    pub(crate) hash: u64,
    /// Kinds of personal data found in the bytes.
    pub(crate) personal: Vec<&'static str>,
    /// Result, unless the event is a duplicate.
    pub(crate) verdict: Verdict,
}

/// The result of processing an accepted event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Recorded,
    Ignored,
    /// Fails later, invisible to the sender.
    Failed {
        status: EventStatus,
        /// Violations of the schema.
        why: Vec<String>,
    },
}

/// The request that contained the events.
#[derive(Clone, Copy)]
pub(crate) struct Carrier<'a> {
    /// The datastream or inlet.
    pub(crate) datastream: &'a str,
    pub(crate) request_id: &'a str,
    /// ECID of the browser that sent it.
    pub(crate) visitor: Option<&'a str>,
    pub(crate) at: UtcMillis,
}

/// The answer to a request.
#[derive(Debug, Default)]
pub(crate) struct Outcome<'a> {
    /// HTTP status; 0 = the connection was closed without an answer.
    pub(crate) status: u16,
    /// Number of events, if known.
    pub(crate) n_events: Option<usize>,
    /// Client whose token was used.
    pub(crate) auth_client: Option<String>,
    pub(crate) ru: u64,
    pub(crate) retry_after: Option<String>,
    pub(crate) fault: Option<String>,
    pub(crate) datastream: Option<&'a str>,
    /// ECID of the browser that sent the request.
    pub(crate) visitor: Option<String>,
    pub(crate) consent: Option<Consent>,
}

/// A visitor's choice whether data about them may be collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    In,
    Out,
    /// Not decided.
    Pending,
}

/// The result of processing an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    Recorded,
    /// Accepted and ignored, because its person opted out.
    Ignored,
    /// Accepted, and rejected later by schema validation.
    FailedBatch,
    /// Accepted into the data lake, but too large for the profile store.
    ProfileRejected,
    /// Recorded before under this `_id`.
    DuplicateId,
}
