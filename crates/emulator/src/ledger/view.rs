//! Reads the ledger: directly for tests in the same process, and as JSON for the control interface.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::ledger::Ledger;

/// The part of the ledger to return.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Returns events after this sequence number.
    pub(crate) since: u64,
    /// Returns requests after this sequence number.
    pub(crate) since_request: u64,
    /// Largest number of each.
    pub(crate) limit: usize,
}

impl Ledger {
    /// Returns the `_id`s recorded.
    pub(crate) fn ids(&self) -> HashSet<String> {
        self.ids.iter().map(|(id, _)| id).collect()
    }

    /// Returns the number of times an `_id` was recorded.
    pub(crate) fn times_recorded(&self, id: &str) -> u32 {
        self.ids.get(id).map_or(0, |known| known.count)
    }

    /// Returns the data of one `_id`, with its body if bodies are kept.
    pub(crate) fn one(&self, id: &str) -> Option<Value> {
        let known = self.ids.get(id)?;
        let body = self.bodies.get(id).map(|bytes| String::from_utf8_lossy(bytes));
        Some(json!({
            "_id": id,
            "first_seq": known.first_seq,
            "count": known.count,
            "hash": known.hash,
            "changed": known.changed,
            "body": body,
        }))
    }

    /// Returns one page, with the totals and the start of the next page.
    pub(crate) fn page(&self, page: Page) -> Value {
        let events = after(&self.events, page.since, page.limit);
        let requests = after(&self.requests, page.since_request, page.limit);
        json!({
            "events": events,
            "requests": requests,
            "tokens_issued": self.totals.tokens_issued,
            "next": {
                "since": events.last().map_or(page.since, |row| row.seq),
                "since_request": requests.last().map_or(page.since_request, |row| row.seq),
            },
            "total": { "events": self.totals.events, "requests": self.totals.requests },
        })
    }

    /// Returns the counters and the number of violations.
    pub(crate) fn summary(&self) -> Value {
        json!({
            "detail": self.detail,
            "totals": self.totals,
            "unique_ids": self.ids.len(),
            "bytes_changed": self.changed.len(),
            "order_violations": self.order.total,
            "early_requests": self.pace.total,
        })
    }

    /// Returns the violations one by one.
    pub(crate) fn findings(&self) -> Value {
        json!({
            "bytes_changed": self.changed,
            "order_violations": self.order.kept,
            "early_requests": self.pace.kept,
            "pii_findings": self.pii,
        })
    }
}

/// Returns the rows after a sequence number. Row n has index n − 1.
fn after<T>(rows: &[T], since: u64, limit: usize) -> &[T] {
    let start = usize::try_from(since).unwrap_or(usize::MAX).min(rows.len());
    let end = start.saturating_add(limit).min(rows.len());
    &rows[start..end]
}
