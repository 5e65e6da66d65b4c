//! Live traffic: beside live changes, backfills and verifications read and write smaller pieces.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use orderfeed_model::clock::UtcMillis;

/// Time after a live change within which another one is expected. A shop with fewer changes has its history indexed at
/// full speed: a change that arrives then waits for the work in progress, not for what is queued behind it.
const EXPECTED_MS: i64 = 2_000;
/// Orders that a backfill or verification reads at once, and a backfill writes in one transaction, beside live changes.
pub(crate) const PIECE: usize = 50;
/// A rest lasts this many times as long as the piece before it took, and at most `LONGEST_REST`.
const REST_FACTOR: u32 = 2;
const LONGEST_REST: Duration = Duration::from_millis(40);

/// Time of the last live change, shared by capture, which sees it first, and the indexer.
#[derive(Debug, Default)]
pub struct LiveTraffic {
    last_millis: AtomicI64,
}

impl LiveTraffic {
    pub(crate) fn record(&self, now: UtcMillis) {
        // Relaxed: an outdated value only changes the size of a piece.
        self.last_millis.store(now.0, Ordering::Relaxed);
    }

    /// Returns true if a live change was recorded within the last two seconds.
    pub(crate) fn is_recent(&self, now: UtcMillis) -> bool {
        let last = UtcMillis(self.last_millis.load(Ordering::Relaxed));
        (0..EXPECTED_MS).contains(&now.millis_since(last))
    }
}

/// Rests after a piece that began at `begun`, so that a live change finds a free core. Returns the length of the rest.
pub(crate) async fn rest(begun: Instant) -> Duration {
    let pause = (begun.elapsed() * REST_FACTOR).min(LONGEST_REST);
    tokio::time::sleep(pause).await;
    pause
}
