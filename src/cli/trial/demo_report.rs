//! The state of a running demo, and its summary.

use std::fmt::{Display, Write as _};
use std::path::Path;

use crate::delivery::{DeliveryStats, LATENCY_BOUNDS_MS};
use crate::store::outbox::{FinalState, WebsiteOutbox};
use crate::store::views::IndexerStatus;
use crate::store::{Reader, StoreError, StoreView};
use orderfeed_emulator::EmulatorHandle;
use orderfeed_events::EventKind;

/// The state of the demo, read from outside the daemon: from the store, and from the emulator's ledger.
#[derive(Clone, Debug, Default)]
pub(crate) struct DemoState {
    actions: u64,
    orders: u64,
    backlog: u64,
    outbox: Vec<WebsiteOutbox>,
    at_edge: u64,
    unique: usize,
    valid: bool,
}

impl DemoState {
    /// Reads the state. Counts of the store are 0 until the daemon has created it.
    pub(crate) fn read(store: &Path, edge: &EmulatorHandle, actions: u64) -> Self {
        let totals = edge.totals();
        let mut state = Self {
            actions,
            at_edge: totals.events,
            unique: edge.unique_ids(),
            ..Self::default()
        };
        if let Ok(mut view) = StoreView::open(store) {
            let _ = view.read(|reader| state.fill(reader));
        }
        state
    }

    fn fill(&mut self, reader: &Reader<'_>) -> Result<(), StoreError> {
        self.orders = reader.feed_orders()?;
        self.backlog = reader.changelog_backlog(reader.view_version()?)?.orders;
        self.outbox = reader.outbox_by_website()?;
        self.valid = reader
            .indexer_state()?
            .is_some_and(|state| state.status == IndexerStatus::Valid);
        Ok(())
    }

    fn pending(&self) -> u64 {
        self.outbox
            .iter()
            .map(|website| website.pending_live + website.pending_history)
            .sum()
    }

    /// Counts the events in a final state, of one kind or of all kinds.
    fn total(&self, kind: Option<EventKind>, state: FinalState) -> u64 {
        let totals = self.outbox.iter().flat_map(|website| &website.totals);
        let is_counted = |code| kind.is_none_or(|kind| kind.code() == code);
        totals
            .filter(|(code, counted, _)| *counted == state && is_counted(*code))
            .map(|(_, _, events)| events)
            .sum()
    }

    fn repeated(&self) -> u64 {
        self.at_edge - self.unique as u64
    }

    /// Returns true if every captured change is indexed and delivered.
    pub(crate) fn is_settled(&self) -> bool {
        self.valid && self.backlog == 0 && self.pending() == 0
    }
}

pub(crate) fn line(state: &DemoState) -> String {
    format!(
        "demo: {} actions in the shop | {} orders indexed, {} in backlog | {} events pending, {} delivered | {} at the \
         edge ({} repeated)",
        state.actions,
        state.orders,
        state.backlog,
        state.pending(),
        state.total(None, FinalState::Delivered),
        state.unique,
        state.repeated(),
    )
}

pub(crate) fn summary(
    state: &DemoState,
    edge: &EmulatorHandle,
    stats: &DeliveryStats,
    requests_to_shop: Option<u64>,
) -> String {
    let mut text = String::from("\nSummary\n");
    let mut row = |name: &str, value: &dyn Display| {
        let _ = writeln!(text, "  {name:<30}{value}");
    };
    row("orders in the feed", &state.orders);
    row("actions in the shop", &state.actions);
    for kind in EventKind::ALL {
        let delivered = state.total(Some(kind), FinalState::Delivered);
        row(&format!("{} delivered", kind.as_str()), &delivered);
    }
    row("delivered in total", &state.total(None, FinalState::Delivered));
    row("pending", &state.pending());
    row("parked", &state.total(None, FinalState::Parked));
    row("suppressed", &state.total(None, FinalState::Suppressed));
    row("events at the edge", &state.unique);
    row("received more than once", &state.repeated());
    row("received with different bytes", &edge.bytes_changed().len());
    row("events with personal data", &edge.pii_findings().len());
    row("from captured to accepted", &latency(stats));
    if let Some(requests) = requests_to_shop {
        row("requests to the REST API", &requests);
    }
    text
}

/// Formats the median and the 99th percentile of the time from capture to delivery.
fn latency(stats: &DeliveryStats) -> String {
    let websites = stats.snapshot().latency;
    let counts: [u64; LATENCY_BOUNDS_MS.len() + 1] =
        std::array::from_fn(|bucket| websites.iter().map(|(_, times)| times.counts[bucket]).sum());
    let all: u64 = counts.iter().sum();
    // The upper bound of the bucket that contains this share of the events.
    let within = |share: f64| {
        let mut left = (all as f64 * share).ceil() as u64;
        let bucket = counts.iter().position(|count| {
            left = left.saturating_sub(*count);
            left == 0
        });
        match bucket.and_then(|bucket| LATENCY_BOUNDS_MS.get(bucket)) {
            Some(bound) => format!("{bound} ms"),
            None => "longer than an hour".to_owned(),
        }
    };
    if all == 0 {
        return "no event was accepted".to_owned();
    }
    format!("50 % within {}, 99 % within {}", within(0.5), within(0.99))
}
