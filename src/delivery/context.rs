//! The inputs and outcomes of delivery.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::delivery::http::client::ClientError;
use crate::delivery::stats::DeliveryStats;
use crate::store::{Store, StoreError};
use orderfeed_model::clock::Clock;

/// The inputs of a delivery run.
#[derive(Debug)]
pub struct DeliveryContext {
    pub store: Store,
    /// Clock for all times that are stored or compared with stored times.
    pub clock: Clock,
    /// The configuration. Changes take effect without dropping requests in flight.
    pub config: watch::Receiver<Arc<Config>>,
    /// Starts no new requests; those in flight have `delivery.stop_budget`.
    pub stop: CancellationToken,
    /// Ends at once.
    pub abort: CancellationToken,
    pub stats: Arc<DeliveryStats>,
}

/// The outcome of a delivery run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Number of requests that were in flight at the stop and were answered.
    pub finished_requests: u64,
    /// Number of requests in flight that were abandoned. The next start sends their events again.
    pub abandoned_requests: u64,
    /// Number of events that are pending in the outbox.
    pub pending_events: u64,
}

/// The reason why delivery cannot continue.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("a delivery task crashed: {0}; this is a bug, please report it")]
    Lane(String),
}
