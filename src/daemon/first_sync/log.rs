//! The log lines of the first syncs.

use crate::first_sync::pace::Estimate;
use crate::first_sync::{Notice, Observation};
use crate::store::first_sync::FirstSyncRow;
use orderfeed_model::clock::UtcMillis;

pub(super) fn log_notice(
    notice: Notice,
    website: &str,
    row: &FirstSyncRow,
    observed: &Observation,
    now: UtcMillis,
) {
    // New orders during the backfill can exceed the count at its start.
    let (orders, done, events) = (row.total_orders.max(row.done_orders), row.done_orders, row.events);
    let sent = events.saturating_sub(observed.pending);
    let elapsed_s = now.millis_since(row.started_at) / 1000;
    let rate = |pick: fn(&Estimate) -> f64| observed.estimate.map(|e| pick(&e).round());
    match notice {
        Notice::Progress => tracing::info!(
            website,
            state = row.state.as_str(),
            orders_done = done,
            orders,
            events_queued = events,
            events_sent = sent,
            orders_per_second = rate(|e| e.orders_per_second),
            events_per_second = rate(|e| e.events_per_second),
            eta_s = observed
                .estimate
                .and_then(|e| e.finish_at)
                .map(|at| at.millis_since(now) / 1000),
            deadline = %row.deadline,
            "The first sync is running",
        ),
        Notice::WillMiss(estimate) => tracing::warn!(
            log_code = "OF07-01",
            website,
            orders_done = done,
            orders,
            events_sent = sent,
            finish_at = estimate.finish_at.map(|at| at.rfc3339()),
            deadline = %row.deadline,
            limited_by = estimate.bottleneck.as_str(),
            remedy = estimate.bottleneck.remedy(),
            "The first sync will miss its window at this pace; it continues, newest orders first",
        ),
        Notice::Overdue => tracing::warn!(
            log_code = "OF07-02",
            website,
            orders_done = done,
            orders,
            events_queued = events,
            events_sent = sent,
            elapsed_s,
            deadline = %row.deadline,
            limited_by = row.limited_by,
            "The first sync missed its window; it continues, newest orders first, and live changes overtake it",
        ),
        Notice::Interrupted => tracing::info!(
            website,
            orders_done = done,
            orders,
            events_queued = events,
            "The website was switched off before its first sync was complete; it continues once the website is enabled again",
        ),
        Notice::Reopened => tracing::info!(
            website,
            orders_done = done,
            orders,
            "Back-office events are enabled again: the first sync continues in a new window",
        ),
        Notice::Complete => tracing::info!(
            website,
            orders = done,
            events,
            elapsed_s,
            in_time = now <= row.deadline,
            orders_per_second =
                (done as f64 * 1000.0 / now.millis_since(row.started_at).max(1) as f64).round(),
            "The first sync is complete; from now on updates are sent as soon as they are indexed",
        ),
    }
}
