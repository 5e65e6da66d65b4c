//! Metrics from the snapshot of the store.

use std::collections::BTreeMap;

use crate::ops::openmetrics::{Exposition, Kind};
use crate::ops::status::{IntakeStatus, Moment, Snapshot, WebsiteStatus};
use crate::store::intake::Flow;
use crate::store::outbox::SenderState;
use crate::store::views::IndexerStatus;
use orderfeed_events::EventKind;
use orderfeed_model::clock::UtcMillis;

pub(super) fn render(text: &mut Exposition, snapshot: &Snapshot, now: UtcMillis) {
    index(text, snapshot, now);
    intake(text, &snapshot.intake);
    pending(text, &snapshot.websites, now);
    outcomes(text, &snapshot.websites);
    senders(text, &snapshot.websites);
    backfills(text, snapshot);
    text.family("orderfeed_store_size_bytes", Kind::Gauge, "The store's files.")
        .count(&[("file", "database")], snapshot.store.database_bytes)
        .count(&[("file", "wal")], snapshot.store.wal_bytes);
}

fn index(text: &mut Exposition, snapshot: &Snapshot, now: UtcMillis) {
    let index = &snapshot.index;
    text.family(
        "orderfeed_index_backlog_orders",
        Kind::Gauge,
        "Orders that changed and wait to be indexed.",
    )
    .count(&[], index.backlog);
    text.family(
        "orderfeed_index_oldest_change_age_seconds",
        Kind::Gauge,
        "Age of the oldest change that waits to be indexed; 0 if none does.",
    )
    .seconds(&[], age(index.oldest_change_at, now));
    text.family(
        "orderfeed_changelog_version",
        Kind::Gauge,
        "The changelog's head.",
    )
    .count(&[], unsigned(index.head));
    text.family(
        "orderfeed_index_version",
        Kind::Gauge,
        "The version up to which is indexed.",
    )
    .count(&[], unsigned(index.version));
    let mut states = text.family(
        "orderfeed_index_state",
        Kind::Gauge,
        "1 for the state that the index is in.",
    );
    for state in IndexerStatus::ALL {
        states.count(&[("state", state.as_str())], u64::from(index.status == state));
    }
    text.family(
        "orderfeed_index_failures",
        Kind::Gauge,
        "Orders that could not be indexed and are tried again alone.",
    )
    .count(&[], snapshot.index_failures);
    let not_exported = snapshot.not_exported.iter().map(|some| some.orders).sum();
    text.family(
        "orderfeed_orders_without_events",
        Kind::Gauge,
        "Orders of the feed that have no events, whatever the reason; counted every ten minutes.",
    )
    .count(&[], not_exported);
    if let Some(Moment(at)) = snapshot.source.checked_at {
        text.family(
            "orderfeed_source_checked_timestamp_seconds",
            Kind::Gauge,
            "When the source last answered what changed.",
        )
        .seconds(&[], at.0);
    }
}

fn intake(text: &mut Exposition, intake: &IntakeStatus) {
    let mut states = text.family(
        "orderfeed_intake_state",
        Kind::Gauge,
        "1 for what may flow in: open, history_waits, paused_outbox_full or paused_disk_nearly_full.",
    );
    for flow in Flow::ALL {
        // A store that no daemon has used has no state yet, and nothing is held back.
        let is_it = intake.flow.unwrap_or_default() == flow;
        states.count(&[("state", flow.as_str())], u64::from(is_it));
    }
}

fn pending(text: &mut Exposition, websites: &[WebsiteStatus], now: UtcMillis) {
    let mut waiting = text.family(
        "orderfeed_pending_events",
        Kind::Gauge,
        "Events that wait to be sent, of live changes and of history.",
    );
    for website in websites {
        waiting.count(
            &[("website", &website.code), ("class", "live")],
            website.pending.live,
        );
        waiting.count(
            &[("website", &website.code), ("class", "history")],
            website.pending.history,
        );
    }
    let mut retry = text.family(
        "orderfeed_pending_retry_events",
        Kind::Gauge,
        "Of the events that wait, those that were sent and not accepted.",
    );
    for website in websites {
        retry.count(&[("website", &website.code)], website.pending.retry);
    }
    let mut oldest = text.family(
        "orderfeed_pending_oldest_age_seconds",
        Kind::Gauge,
        "Time since the oldest change whose events wait was noticed; 0 if none waits.",
    );
    for website in websites {
        let age = age(website.pending.oldest_change_at, now);
        oldest.seconds(&[("website", &website.code)], age);
    }
}

fn outcomes(text: &mut Exposition, websites: &[WebsiteStatus]) {
    let mut stored = text.family(
        "orderfeed_stored_events",
        Kind::Gauge,
        "Events by their final state, over the whole life of the store; parked ones may leave it again.",
    );
    for website in websites {
        let outcomes: [(&str, &BTreeMap<String, u64>); 3] = [
            ("delivered", &website.delivered),
            ("suppressed", &website.suppressed),
            ("parked", &website.parked),
        ];
        for (outcome, kinds) in outcomes {
            // Every series exists from the start, so that `increase` sees its first event.
            for kind in EventKind::ALL.map(EventKind::as_str) {
                let labels = [
                    ("website", website.code.as_str()),
                    ("kind", kind),
                    ("outcome", outcome),
                ];
                stored.count(&labels, kinds.get(kind).copied().unwrap_or_default());
            }
        }
    }
}

fn senders(text: &mut Exposition, websites: &[WebsiteStatus]) {
    let mut states = text.family(
        "orderfeed_sender_state",
        Kind::Gauge,
        "1 for the state that a sender is in.",
    );
    for website in websites {
        for state in SenderState::ALL {
            let labels = [("website", website.code.as_str()), ("state", state.as_str())];
            states.count(&labels, u64::from(website.sender.state == state));
        }
    }
    let mut failures = text.family("orderfeed_sender_failures", Kind::Gauge, "Failures in a row.");
    for website in websites {
        failures.count(&[("website", &website.code)], u64::from(website.sender.failures));
    }
}

/// Renders the sums of the running backfills of each kind.
fn backfills(text: &mut Exposition, snapshot: &Snapshot) {
    let mut kinds: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for backfill in &snapshot.backfills {
        let (total, done) = kinds.entry(backfill.kind.as_str()).or_default();
        *total += backfill.total;
        *done += backfill.done;
    }
    let mut totals = text.family(
        "orderfeed_walk_orders",
        Kind::Gauge,
        "Orders that a walk over history covers: first_sync, reindex, resync. Absent while none runs.",
    );
    for (kind, (total, _)) in &kinds {
        totals.count(&[("kind", kind)], *total);
    }
    let mut done = text.family(
        "orderfeed_walk_done_orders",
        Kind::Gauge,
        "Of them, those that are done.",
    );
    for (kind, (_, orders)) in &kinds {
        done.count(&[("kind", kind)], *orders);
    }
}

fn age(since: Option<Moment>, now: UtcMillis) -> i64 {
    since.map_or(0, |Moment(at)| now.millis_since(at).max(0))
}

fn unsigned(version: i64) -> u64 {
    u64::try_from(version).unwrap_or_default()
}
