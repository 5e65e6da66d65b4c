//! The pace of a first sync: its end and its bottleneck, from measured rates. Pure.

use std::collections::VecDeque;

use crate::store::first_sync::{FirstSyncRow, SyncState};
use crate::store::outbox::{Pause, SenderRow, SenderState};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::words;

/// Rates are measured over the last half minute.
const SPAN_MS: i64 = 30_000;
/// Shortest span over which a rate is meaningful.
const MIN_SPAN_MS: i64 = 2_000;
/// Seconds. While the queue can be sent within that time, the edge keeps up with what is read.
const KEEPS_UP_S: f64 = 3.0;

words! {
    /// The part that delays a first sync most.
    pub enum Bottleneck {
        /// Orders are read too slowly.
        Source = "source",
        /// The source cannot be read.
        SourceDown = "source_down",
        /// Events are committed too slowly.
        Disk = "disk",
        /// The quota of the organization: `delivery.request_units_per_second`, or status 429 of the edge.
        RateLimit = "rate_limit",
        /// The edge accepts events too slowly, or none.
        Edge = "edge",
        /// The outbox or the disk is full.
        OutboxBound = "outbox_bound",
        /// An operator paused delivery or the index.
        Paused = "paused",
    }
}

impl Bottleneck {
    /// Returns cause and remedy, as the end of a sentence.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Source => "the source is read too slowly: check the load of the database",
            Self::SourceDown => {
                "the source cannot be read: `orderfeed doctor` and OF03-01 in the log name cause and remedy"
            }
            Self::Disk => "the store is written too slowly: check the disk and the CPU beside store.path",
            Self::RateLimit => {
                "the quota is used up: raise delivery.request_units_per_second if the organization has more, or wait"
            }
            Self::Edge => "the edge accepts events too slowly: `orderfeed status` shows its answers",
            Self::OutboxBound => {
                "the outbox or the disk is full: see delivery.max_pending_events and store.disk_reserve"
            }
            Self::Paused => "its delivery or its index is paused: `orderfeed status` shows how to resume",
        }
    }
}

/// One measurement. Counters only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    pub at: UtcMillis,
    /// Orders read.
    pub orders: u64,
    /// Events that are final.
    pub sent: u64,
    /// Milliseconds in which the backfill waited for the source.
    pub reading_ms: u64,
    /// Number of times that the backfill ended because the source could not be read.
    pub source_failures: u64,
    /// Milliseconds in which the backfill derived and committed events.
    pub applying_ms: u64,
    /// Milliseconds in which the backfill waited for space in outbox and disk.
    pub waiting_ms: u64,
    /// Number of times that the rate limit held a request back.
    pub rate_limit_waits: u64,
}

/// The estimated end of a first sync.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Orders read per second.
    pub orders_per_second: f64,
    /// Events accepted per second.
    pub events_per_second: f64,
    /// End at this pace; `None` if nothing moves.
    pub finish_at: Option<UtcMillis>,
    pub bottleneck: Bottleneck,
}

/// The samples of one website.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    samples: VecDeque<Sample>,
}

impl Pace {
    pub fn add(&mut self, sample: Sample) {
        // A clock that was set back would make every rate wrong.
        if self.samples.back().is_some_and(|last| last.at > sample.at) {
            self.samples.clear();
        }
        self.samples.push_back(sample);
        // Keeps one sample older than the span, so that rates cover all of it.
        while self.samples.len() > 2 && self.samples[1].at.0 <= sample.at.0 - SPAN_MS {
            self.samples.pop_front();
        }
    }

    /// Estimates the end; `None` until the samples cover enough time. `sender` is the sender of the website, if it has
    /// one; `asked_pause` is the pause that holds it back, whichever sender received it.
    pub fn estimate(
        &self,
        row: &FirstSyncRow,
        pending: u64,
        sender: Option<&SenderRow>,
        asked_pause: Option<&Pause>,
    ) -> Option<Estimate> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let span_ms = last.at.millis_since(first.at);
        if span_ms < MIN_SPAN_MS {
            return None;
        }
        let per_second = |count: u64| count as f64 * 1000.0 / span_ms as f64;
        let orders_per_second = per_second(last.orders.saturating_sub(first.orders));
        let events_per_second = per_second(last.sent.saturating_sub(first.sent));
        let is_read = row.state >= SyncState::Sending;
        // At least one order is left until the backfill has ended: totals are counted at its start.
        let unread = match is_read {
            true => 0,
            false => row.total_orders.saturating_sub(row.done_orders).max(1),
        };
        let unsent = pending as f64 + unread as f64 * events_per_order(row);
        let reading = seconds(unread as f64, orders_per_second);
        let sending = seconds(unsent, events_per_second);
        // Both happen at the same time, so the slower one determines the end.
        let left = reading.max(sending);
        let keeps_up = pending as f64 <= events_per_second * KEEPS_UP_S;
        let reads_too_slowly = !is_read && (keeps_up || reading > sending);
        let bottleneck = match sender.map(|row| row.state) {
            Some(SenderState::Paused) => Bottleneck::Paused,
            _ if asked_pause.is_some_and(Pause::is_throttling) => Bottleneck::RateLimit,
            _ if asked_pause.is_some() => Bottleneck::Edge,
            _ if sender.is_some_and(SenderRow::is_throttled) => Bottleneck::RateLimit,
            Some(SenderState::BackingOff | SenderState::Halted) => Bottleneck::Edge,
            _ if reads_too_slowly => bottleneck_of_reading(first, last),
            _ if last.rate_limit_waits > first.rate_limit_waits => Bottleneck::RateLimit,
            _ => Bottleneck::Edge,
        };
        Some(Estimate {
            orders_per_second,
            events_per_second,
            finish_at: left
                .is_finite()
                .then(|| last.at.plus_millis((left * 1000.0) as i64)),
            bottleneck,
        })
    }
}

/// Returns what a backfill spends most of its time with.
fn bottleneck_of_reading(first: &Sample, last: &Sample) -> Bottleneck {
    let reading = last.reading_ms.saturating_sub(first.reading_ms);
    let applying = last.applying_ms.saturating_sub(first.applying_ms);
    let waiting = last.waiting_ms.saturating_sub(first.waiting_ms);
    if last.orders == first.orders && last.source_failures > first.source_failures {
        Bottleneck::SourceDown
    } else if waiting > reading.max(applying) {
        Bottleneck::OutboxBound
    } else if applying > reading {
        Bottleneck::Disk
    } else {
        Bottleneck::Source
    }
}

/// Returns the average number of events of the orders that were read so far.
pub(super) fn events_per_order(row: &FirstSyncRow) -> f64 {
    match row.done_orders {
        0 => 0.0,
        orders => row.events as f64 / orders as f64,
    }
}

fn seconds(rest: f64, per_second: f64) -> f64 {
    if rest <= 0.0 {
        0.0
    } else if per_second <= 0.0 {
        f64::INFINITY
    } else {
        rest / per_second
    }
}
