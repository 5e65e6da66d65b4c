//! Changes that were indexed and are told together, now and then.

use crate::indexer::report::Indexed;
use orderfeed_model::clock::UtcMillis;

/// Changes are summed up for so long.
const LOG_EVERY_MS: i64 = 30_000;

/// Changes that were indexed and not yet told.
#[derive(Debug, Default)]
pub(crate) struct ProgressLog {
    done: Indexed,
    batches: u64,
    took_ms: i64,
    logged_at: Option<UtcMillis>,
}

impl ProgressLog {
    pub(crate) fn add(&mut self, done: Indexed, batches: u64, took_ms: i64) {
        self.done.add(done);
        self.batches += batches;
        self.took_ms += took_ms;
    }

    /// What is to be told now; it begins anew.
    pub(crate) fn take(&mut self, now: UtcMillis) -> Option<(Indexed, u64, i64)> {
        let silent = self
            .logged_at
            .is_some_and(|at| (0..LOG_EVERY_MS).contains(&now.millis_since(at)));
        if silent || self.done.orders == 0 {
            return None;
        }
        let told = (self.done, self.batches, self.took_ms);
        *self = Self {
            logged_at: Some(now),
            ..Self::default()
        };
        Some(told)
    }
}
