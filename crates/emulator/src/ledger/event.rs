//! What goes into the ledger.

use serde::Serialize;

use orderfeed_model::clock::UtcMillis;

/// An accepted event on its way into the ledger. What costs time (hash, scan) is done before the ledger is locked.
pub(crate) struct NewEvent<'a> {
    /// `_id`, if it has one.
    pub(crate) id: Option<&'a str>,
    /// `eventType`.
    pub(crate) event_type: Option<&'a str>,
    /// The order's number.
    pub(crate) purchase_id: Option<&'a str>,
    /// A hash of datastream, scope and order number.
    pub(crate) order_key: u64,
    /// `timestamp`.
    pub(crate) timestamp: Option<UtcMillis>,
    /// The event's bytes, as sent.
    pub(crate) bytes: &'a [u8],
    /// Their hash.
    pub(crate) hash: u64,
    /// What personal data they hold.
    pub(crate) personal: Vec<&'static str>,
    /// What becomes of it, unless it is a repetition.
    pub(crate) verdict: Verdict,
}

/// What becomes of an accepted event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is kept.
    Recorded,
    /// Its person opted out.
    Ignored,
    /// It fails later, unseen by the sender.
    Failed {
        /// How.
        status: EventStatus,
        /// What is wrong with it.
        why: Vec<String>,
    },
}

/// The request that carried events.
#[derive(Clone, Copy)]
pub(crate) struct Carrier<'a> {
    /// The datastream or inlet.
    pub(crate) datastream: &'a str,
    /// The id given back.
    pub(crate) request_id: &'a str,
    /// When it came.
    pub(crate) at: UtcMillis,
}

/// How a request was answered.
#[derive(Debug, Default)]
pub(crate) struct Outcome<'a> {
    /// The HTTP status; 0 = the connection was closed instead.
    pub(crate) status: u16,
    /// How many events it held, where that is known.
    pub(crate) n_events: Option<usize>,
    /// The client whose token it carried.
    pub(crate) auth_client: Option<String>,
    /// Its request units.
    pub(crate) ru: u64,
    /// `Retry-After` as given.
    pub(crate) retry_after: Option<String>,
    /// The fault it met.
    pub(crate) fault: Option<String>,
    /// The datastream it was for.
    pub(crate) datastream: Option<&'a str>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// Kept.
    Recorded,
    /// Received, but its person opted out.
    Ignored,
    /// Accepted, and thrown out later by schema validation.
    FailedBatch,
    /// Accepted into the lake, too large for the profile store.
    ProfileRejected,
    /// Kept before under this `_id`.
    DuplicateId,
}
