//! Open returns, looked at as a whole every so often: `magento_rma` has no `updated_at`, and the status of a return or
//! of its items may change without an entry in its history.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::commerce::read::cells;
use crate::commerce::read::cells::SourceRow;
use crate::commerce::read::schema::Schema;
use crate::commerce::source::{Change, ChangeOp};
use orderfeed_model::order::OrderId;

/// How many, the newest first. A shop with more open returns than that has its older ones noticed through their
/// history alone.
const MOST: usize = 5_000;
const TABLE: &str = "magento_rma";
const ITEM_COLUMNS: [&str; 5] = [
    "entity_id",
    "status",
    "qty_authorized",
    "qty_returned",
    "qty_approved",
];

/// What the open returns looked like.
#[derive(Debug, Default)]
pub(super) struct OpenReturns {
    known: HashMap<i64, OpenReturn>,
    complete: bool,
    looked: Option<Instant>,
}

/// A return that is not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenReturn {
    id: i64,
    order: OrderId,
    /// Everything that may change, in a form that compares.
    looks: String,
}

impl OpenReturns {
    pub(super) fn is_due(&self, schema: &Schema, interval: Duration) -> bool {
        schema.has(TABLE, "status") && self.looked.is_none_or(|at| at.elapsed() >= interval)
    }

    pub(super) fn select(prefix: &str, schema: &Schema) -> String {
        let items = "magento_rma_item_entity";
        let sum = if ITEM_COLUMNS.iter().all(|column| schema.has(items, column)) {
            let columns = ITEM_COLUMNS
                .map(|column| format!("COALESCE(i.`{column}`, '')"))
                .join(", ");
            format!(
                "(SELECT COALESCE(SUM(CRC32(CONCAT_WS('|', {columns}))), 0) FROM `{prefix}{items}` i \
                 WHERE i.`rma_entity_id` = r.`entity_id`)"
            )
        } else {
            "0".to_owned()
        };
        format!(
            "SELECT r.`entity_id`, r.`order_id`, CONCAT_WS('|', r.`status`, {sum}) FROM `{prefix}{TABLE}` r \
             WHERE r.`status` IS NULL OR r.`status` NOT IN ('closed', 'processed_closed') \
             ORDER BY r.`entity_id` DESC LIMIT {MOST}"
        )
    }

    pub(super) fn open_return(row: &impl SourceRow) -> Option<OpenReturn> {
        let looks = cells::text(row.cell(2)).unwrap_or_default();
        Some(OpenReturn {
            id: cells::integer(row.cell(0))?,
            order: cells::integer(row.cell(1))?,
            looks,
        })
    }

    /// Reports the orders of returns that look different or are no longer open, at most `limit`; `true` if there are
    /// more. Without an earlier look nothing is known to have changed, so all are to be looked at again.
    pub(super) fn compare(&mut self, open: Vec<OpenReturn>, limit: usize, changes: &mut Vec<Change>) -> bool {
        let op = if self.complete {
            ChangeOp::Upsert
        } else {
            ChangeOp::Recheck
        };
        let end = changes.len() + limit;
        let mut left = std::mem::take(&mut self.known);
        for now in open {
            let before = left.remove(&now.id);
            let same = before.as_ref() == Some(&now);
            if !same && changes.len() >= end {
                // Stays as it was until the next call.
                self.known.extend(before.map(|before| (before.id, before)));
                continue;
            }
            if !same {
                changes.push(Change {
                    order: now.order,
                    table: TABLE,
                    op,
                });
            }
            self.known.insert(now.id, now);
        }
        for (_, closed) in left {
            changes.push(Change {
                order: closed.order,
                table: TABLE,
                op,
            });
        }
        let more = changes.len() >= end;
        if !more {
            self.complete = true;
            self.looked = Some(Instant::now());
        }
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(id: i64, looks: &str) -> OpenReturn {
        OpenReturn {
            id,
            order: id * 10,
            looks: looks.into(),
        }
    }

    #[test]
    fn only_returns_that_look_different_are_reported_after_the_first_look() {
        let mut returns = OpenReturns::default();
        let mut changes = Vec::new();
        assert!(!returns.compare(vec![open(1, "pending"), open(2, "pending")], 9, &mut changes));
        assert!(changes.iter().all(|change| change.op == ChangeOp::Recheck) && changes.len() == 2);
        changes.clear();
        returns.compare(vec![open(1, "pending"), open(3, "pending")], 9, &mut changes);
        assert_eq!(
            changes.iter().map(|change| change.order).collect::<Vec<_>>(),
            [30, 20]
        );
    }

    #[test]
    fn a_limit_leaves_the_rest_for_the_next_call() {
        let mut returns = OpenReturns::default();
        let all = || (1..=5).map(|id| open(id, "pending")).collect::<Vec<_>>();
        let mut changes = Vec::new();
        let mut calls = 1;
        while returns.compare(all(), 2, &mut changes) {
            calls += 1;
        }
        assert_eq!((calls, changes.len()), (3, 5));
    }
}
