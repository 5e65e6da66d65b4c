//! Whether live changes come in right now: backfills and verifications take smaller pieces then.

use std::sync::atomic::{AtomicI64, Ordering};

use orderfeed_model::clock::UtcMillis;

/// For so long after a live change, another one is expected. A shop with fewer of them has its history sent at full
/// speed: a change that meets a backfill then waits for what is under way, not for what waits.
const EXPECTED_MS: i64 = 2_000;

/// When the last live change was met. Shared by capture, which meets it first, and whoever indexes.
#[derive(Debug, Default)]
pub struct LiveTraffic {
    /// Milliseconds since the epoch.
    last: AtomicI64,
}

impl LiveTraffic {
    /// A live change is there.
    pub(crate) fn note(&self, now: UtcMillis) {
        self.last.store(now.0, Ordering::Relaxed);
    }

    /// Whether there was one a moment ago.
    pub(crate) fn is_on(&self, now: UtcMillis) -> bool {
        let last = UtcMillis(self.last.load(Ordering::Relaxed));
        (0..EXPECTED_MS).contains(&now.millis_since(last))
    }
}
