//! Metrics of the first syncs: progress, times, and whether the window is kept.

use crate::daemon::admin::metrics::families::*;
use crate::first_sync::pace::Bottleneck;
use crate::first_sync::report::SyncReport;
use crate::ops::openmetrics::{Exposition, Metric};
use crate::store::first_sync::SyncState;
use orderfeed_model::clock::UtcMillis;

pub(super) fn render(text: &mut Exposition, syncs: &[SyncReport], now: UtcMillis) {
    let mut states = text.family(FIRST_SYNC_STATE);
    for sync in syncs {
        for state in SyncState::ALL {
            let labels = [("website", sync.website.as_str()), ("state", state.as_str())];
            states.count(&labels, u64::from(sync.state == state));
        }
    }
    let is_overdue = |sync: &SyncReport| sync.completed_at.is_none() && now > sync.deadline.0;
    counts(text, syncs, FIRST_SYNC_ORDERS, |sync| sync.total_orders);
    counts(text, syncs, FIRST_SYNC_DONE_ORDERS, |sync| sync.done_orders);
    counts(text, syncs, FIRST_SYNC_EVENTS, |sync| sync.events);
    counts(text, syncs, FIRST_SYNC_SENT_EVENTS, |sync| sync.sent_events);
    times(text, syncs, FIRST_SYNC_START, |sync| Some(sync.started_at.0.0));
    times(text, syncs, FIRST_SYNC_DEADLINE, |sync| Some(sync.deadline.0.0));
    times(text, syncs, FIRST_SYNC_COMPLETE, |sync| {
        Some(sync.completed_at?.0.0)
    });
    counts(text, syncs, FIRST_SYNC_OVERDUE, |sync| is_overdue(sync).into());
    counts(text, syncs, FIRST_SYNC_MISSED, |sync| sync.missed.into());
    times(text, syncs, FIRST_SYNC_REMAINING, |sync| sync.eta_ms);
    let mut limited = text.family(FIRST_SYNC_LIMITED);
    for sync in syncs {
        for factor in Bottleneck::ALL.map(Bottleneck::as_str) {
            let is_it = sync.completed_at.is_none() && sync.limited_by.as_deref() == Some(factor);
            let labels = [("website", sync.website.as_str()), ("factor", factor)];
            limited.count(&labels, u64::from(is_it));
        }
    }
}

fn counts(text: &mut Exposition, syncs: &[SyncReport], metric: Metric, value: impl Fn(&SyncReport) -> u64) {
    let mut family = text.family(metric);
    for sync in syncs {
        family.count(&[("website", &sync.website)], value(sync));
    }
}

fn times(
    text: &mut Exposition,
    syncs: &[SyncReport],
    metric: Metric,
    millis: fn(&SyncReport) -> Option<i64>,
) {
    let mut family = text.family(metric);
    for sync in syncs {
        // Absent instead of 0 while unknown, so that no alert takes it for 1970.
        if let Some(millis) = millis(sync) {
            family.seconds(&[("website", &sync.website)], millis);
        }
    }
}
