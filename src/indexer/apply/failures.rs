//! Records orders that could not be indexed, and the time of their next attempt.

use std::collections::BTreeMap;

use crate::store::feed::IndexFailure;
use crate::store::{StoreError, Writer};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

const FIRST_BACKOFF_MS: i64 = 60_000;
const LONGEST_BACKOFF_MS: i64 = 3_600_000;

/// Returns the time of the next attempt after `attempts` failures: in 1, 2, 4, … minutes, at most an hour.
fn next_attempt(attempts: u32, now: UtcMillis) -> UtcMillis {
    let doubled = FIRST_BACKOFF_MS.saturating_mul(1 << attempts.saturating_sub(1).min(10));
    now.plus_millis(doubled.min(LONGEST_BACKOFF_MS))
}

/// Replaces what is recorded about the orders in `ids` by those of them in `failed`. `is_history` is true if only a
/// backfill with limited reach met them.
pub(super) fn record_failures(
    writer: &mut Writer<'_>,
    ids: &[OrderId],
    failed: Vec<(OrderId, String)>,
    is_history: bool,
    at: UtcMillis,
) -> Result<(), StoreError> {
    let mut earlier = BTreeMap::new();
    for (order, _) in &failed {
        if let Some(failure) = writer.reader().index_failure(*order)? {
            earlier.insert(*order, failure);
        }
    }
    writer.clear_index_failures(ids)?;
    for (order, reason) in failed {
        let earlier = earlier.get(&order);
        let attempts = earlier.map_or(1, |failure| failure.attempts + 1);
        tracing::warn!(
            log_code = "OF05-02",
            order,
            attempts,
            error = %reason,
            "An order could not be indexed; it is retried alone while the others continue",
        );
        let failure = IndexFailure {
            order,
            attempts,
            due_at: next_attempt(attempts, at),
            reason,
            // A live change lifts the limit for good, whichever of the two failed first.
            limited: is_history && earlier.is_none_or(|failure| failure.limited),
        };
        writer.record_index_failure(&failure, at)?;
    }
    Ok(())
}

/// Records orders that were indexed without the rows of a table that did not answer in time: they are read again.
pub(super) fn record_partial(
    writer: &mut Writer<'_>,
    partial: &[(OrderId, &'static str)],
    at: UtcMillis,
) -> Result<(), StoreError> {
    for (order, missing) in partial {
        tracing::debug!(
            order,
            missing,
            "An order is indexed without its returns; it is read again"
        );
        let failure = IndexFailure {
            order: *order,
            attempts: 1,
            due_at: at.plus_millis(FIRST_BACKOFF_MS),
            reason: format!("{missing} does not answer in time: its returns are indexed later"),
            limited: false,
        };
        writer.record_index_failure(&failure, at)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_up_to_an_hour() {
        let minutes = |attempts| next_attempt(attempts, UtcMillis(0)).0 / 60_000;
        assert_eq!([1, 2, 3, 6, 7, 40].map(minutes), [1, 2, 4, 32, 60, 60]);
    }
}
