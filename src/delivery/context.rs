//! What delivery is given, and how it ends.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::delivery::http::client::ClientError;
use crate::delivery::stats::DeliveryStats;
use crate::store::{Store, StoreError};
use orderfeed_model::clock::Clock;

/// What delivery works with.
#[derive(Debug)]
pub struct DeliveryContext {
    /// The store with the outbox.
    pub store: Store,
    /// Time for everything that is stored or compared with stored times.
    pub clock: Clock,
    /// The configuration; changes take effect without dropping a request in flight.
    pub config: watch::Receiver<Arc<Config>>,
    /// No new requests; those in flight have `delivery.stop_budget`.
    pub stop: CancellationToken,
    /// The end, at once.
    pub abort: CancellationToken,
    /// Counts what happens.
    pub observer: Arc<DeliveryStats>,
}

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
