//! The result of a verification, for commands and for the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use orderfeed_model::order::OrderId;

/// The result of a verification, or of a part of one. Numbers are complete; lists hold at most as many entries as requested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VerifyReport {
    /// Orders of the source that were compared.
    pub orders: u64,
    /// Orders among them that the feed holds.
    pub in_feed: u64,
    /// Number of orders without events, by reason (a word of `store::feed::Exported`).
    pub not_exported: BTreeMap<String, u64>,
    pub events: Vec<EventTally>,
    /// Orders whose change is known and not indexed yet, which is no difference.
    pub waiting: u64,
    pub differing: Differing,
    /// Differing orders that were put into the changelog and are indexed again.
    pub repaired: u64,
    /// Orders and documents that have the id of an earlier one, and events of their own.
    pub reused_ids: u64,
    pub differences: Vec<Difference>,
    pub withheld: Vec<Withheld>,
    /// Names of orders that neither the source nor the feed holds.
    pub unknown: Vec<String>,
    pub elapsed_ms: i64,
    /// True if the whole range was compared.
    pub complete: bool,
    /// Lowest id that was compared.
    #[serde(skip)]
    pub lowest: Option<OrderId>,
    /// True if there is no order below `lowest`.
    #[serde(skip)]
    pub reached_end: bool,
}

/// Events of one website and kind that the orders require.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTally {
    pub website: String,
    pub kind: String,
    /// The sum of the other numbers.
    pub expected: u64,
    pub delivered: u64,
    pub pending: u64,
    pub suppressed: u64,
    pub parked: u64,
    /// Not made yet: the change of their order waits to be indexed.
    pub waiting: u64,
    /// Not made, and nothing would make them without a repair.
    pub missing: u64,
}

/// The way in which an order differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The feed does not hold the order.
    MissingOrder,
    /// The order changed, and capture missed it.
    Stale,
    /// Another order or document was indexed under the id.
    ReusedId,
    /// The order requires an event that the outbox does not hold.
    MissingEvent,
    /// The feed holds the order, the source does not.
    #[serde(rename = "gone")]
    Deleted,
    /// The rows of the order cannot be parsed.
    Unreadable,
}

impl Finding {
    /// Returns the text for the table of differences.
    pub const fn as_sentence(self) -> &'static str {
        match self {
            Self::MissingOrder => "not in the feed",
            Self::Stale => "changed, and capture missed it",
            Self::ReusedId => "its id, or that of a document, was used again",
            Self::MissingEvent => "the outbox lacks events",
            Self::Deleted => "deleted from the source",
            Self::Unreadable => "cannot be parsed",
        }
    }
}

/// Number of differing orders, by finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differing {
    pub missing_orders: u64,
    pub stale: u64,
    pub reused_ids: u64,
    pub missing_events: u64,
    #[serde(rename = "gone")]
    pub deleted: u64,
    pub unreadable: u64,
}

/// An order that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `entity_id`.
    pub order: OrderId,
    /// `increment_id`; empty if it is not known.
    pub number: String,
    pub website: Option<String>,
    pub finding: Finding,
    /// Events that the order requires and the outbox does not hold, as `kind:document`.
    pub missing_events: Vec<String>,
    /// The reason, for an order that cannot be parsed.
    pub detail: String,
}

/// An order without events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// `entity_id`.
    pub order: OrderId,
    /// `increment_id`.
    pub number: String,
    /// A word of `store::feed::Exported`.
    pub reason: String,
}

impl Differing {
    /// Counts one more order.
    pub fn count(&mut self, finding: Finding) {
        *match finding {
            Finding::MissingOrder => &mut self.missing_orders,
            Finding::Stale => &mut self.stale,
            Finding::ReusedId => &mut self.reused_ids,
            Finding::MissingEvent => &mut self.missing_events,
            Finding::Deleted => &mut self.deleted,
            Finding::Unreadable => &mut self.unreadable,
        } += 1;
    }

    pub const fn total(&self) -> u64 {
        self.missing_orders
            + self.stale
            + self.reused_ids
            + self.missing_events
            + self.deleted
            + self.unreadable
    }

    fn add(&mut self, other: Self) {
        self.missing_orders += other.missing_orders;
        self.stale += other.stale;
        self.reused_ids += other.reused_ids;
        self.missing_events += other.missing_events;
        self.deleted += other.deleted;
        self.unreadable += other.unreadable;
    }
}

impl VerifyReport {
    /// Returns the number of orders that differ and were not repaired.
    pub const fn left(&self) -> u64 {
        self.differing.total().saturating_sub(self.repaired)
    }

    /// Adds the report of a later part. Lists keep their first `limit` entries.
    pub fn add(&mut self, other: Self, limit: usize) {
        self.orders += other.orders;
        self.in_feed += other.in_feed;
        self.waiting += other.waiting;
        self.repaired += other.repaired;
        self.reused_ids += other.reused_ids;
        self.elapsed_ms += other.elapsed_ms;
        self.differing.add(other.differing);
        for (reason, orders) in other.not_exported {
            *self.not_exported.entry(reason).or_default() += orders;
        }
        for tally in other.events {
            self.tally(&tally.website, &tally.kind).add(&tally);
        }
        self.differences.extend(other.differences);
        self.differences.truncate(limit);
        self.withheld.extend(other.withheld);
        self.withheld.truncate(limit);
        self.unknown.extend(other.unknown);
        self.complete &= other.complete;
        self.lowest = other.lowest.or(self.lowest);
    }

    /// Returns the row of a website and kind, added if it is new. Rows stay sorted.
    pub(crate) fn tally(&mut self, website: &str, kind: &str) -> &mut EventTally {
        let found = self
            .events
            .binary_search_by(|row| (row.website.as_str(), row.kind.as_str()).cmp(&(website, kind)));
        let index = found.unwrap_or_else(|index| {
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
