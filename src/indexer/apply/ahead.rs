//! Warns about events that are dated far in the future: they wait until then, silently otherwise.

use crate::indexer::Indexer;
use crate::indexer::apply::derive::Derived;
use crate::store::outbox::FAR_AHEAD_MS;
use orderfeed_model::clock::UtcMillis;

impl Indexer {
    /// Logs the new events among these that are dated more than a day ahead of `now`.
    pub(super) fn log_far_ahead(&self, derived: &[Derived], now: UtcMillis) {
        let Some(found) = far_ahead(derived, now) else {
            return;
        };
        let admitted = self.far_ahead_log.lock().map(|mut limit| limit.admit(now));
        if let Ok(Some(left_out)) = admitted {
            tracing::warn!(
                log_code = "OF05-10",
                events = found.events,
                order_number = found.number,
                until = %found.until,
                left_out,
                "Events are dated more than a day in the future, so they are not sent before that date; a first sync does not \
                 wait for them",
            );
        }
    }
}

/// The events of a batch that are dated far ahead.
#[derive(Debug, PartialEq, Eq)]
struct Found<'a> {
    events: usize,
    /// Number of the first order with such an event.
    number: &'a str,
    /// The latest date.
    until: UtcMillis,
}

fn far_ahead(derived: &[Derived], now: UtcMillis) -> Option<Found<'_>> {
    let limit = now.plus_millis(FAR_AHEAD_MS);
    let mut found: Option<Found<'_>> = None;
    for one in derived {
        let Derived::Changed { row, events, .. } = one else {
            continue;
        };
        for event in events.iter().filter(|event| event.not_before > limit) {
            let so_far = found.get_or_insert(Found {
                events: 0,
                number: &row.number,
                until: event.not_before,
            });
            so_far.events += 1;
            so_far.until = so_far.until.max(event.not_before);
        }
    }
    found
}
