//! Measures where the time of backfills goes, so that the factor that limits a first sync can be named.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Time that the backfills of this process spent, in milliseconds.
#[derive(Debug, Default)]
pub struct BackfillPace {
    reading: AtomicU64,
    applying: AtomicU64,
    waiting: AtomicU64,
}

/// The times of [`BackfillPace`] at one moment; they only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackfillTimes {
    /// Waiting for the source to answer.
    pub reading_ms: u64,
    /// Deriving and committing.
    pub applying_ms: u64,
    /// Waiting for room in the outbox or on the disk.
    pub waiting_ms: u64,
}

impl BackfillPace {
    pub fn times(&self) -> BackfillTimes {
        BackfillTimes {
            reading_ms: self.reading.load(Ordering::Relaxed),
            applying_ms: self.applying.load(Ordering::Relaxed),
            waiting_ms: self.waiting.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn add_reading(&self, time: Duration) {
        add(&self.reading, time);
    }

    pub(crate) fn add_applying(&self, time: Duration) {
        add(&self.applying, time);
    }

    pub(crate) fn add_waiting(&self, time: Duration) {
        add(&self.waiting, time);
    }
}

fn add(counter: &AtomicU64, time: Duration) {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    counter.fetch_add(millis, Ordering::Relaxed);
}
