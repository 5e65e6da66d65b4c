//! Metrics of the first syncs: progress, times, and whether the window is kept.

use crate::first_sync::pace::Bottleneck;
use crate::ops::openmetrics::{Exposition, Kind};
use crate::ops::status::{FirstSyncStatus, Moment};
use crate::store::first_sync::SyncState;
use orderfeed_model::clock::UtcMillis;

pub(super) fn render(text: &mut Exposition, syncs: &[FirstSyncStatus], now: UtcMillis) {
    states(text, syncs);
    counts(text, syncs);
    moments(text, syncs);
    window(text, syncs, now);
}

fn states(text: &mut Exposition, syncs: &[FirstSyncStatus]) {
    let mut states = text.family(
        "orderfeed_first_sync_state",
        Kind::Gauge,
        "1 for the state that the first sync of a website is in.",
    );
    for sync in syncs {
        for state in SyncState::ALL {
            let labels = [("website", sync.website.as_str()), ("state", state.as_str())];
            states.count(&labels, u64::from(sync.state == state));
        }
    }
}

fn counts(text: &mut Exposition, syncs: &[FirstSyncStatus]) {
    type Count = fn(&FirstSyncStatus) -> u64;
    let families: [(&str, &str, Count); 4] = [
        (
            "orderfeed_first_sync_orders",
            "Orders that the first sync covers.",
            |sync| sync.total_orders,
        ),
        (
            "orderfeed_first_sync_done_orders",
            "Of them, those that are read.",
            |sync| sync.done_orders,
        ),
        (
            "orderfeed_first_sync_events",
            "Events that the first sync queued.",
            |sync| sync.events,
        ),
        (
            "orderfeed_first_sync_sent_events",
            "Of them, those that are final.",
            |sync| sync.sent_events,
        ),
    ];
    for (name, help, count) in families {
        let mut family = text.family(name, Kind::Gauge, help);
        for sync in syncs {
            family.count(&[("website", &sync.website)], count(sync));
        }
    }
}

fn moments(text: &mut Exposition, syncs: &[FirstSyncStatus]) {
    type When = fn(&FirstSyncStatus) -> Option<Moment>;
    let families: [(&str, &str, When); 3] = [
        (
            "orderfeed_first_sync_start_timestamp_seconds",
            "When the website was enabled.",
            |sync| Some(sync.started_at),
        ),
        (
            "orderfeed_first_sync_deadline_timestamp_seconds",
            "When the website's history should be at the edge.",
            |sync| Some(sync.deadline),
        ),
        (
            "orderfeed_first_sync_complete_timestamp_seconds",
            "When it was; absent before.",
            |sync| sync.completed_at,
        ),
    ];
    for (name, help, when) in families {
        let mut family = text.family(name, Kind::Gauge, help);
        for sync in syncs {
            // Absent instead of 0 while unknown, so that no alert takes it for 1970.
            if let Some(Moment(at)) = when(sync) {
                family.seconds(&[("website", &sync.website)], at.0);
            }
        }
    }
}

fn window(text: &mut Exposition, syncs: &[FirstSyncStatus], now: UtcMillis) {
    let mut overdue = text.family(
        "orderfeed_first_sync_overdue",
        Kind::Gauge,
        "1 if the deadline has passed and the first sync is not complete.",
    );
    for sync in syncs {
        let late = sync.completed_at.is_none() && now > sync.deadline.0;
        overdue.count(&[("website", &sync.website)], u64::from(late));
    }
    let mut missed = text.family(
        "orderfeed_first_sync_missed",
        Kind::Gauge,
        "1 if the deadline passed before the first sync was complete, whatever came afterwards.",
    );
    for sync in syncs {
        missed.count(&[("website", &sync.website)], u64::from(sync.missed));
    }
    let mut remaining = text.family(
        "orderfeed_first_sync_remaining_seconds",
        Kind::Gauge,
        "How long the rest takes at the pace since the start; absent while that is not known.",
    );
    for sync in syncs {
        if let Some(millis) = sync.eta_ms {
            remaining.seconds(&[("website", &sync.website)], millis);
        }
    }
    let mut limited = text.family(
        "orderfeed_first_sync_limited",
        Kind::Gauge,
        "1 for what holds the first sync up, all 0 where nothing was found.",
    );
    for sync in syncs {
        for factor in Bottleneck::ALL.map(Bottleneck::as_str) {
            let is_it = sync.completed_at.is_none() && sync.limited_by.as_deref() == Some(factor);
            limited.count(
                &[("website", &sync.website), ("factor", factor)],
                u64::from(is_it),
            );
        }
    }
}
