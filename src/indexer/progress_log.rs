//! Sums up indexed changes for the log, which gets one line per half minute: as often as Commerce logs its progress.

use crate::indexer::report::ViewUpdate;
use orderfeed_model::clock::UtcMillis;

const LOG_EVERY_MS: i64 = 30_000;

/// Updates that were not logged yet.
#[derive(Debug, Default)]
pub(crate) struct ProgressLog {
    sum: ViewUpdate,
    logged_at: Option<UtcMillis>,
}

impl ProgressLog {
    pub(crate) fn add(&mut self, update: ViewUpdate) {
        self.sum.indexed.add(update.indexed);
        self.sum.batches += update.batches;
        self.sum.took_ms += update.took_ms;
    }

    /// Returns the sum if a line is due, and starts a new one.
    pub(crate) fn take(&mut self, now: UtcMillis) -> Option<ViewUpdate> {
        // A negative age means that the clock was set back: then the line is due.
        let logged_recently = self
            .logged_at
            .is_some_and(|at| (0..LOG_EVERY_MS).contains(&now.millis_since(at)));
        if logged_recently || self.sum.indexed.orders == 0 {
            return None;
        }
        self.logged_at = Some(now);
        Some(std::mem::take(&mut self.sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indexer::report::Indexed;

    fn update(orders: u64, changed: u64, batches: u64, took_ms: i64) -> ViewUpdate {
        ViewUpdate {
            indexed: Indexed {
                orders,
                changed,
                ..Indexed::default()
            },
            batches,
            took_ms,
        }
    }

    #[test]
    fn the_first_changes_are_logged_at_once_and_later_ones_as_a_sum_every_half_minute() {
        let mut log = ProgressLog::default();
        assert_eq!(log.take(UtcMillis(0)), None, "nothing was indexed");
        log.add(update(3, 1, 1, 7));
        assert_eq!(log.take(UtcMillis(1)), Some(update(3, 1, 1, 7)));
        log.add(update(2, 1, 1, 5));
        log.add(update(2, 1, 2, 5));
        assert_eq!(log.take(UtcMillis(29_999)), None);
        assert_eq!(log.take(UtcMillis(30_001)), Some(update(4, 2, 3, 10)));
        log.add(update(1, 1, 1, 1));
        assert!(log.take(UtcMillis(0)).is_some(), "the clock was set back");
    }
}
