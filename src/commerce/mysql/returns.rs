//! Open returns, compared as a whole at intervals: `magento_rma` has no `updated_at`, and the status of a return or of its
//! items may change without an entry in its history.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::commerce::read::cells;
use crate::commerce::read::cells::SourceRow;
use crate::commerce::read::schema::Schema;
use crate::commerce::source::{Change, ChangeOp};
use orderfeed_model::order::OrderId;

/// Maximum number of open returns that are compared, the newest first. In a shop with more, changes of the older ones are
/// found through their history only.
const MOST: usize = 5_000;
const TABLE: &str = "magento_rma";
const ITEM_COLUMNS: [&str; 5] = [
    "entity_id",
    "status",
    "qty_authorized",
    "qty_returned",
    "qty_approved",
];

/// The open returns at the last comparison.
#[derive(Debug, Default)]
pub(super) struct OpenReturns {
    known: HashMap<i64, OpenReturn>,
    /// True once every open return was reported.
    complete: bool,
    compared: Option<Instant>,
}

/// A return that is not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenReturn {
    id: i64,
    order: OrderId,
    /// Everything that may change, as one text.
    content: String,
}

impl OpenReturns {
    pub(super) fn is_due(&self, schema: &Schema, interval: Duration) -> bool {
        schema.has(TABLE, "status") && self.compared.is_none_or(|at| at.elapsed() >= interval)
    }

    pub(super) fn select(prefix: &str, schema: &Schema) -> String {
        let items = "magento_rma_item_entity";
        // A sum of checksums does not depend on the order of the items. Without all columns only the status is compared.
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
        let content = cells::text(row.cell(2)).unwrap_or_default();
        Some(OpenReturn {
            id: cells::integer(row.cell(0))?,
            order: cells::integer(row.cell(1))?,
            content,
        })
    }

    /// Reports the orders of returns that differ or are no longer open, at most `limit`. Returns true if there are more. The
    /// first comparison reports every open return as a recheck, because it cannot find out which of them changed.
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
                // Kept as it was, so that the next call reports it.
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
        // What is no longer in the result was closed or deleted.
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
            self.compared = Some(Instant::now());
        }
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(id: i64, content: &str) -> OpenReturn {
        OpenReturn {
            id,
            order: id * 10,
            content: content.into(),
        }
    }

    #[test]
    fn after_the_first_comparison_only_returns_that_differ_are_reported() {
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
