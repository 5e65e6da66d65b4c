//! Results of indexing, for the log and for commands.

/// Counts of one batch, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexed {
    /// Orders read.
    pub orders: u64,
    /// Orders that were new or had changed.
    pub changed: u64,
    /// Events that entered the outbox.
    pub events: u64,
    /// Events that entered it again after they had been delivered.
    pub resent: u64,
    /// Events that were parked at once.
    pub parked: u64,
    /// Orders that could not be indexed and are retried alone.
    pub failed: u64,
    /// Orders that no longer exist.
    pub deleted: u64,
}

impl Indexed {
    /// Adds the counts of another batch.
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

/// The result of draining the changelog, once or several times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViewUpdate {
    pub indexed: Indexed,
    /// Batches that were committed.
    pub batches: u64,
    pub took_ms: i64,
}

/// The progress of a backfill or a verification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Orders that it covers, as estimated.
    pub total: u64,
    /// Orders done.
    pub done: u64,
    /// Events that entered the outbox.
    pub events: u64,
    /// Milliseconds since its start.
    pub elapsed_ms: i64,
}

impl Progress {
    /// Returns the average number of orders per second.
    pub fn rate(&self) -> f64 {
        if self.elapsed_ms <= 0 {
            0.0
        } else {
            self.done as f64 * 1000.0 / self.elapsed_ms as f64
        }
    }

    /// Estimates the seconds left at the average rate.
    pub fn eta_s(&self) -> Option<u64> {
        let rate = self.rate();
        (rate > 0.0).then(|| (self.total.saturating_sub(self.done) as f64 / rate).ceil() as u64)
    }
}

/// The result of a complete backfill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackfillReport {
    /// Counts of this run, without what ran before a resumption.
    pub indexed: Indexed,
    /// Milliseconds from the backfill's start to its end.
    pub elapsed_ms: i64,
}
