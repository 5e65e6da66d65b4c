//! What a verification found, for commands and for the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use orderfeed_model::order::OrderId;

/// What a verification found. Numbers are complete; lists end after so many as were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VerifyReport {
    /// Orders of the source that were looked at.
    pub orders: u64,
    /// Of them, those that the feed holds.
    pub in_feed: u64,
    /// Orders that have no events, by the reason (a word of `store::feed::Exported`).
    pub not_exported: BTreeMap<String, u64>,
    /// Events by website and kind.
    pub events: Vec<EventTally>,
    /// Orders whose change is known and not indexed yet: no difference.
    pub waiting: u64,
    /// Orders that differ.
    pub differing: Differing,
    /// Of them, those that were put into the changelog and are indexed again.
    pub repaired: u64,
    /// The first of the orders that differ.
    pub differences: Vec<Difference>,
    /// The first of the orders that have no events.
    pub withheld: Vec<Withheld>,
    /// What was named and is neither in the source nor in the feed.
    pub unknown: Vec<String>,
    /// From the first to the last look, in milliseconds.
    pub elapsed_ms: i64,
    /// Whether all that was asked for was looked at.
    pub complete: bool,
    /// The lowest id that was looked at.
    #[serde(skip)]
    pub lowest: Option<OrderId>,
    /// Whether there is no order below it.
    #[serde(skip)]
    pub reached_end: bool,
}

/// Events of one kind and website that the orders call for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTally {
    /// The website's code.
    pub website: String,
    /// The kind.
    pub kind: String,
    /// What the orders call for: the sum of the others.
    pub expected: u64,
    /// Accepted by the edge.
    pub delivered: u64,
    /// In the outbox, not final.
    pub pending: u64,
    /// Not used, with a reason.
    pub suppressed: u64,
    /// Need a decision.
    pub parked: u64,
    /// Not made yet: their order's change waits to be indexed.
    pub waiting: u64,
    /// Not made, and nothing would make them.
    pub missing: u64,
}

/// How an order differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The feed does not hold it.
    MissingOrder,
    /// It changed, and no capture saw it.
    Stale,
    /// It calls for an event that the outbox does not know.
    MissingEvent,
    /// The feed holds it, the source does not.
    Gone,
    /// Its rows cannot be understood.
    Unreadable,
}

impl Finding {
    /// For people.
    pub const fn as_sentence(self) -> &'static str {
        match self {
            Self::MissingOrder => "not in the feed",
            Self::Stale => "changed, and no capture saw it",
            Self::MissingEvent => "the outbox lacks events",
            Self::Gone => "gone from the source",
            Self::Unreadable => "cannot be understood",
        }
    }
}

/// How many orders differ, by how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differing {
    /// [`Finding::MissingOrder`].
    pub missing_orders: u64,
    /// [`Finding::Stale`].
    pub stale: u64,
    /// [`Finding::MissingEvent`].
    pub missing_events: u64,
    /// [`Finding::Gone`].
    pub gone: u64,
    /// [`Finding::Unreadable`].
    pub unreadable: u64,
}

/// An order that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `entity_id`.
    pub order: OrderId,
    /// `increment_id`, where it is known.
    pub number: String,
    /// Its website, where it is known.
    pub website: Option<String>,
    /// How it differs.
    pub finding: Finding,
    /// Events that it calls for and the outbox does not know, as `kind:document`.
    pub missing_events: Vec<String>,
    /// What else is to be said.
    pub detail: String,
}

/// An order that has no events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// `entity_id`.
    pub order: OrderId,
    /// `increment_id`.
    pub number: String,
    /// The reason, a word of `store::feed::Exported`.
    pub reason: String,
}

impl Differing {
    /// Counts one more.
    pub fn count(&mut self, finding: Finding) {
        *match finding {
            Finding::MissingOrder => &mut self.missing_orders,
            Finding::Stale => &mut self.stale,
            Finding::MissingEvent => &mut self.missing_events,
            Finding::Gone => &mut self.gone,
            Finding::Unreadable => &mut self.unreadable,
        } += 1;
    }

    /// All of them.
    pub const fn total(&self) -> u64 {
        self.missing_orders + self.stale + self.missing_events + self.gone + self.unreadable
    }

    fn add(&mut self, other: Self) {
        self.missing_orders += other.missing_orders;
        self.stale += other.stale;
        self.missing_events += other.missing_events;
        self.gone += other.gone;
        self.unreadable += other.unreadable;
    }
}

impl VerifyReport {
    /// Orders that differ and are not being mended.
    pub const fn left(&self) -> u64 {
        self.differing.total().saturating_sub(self.repaired)
    }

    /// Adds the numbers of a later part; lists keep what comes first, up to `listed`.
    pub fn add(&mut self, other: Self, listed: usize) {
        self.orders += other.orders;
        self.in_feed += other.in_feed;
        self.waiting += other.waiting;
        self.repaired += other.repaired;
        self.elapsed_ms += other.elapsed_ms;
        self.differing.add(other.differing);
        for (reason, orders) in other.not_exported {
            *self.not_exported.entry(reason).or_default() += orders;
        }
        for tally in other.events {
            self.tally(&tally.website, &tally.kind).add(&tally);
        }
        self.differences.extend(other.differences);
        self.differences.truncate(listed);
        self.withheld.extend(other.withheld);
        self.withheld.truncate(listed);
        self.unknown.extend(other.unknown);
        self.complete &= other.complete;
        self.lowest = other.lowest.or(self.lowest);
    }

    /// The row of a website and kind, made if it is new; rows stay sorted.
    pub(crate) fn tally(&mut self, website: &str, kind: &str) -> &mut EventTally {
        let place = self
            .events
            .binary_search_by(|row| (row.website.as_str(), row.kind.as_str()).cmp(&(website, kind)));
        let index = place.unwrap_or_else(|index| {
            let row = EventTally {
                website: website.to_owned(),
                kind: kind.to_owned(),
                ..EventTally::default()
            };
            self.events.insert(index, row);
            index
        });
        &mut self.events[index]
    }
}

impl EventTally {
    fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.delivered += other.delivered;
        self.pending += other.pending;
        self.suppressed += other.suppressed;
        self.parked += other.parked;
        self.waiting += other.waiting;
        self.missing += other.missing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_and_lists_stay_short() {
        let part = |missing: u64| {
            let mut report = VerifyReport {
                orders: 3,
                complete: true,
                ..VerifyReport::default()
            };
            report.tally("base", "placed").missing = missing;
            report.tally("aaa", "placed").delivered = 1;
            report.differing.count(Finding::Stale);
            report.differences.push(Difference {
                order: 1,
                number: String::new(),
                website: None,
                finding: Finding::Stale,
                missing_events: Vec::new(),
                detail: String::new(),
            });
            report
        };
        let mut sum = part(1);
        sum.add(part(2), 1);
        assert_eq!((sum.orders, sum.left(), sum.differences.len()), (6, 2, 1));
        let rows: Vec<_> = sum
            .events
            .iter()
            .map(|row| (row.website.as_str(), row.missing))
            .collect();
        assert_eq!(rows, [("aaa", 0), ("base", 3)]);
    }
}
