//! The life of the daemon process: start, signals, reload, watchdog, and the two ways to end.

pub(crate) mod liveness;
pub(crate) mod reload;
pub mod signals;
pub mod source_kind;
pub mod start;
pub(crate) mod supervision;
pub mod vitals;

use tokio_util::sync::CancellationToken;

/// The two ways to end. Every task has a clone.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// Start nothing new, finish the requests in flight, end.
    pub stop: CancellationToken,
    /// End now. What is in flight stays pending, and the next start sends it again.
    pub abort: CancellationToken,
}
