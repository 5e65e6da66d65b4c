//! Metrics from the snapshot of the store.

use std::collections::BTreeMap;

use crate::daemon::admin::metrics::families::*;
use crate::ops::openmetrics::Exposition;
use crate::ops::status::{Moment, Snapshot, WebsiteStatus};
use crate::store::intake::Flow;
use crate::store::outbox::SenderState;
use crate::store::views::IndexerStatus;
use orderfeed_events::EventKind;
use orderfeed_model::clock::UtcMillis;

pub(super) fn render(text: &mut Exposition, snapshot: &Snapshot, now: UtcMillis) {
    index(text, snapshot, now);
    // A store that no daemon has used has no flow yet, and nothing is held back.
    let flow = snapshot.intake.flow.unwrap_or_default();
    let mut states = text.family(INTAKE_STATE);
    for state in Flow::ALL {
        states.count(&[("state", state.as_str())], u64::from(state == flow));
    }
    websites(text, &snapshot.websites, now);
    backfills(text, snapshot);
    text.family(STORE_SIZE)
        .count(&[("file", "database")], snapshot.store.database_bytes)
        .count(&[("file", "wal")], snapshot.store.wal_bytes);
}

fn index(text: &mut Exposition, snapshot: &Snapshot, now: UtcMillis) {
    let index = &snapshot.index;
    text.family(INDEX_BACKLOG).count(&[], index.backlog);
    text.family(INDEX_OLDEST_CHANGE_AGE)
        .seconds(&[], age(index.oldest_change_at, now));
    text.family(CHANGELOG_VERSION)
        .count(&[], index.head.unsigned_abs());
    text.family(INDEX_VERSION)
        .count(&[], index.version.unsigned_abs());
    let mut states = text.family(INDEX_STATE);
    for state in IndexerStatus::ALL {
        states.count(&[("state", state.as_str())], u64::from(index.status == state));
    }
    text.family(INDEX_FAILURES).count(&[], snapshot.index_failures);
    let not_exported = snapshot.not_exported.iter().map(|count| count.orders).sum();
    text.family(ORDERS_WITHOUT_EVENTS).count(&[], not_exported);
    if let Some(Moment(at)) = snapshot.source.checked_at {
        text.family(SOURCE_CHECKED).seconds(&[], at.0);
    }
}

fn websites(text: &mut Exposition, websites: &[WebsiteStatus], now: UtcMillis) {
    let mut pending = text.family(PENDING_EVENTS);
    for website in websites {
        let (code, counts) = (website.code.as_str(), &website.pending);
        for (class, events) in [("live", counts.live), ("history", counts.history)] {
            pending.count(&[("website", code), ("class", class)], events);
        }
    }
    let mut retry = text.family(PENDING_RETRY_EVENTS);
    for website in websites {
        retry.count(&[("website", &website.code)], website.pending.retry);
    }
    let mut oldest = text.family(PENDING_OLDEST_AGE);
    for website in websites {
        let age = age(website.pending.oldest_change_at, now);
        oldest.seconds(&[("website", &website.code)], age);
    }
    let mut stored = text.family(STORED_EVENTS);
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
    let mut states = text.family(SENDER_STATE);
    for website in websites {
        for state in SenderState::ALL {
            let labels = [("website", website.code.as_str()), ("state", state.as_str())];
            states.count(&labels, u64::from(website.sender.state == state));
        }
    }
    let mut failures = text.family(SENDER_FAILURES);
    for website in websites {
        failures.count(&[("website", &website.code)], website.sender.failures.into());
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
    let mut totals = text.family(WALK_ORDERS);
    for (kind, (total, _)) in &kinds {
        totals.count(&[("kind", kind)], *total);
    }
    let mut done = text.family(WALK_DONE_ORDERS);
    for (kind, (_, orders)) in &kinds {
        done.count(&[("kind", kind)], *orders);
    }
}

fn age(since: Option<Moment>, now: UtcMillis) -> i64 {
    since.map_or(0, |Moment(at)| now.millis_since(at).max(0))
}
