//! What indexing did, for logs and commands.

/// What one batch, or several together, did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexed {
    /// Orders looked at.
    pub orders: u64,
    /// Of them, those that were new or had changed.
    pub changed: u64,
    /// Events that entered the outbox.
    pub events: u64,
    /// Of them, those that had been delivered before (a forced resend).
    pub resent: u64,
    /// Events that were parked at once.
    pub parked: u64,
    /// Orders that could not be indexed and are retried alone.
    pub failed: u64,
    /// Orders that no longer exist.
    pub deleted: u64,
}

impl Indexed {
    /// Adds another batch.
    pub fn add(&mut self, other: Self) {
        self.orders += other.orders;
        self.changed += other.changed;
        self.events += other.events;
        self.resent += other.resent;
        self.parked += other.parked;
        self.failed += other.failed;
        self.deleted += other.deleted;
    }
}

/// How far a backfill is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Orders that it covers; an estimate.
    pub total: u64,
    /// Orders done.
    pub done: u64,
    /// Events that entered the outbox.
    pub events: u64,
    /// Since it began, in milliseconds.
    pub elapsed_ms: i64,
}

impl Progress {
    /// Orders a second so far.
    pub fn rate(&self) -> f64 {
        if self.elapsed_ms <= 0 {
            0.0
        } else {
            self.done as f64 * 1000.0 / self.elapsed_ms as f64
        }
    }

    /// Seconds until the end at this rate, if that can be said.
    pub fn eta_s(&self) -> Option<u64> {
        let rate = self.rate();
        (rate > 0.0).then(|| (self.total.saturating_sub(self.done) as f64 / rate).ceil() as u64)
    }
}

/// A backfill that is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackfillReport {
    /// What this run of it did (a resumed backfill's earlier part is not in it).
    pub indexed: Indexed,
    /// From its start to its end, in milliseconds.
    pub elapsed_ms: i64,
}
