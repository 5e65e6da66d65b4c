//! How fast a first sync goes, when it will end, and what holds it up: from measured rates, not from guesses. Pure.

use std::collections::VecDeque;

use crate::store::first_sync::{FirstSyncRow, SyncState};
use orderfeed_model::clock::UtcMillis;

/// Rates are those of the last half minute.
const SPAN_MS: i64 = 30_000;
/// Below this, a rate means nothing.
const LEAST_SPAN_MS: i64 = 2_000;
/// A queue that is sent in so many seconds is no queue: the edge keeps up with what is read.
const KEEPS_UP_S: f64 = 3.0;

/// What holds a first sync up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bottleneck {
    /// Orders are read too slowly, or not at all.
    Source,
    /// Events are made durable too slowly.
    Disk,
    /// The organization's quota, as `delivery.request_units_per_second` or the edge's 429 keep it.
    RateLimit,
    /// The edge takes events too slowly, or none.
    Edge,
    /// The outbox is full, or the disk is.
    OutboxBound,
    /// An operator paused it.
    Paused,
}

impl Bottleneck {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Source,
        Self::Disk,
        Self::RateLimit,
        Self::Edge,
        Self::OutboxBound,
        Self::Paused,
    ];

    /// A stable word, for the store, metrics and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Disk => "disk",
            Self::RateLimit => "rate_limit",
            Self::Edge => "edge",
            Self::OutboxBound => "outbox_bound",
            Self::Paused => "paused",
        }
    }

    /// What can be done about it, as the end of a sentence.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Source => "the source is read too slowly: look at the load of the database",
            Self::Disk => "the store is written too slowly: look at the disk and the CPU beside store.path",
            Self::RateLimit => {
                "the quota is used up: raise delivery.request_units_per_second if the organization has more, or wait"
            }
            Self::Edge => "the edge takes events too slowly: `orderfeed status` says what it answers",
            Self::OutboxBound => {
                "the outbox or the disk is full: see delivery.max_pending_events and store.disk_reserve"
            }
            Self::Paused => "its delivery or its index is paused: `orderfeed status` says how to resume",
        }
    }
}

/// What a sender does, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SenderCondition {
    /// It sends.
    #[default]
    Running,
    /// It waits because the edge said that it was too much.
    Throttled,
    /// It waits because the edge fails, or it is halted.
    Failing,
    /// An operator paused it.
    Paused,
}

/// What is measured again and again. Counters only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: UtcMillis,
    /// Orders read.
    pub orders: u64,
    /// Events that are final.
    pub sent: u64,
    /// Time the backfill waited for the source, in milliseconds.
    pub reading_ms: u64,
    /// Time the backfill derived and committed.
    pub applying_ms: u64,
    /// Time the backfill waited for room.
    pub waiting_ms: u64,
    /// Requests that the rate gate held back.
    pub rate_limit_waits: u64,
}

/// How it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Orders read a second.
    pub orders_per_second: f64,
    /// Events accepted a second.
    pub events_per_second: f64,
    /// When it will be complete at this pace; `None` if nothing moves.
    pub finish_at: Option<UtcMillis>,
    /// What holds it up most.
    pub bottleneck: Bottleneck,
}

/// The samples of one website.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    samples: VecDeque<Sample>,
}

impl Pace {
    /// Takes a sample in.
    pub fn add(&mut self, sample: Sample) {
        // A clock that was set back would make every rate wrong.
        if self.samples.back().is_some_and(|last| last.at > sample.at) {
            self.samples.clear();
        }
        self.samples.push_back(sample);
        while self.samples.len() > 2 && self.samples[1].at.0 <= sample.at.0 - SPAN_MS {
            self.samples.pop_front();
        }
    }

    /// How it goes, once there is enough to say so.
    pub fn estimate(&self, row: &FirstSyncRow, pending: u64, sender: SenderCondition) -> Option<Estimate> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let span_ms = last.at.millis_since(first.at);
        if span_ms < LEAST_SPAN_MS {
            return None;
        }
        let a_second = |count: u64| count as f64 * 1000.0 / span_ms as f64;
        let orders_per_second = a_second(last.orders.saturating_sub(first.orders));
        let events_per_second = a_second(last.sent.saturating_sub(first.sent));
        let is_read = row.state >= SyncState::Sending;
        let unread = if is_read {
            0
        } else {
            row.total_orders.saturating_sub(row.done_orders).max(1)
        };
        let unsent = pending as f64 + unread as f64 * events_per_order(row);
        let reading = seconds(unread as f64, orders_per_second);
        let sending = seconds(unsent, events_per_second);
        let left = reading.max(sending);
        let keeps_up = pending as f64 <= events_per_second * KEEPS_UP_S;
        let behind = !is_read && (keeps_up || reading > sending);
        let limit = match sender {
            SenderCondition::Running if behind => reading_limit(first, last),
            SenderCondition::Running if last.rate_limit_waits > first.rate_limit_waits => {
                Bottleneck::RateLimit
            }
            SenderCondition::Throttled => Bottleneck::RateLimit,
            SenderCondition::Running | SenderCondition::Failing => Bottleneck::Edge,
            SenderCondition::Paused => Bottleneck::Paused,
        };
        Some(Estimate {
            orders_per_second,
            events_per_second,
            finish_at: left
                .is_finite()
                .then(|| last.at.plus_millis((left * 1000.0) as i64)),
            bottleneck: limit,
        })
    }
}

/// What a backfill spends most of its time with.
fn reading_limit(first: &Sample, last: &Sample) -> Bottleneck {
    let reading = last.reading_ms.saturating_sub(first.reading_ms);
    let applying = last.applying_ms.saturating_sub(first.applying_ms);
    let waiting = last.waiting_ms.saturating_sub(first.waiting_ms);
    if waiting > reading.max(applying) {
        Bottleneck::OutboxBound
    } else if applying > reading {
        Bottleneck::Disk
    } else {
        Bottleneck::Source
    }
}

/// Events that an order has, as far as this website's orders were read.
pub(super) fn events_per_order(row: &FirstSyncRow) -> f64 {
    if row.done_orders == 0 {
        0.0
    } else {
        row.events as f64 / row.done_orders as f64
    }
}

fn seconds(rest: f64, a_second: f64) -> f64 {
    if rest <= 0.0 {
        0.0
    } else if a_second <= 0.0 {
        f64::INFINITY
    } else {
        rest / a_second
    }
}
