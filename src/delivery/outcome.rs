//! How delivery ends, and why it may end early.

use crate::delivery::client::ClientError;
use crate::store::StoreError;

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Requests that were in flight at the stop and were answered.
    pub finished_requests: u64,
    /// Requests in flight that were given up; their events are sent again by the next start.
    pub abandoned_requests: u64,
    /// Events that wait in the outbox.
    pub pending_events: u64,
}

/// Why delivery cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There can be no HTTP client with this configuration.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A request's task crashed.
    #[error("a delivery task crashed: {0}; this is a bug, please report it")]
    Lane(String),
}
