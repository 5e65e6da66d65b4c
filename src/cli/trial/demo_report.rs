//! What the demo shows: pictures of how it goes, and the summary at its end.

use std::fmt::Write as _;
use std::path::Path;

use crate::delivery::{DeliveryStats, LATENCY_BOUNDS_MS};
use crate::store::outbox::WebsiteOutbox;
use crate::store::{Reader, StoreError, StoreView};
use orderfeed_emulator::EmulatorHandle;
use orderfeed_events::EventKind;

/// How it goes, seen from outside: the store is read beside the daemon, the edge is asked what it holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture {
    deeds: u64,
    orders: u64,
    backlog: u64,
    outbox: Vec<WebsiteOutbox>,
    at_edge: u64,
    unique: usize,
    valid: bool,
}

impl Picture {
    /// Takes a picture. Before the daemon made its store there is nothing to see.
    pub(crate) fn take(store: &Path, edge: &EmulatorHandle, deeds: u64) -> Self {
        let totals = edge.totals();
        let mut picture = Self {
            deeds,
            at_edge: totals.events,
            unique: edge.unique_ids(),
            ..Self::default()
        };
        if let Ok(mut view) = StoreView::open(store) {
            let _ = view.read(|reader| picture.fill(reader));
        }
        picture
    }

    fn fill(&mut self, reader: &Reader<'_>) -> Result<(), StoreError> {
        self.orders = reader.feed_orders()?;
        self.backlog = reader.changelog_backlog(reader.view_version()?)?.orders;
        self.outbox = reader.outbox_by_website()?;
        self.valid = reader
            .indexer_state()?
            .is_some_and(|state| state.status.as_str() == "valid");
        Ok(())
    }

    fn pending(&self) -> u64 {
        self.outbox
            .iter()
            .map(|website| website.pending_live + website.pending_history)
            .sum()
    }

    fn outcome(&self, outcome: &str) -> u64 {
        let totals = self.outbox.iter().flat_map(|website| &website.totals);
        totals
            .filter(|(_, name, _)| name == outcome)
            .map(|(_, _, events)| events)
            .sum()
    }

    /// Whether everything that the shop did, as far as it was captured, is at the edge.
    pub(crate) fn is_settled(&self) -> bool {
        self.valid && self.backlog == 0 && self.pending() == 0
    }
}

/// With what the demo begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    /// Orders in the shop.
    pub(crate) orders: u32,
    /// Deeds a second.
    pub(crate) rate: f64,
    /// Whether the edge misbehaves.
    pub(crate) faults: bool,
}

/// What is about to happen.
pub(crate) fn welcome(start: &Start, dir: &Path, edge: &EmulatorHandle) -> String {
    format!(
        "A shop with {} orders, {} deeds a second, a local edge at {}{}, and the real daemon between them.\n\
         Its log follows. In another terminal:\n  orderfeed --config {}/orderfeed.toml status\n\
         Ctrl-C ends the shopping, lets everything arrive, and shows the summary.\n",
        start.orders,
        start.rate,
        edge.server_url(),
        if start.faults { " that misbehaves" } else { "" },
        dir.display(),
    )
}

/// One line of how it goes.
pub(crate) fn line(picture: &Picture) -> String {
    format!(
        "demo: {} deeds in the shop | {} orders indexed, {} wait | {} events pending, {} delivered | edge holds {} \
         ({} repeated)",
        picture.deeds,
        picture.orders,
        picture.backlog,
        picture.pending(),
        picture.outcome("delivered"),
        picture.unique,
        picture.at_edge - picture.unique as u64,
    )
}

/// How it went.
pub(crate) fn summary(picture: &Picture, edge: &EmulatorHandle, stats: &DeliveryStats) -> String {
    let mut text = String::from("\nSummary\n");
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<30}{value}");
    };
    row("orders in the feed", picture.orders.to_string());
    row("deeds while it ran", picture.deeds.to_string());
    for kind in EventKind::ALL {
        let of_kind = picture.outbox.iter().flat_map(|website| &website.totals);
        let delivered: u64 = of_kind
            .filter(|(code, outcome, _)| *code == kind.code() && outcome == "delivered")
            .map(|t| t.2)
            .sum();
        row(&format!("{} delivered", kind.as_str()), delivered.to_string());
    }
    row("delivered in all", picture.outcome("delivered").to_string());
    row("pending", picture.pending().to_string());
    row("parked", picture.outcome("parked").to_string());
    row("suppressed", picture.outcome("suppressed").to_string());
    row("events that the edge holds", picture.unique.to_string());
    row(
        "events it saw more than once",
        (picture.at_edge - picture.unique as u64).to_string(),
    );
    row("of them with other bytes", edge.bytes_changed().len().to_string());
    row("findings of personal data", edge.pii_findings().len().to_string());
    row("change noticed to accepted", latency(stats));
    text
}

/// Half of the events and 99 % of them arrived within these times.
fn latency(stats: &DeliveryStats) -> String {
    let websites = stats.snapshot().latency;
    let counts: [u64; LATENCY_BOUNDS_MS.len() + 1] =
        std::array::from_fn(|bucket| websites.iter().map(|(_, times)| times.counts[bucket]).sum());
    let all: u64 = counts.iter().sum();
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
        return "nothing was accepted".to_owned();
    }
    format!("half within {}, 99 % within {}", within(0.5), within(0.99))
}
