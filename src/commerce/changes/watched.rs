//! The tables that are watched for changes, and the SQL that reads them in the order of [`Mark`]s.
//!
//! Tables are read in the order of indexed columns only. `updated_at` is indexed on orders, invoices, shipments and credit
//! memos (magento/magento2, `Sales/etc/db_schema.xml`); tables that only grow are read by key. Items, addresses and
//! payments have no such column, so polling cannot see a change of only those (`docs/SOURCE.md`).

use crate::commerce::changes::window::{Mark, SeenRow};
use crate::commerce::read::cells;
use crate::commerce::read::cells::SourceRow;
use crate::commerce::read::schema::Schema;
use crate::commerce::read::tables::SourceTable;
use crate::commerce::source::ChangeOp;
use crate::config::CaptureMode;

/// The instance's own changelog of the Sales Orders Feed.
pub(crate) const CHANGELOG: &str = "sales_order_data_exporter_v2_cl";
/// The log that orderfeed's triggers write.
pub(crate) const LOG: &str = "orderfeed_log";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WatchedTable {
    /// The name without prefix.
    pub(crate) table: &'static str,
    pub(crate) key: &'static str,
    /// True if the table is read by `updated_at`, false if by key alone.
    pub(crate) timed: bool,
    pub(crate) order: OrderOf,
}

/// The way from a row to its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderOf {
    /// The column that holds the order's id.
    Column(&'static str),
    /// The column that holds the key of a row of another table, which has an `order_id`.
    Via(&'static str, &'static str),
}

/// The end of a range of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeEnd {
    Open,
    /// No row from the future.
    Now,
    At(Mark),
}

/// Rows of one table: those after a mark, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowSelection {
    pub(crate) after: Mark,
    pub(crate) until: RangeEnd,
    pub(crate) limit: usize,
}

/// Orders and documents, read by `updated_at`.
pub(crate) const TIMED: [WatchedTable; 4] = [
    timed("sales_order", "entity_id"),
    timed("sales_invoice", "order_id"),
    timed("sales_shipment", "order_id"),
    timed("sales_creditmemo", "order_id"),
];

/// Tables that only grow, and whose changes the instance's own changelog covers or an update of the order accompanies.
const GROWING: [WatchedTable; 3] = [
    keyed(
        "sales_payment_transaction",
        "transaction_id",
        OrderOf::Column("order_id"),
    ),
    keyed(
        "sales_order_status_history",
        "entity_id",
        OrderOf::Column("parent_id"),
    ),
    keyed(
        "sales_creditmemo_comment",
        "entity_id",
        OrderOf::Via("parent_id", "sales_creditmemo"),
    ),
];

/// Tables that only grow, and whose changes nothing else covers.
const UNCOVERED: [WatchedTable; 3] = [
    keyed("sales_shipment_track", "entity_id", OrderOf::Column("order_id")),
    keyed("magento_rma", "entity_id", OrderOf::Column("order_id")),
    keyed(
        "magento_rma_status_history",
        "entity_id",
        OrderOf::Via("rma_entity_id", "magento_rma"),
    ),
];

const OWN_CHANGELOG: WatchedTable = keyed(CHANGELOG, "version_id", OrderOf::Column("entity_id"));
pub(crate) const OWN_LOG: WatchedTable = keyed(LOG, "version_id", OrderOf::Column("entity_id"));

const fn timed(table: &'static str, order: &'static str) -> WatchedTable {
    WatchedTable {
        table,
        key: "entity_id",
        timed: true,
        order: OrderOf::Column(order),
    }
}

const fn keyed(table: &'static str, key: &'static str, order: OrderOf) -> WatchedTable {
    WatchedTable {
        table,
        key,
        timed: false,
        order,
    }
}

/// Returns the tables that are watched in this schema.
pub(crate) fn tables(mode: CaptureMode, schema: &Schema) -> Vec<WatchedTable> {
    match mode {
        CaptureMode::Poll => for_poll(schema),
        CaptureMode::Changelog => {
            let uncovered = UNCOVERED.into_iter();
            let present = uncovered.filter(|watched| is_present(watched, schema));
            [OWN_CHANGELOG].into_iter().chain(present).collect()
        }
        CaptureMode::Triggers => vec![OWN_LOG],
    }
}

fn for_poll(schema: &Schema) -> Vec<WatchedTable> {
    // An unindexed `updated_at` would cost a full table scan per poll, so such a table is read by key alone.
    let timed = TIMED.map(|watched| WatchedTable {
        timed: schema.is_indexed(watched.table, "updated_at"),
        ..watched
    });
    timed
        .into_iter()
        .chain(GROWING)
        .chain(UNCOVERED)
        .filter(|watched| is_present(watched, schema))
        .collect()
}

/// Returns a sentence for each table whose updates polling cannot see, because it lacks the index.
pub(crate) fn poll_notes(schema: &Schema) -> Vec<String> {
    let unindexed = TIMED
        .iter()
        .filter(|watched| !schema.is_indexed(watched.table, "updated_at"));
    let notes = unindexed.map(|watched| {
        format!(
            "The table {} has no index on updated_at: only its new rows are noticed.",
            watched.table
        )
    });
    notes.chain(returns_note(schema)).collect()
}

/// Returns a sentence if the open returns cannot be compared: without the index, that would read the whole table.
pub(crate) fn returns_note(schema: &Schema) -> Option<String> {
    let uncompared = schema.has("magento_rma", "status") && !schema.is_indexed("magento_rma", "status");
    uncompared.then(|| {
        "The table magento_rma has no index on status: a return is noticed through its history only."
            .to_owned()
    })
}

fn is_present(watched: &WatchedTable, schema: &Schema) -> bool {
    let parent = match watched.order {
        OrderOf::Column(_) => true,
        OrderOf::Via(_, parent) => schema.has_table(parent),
    };
    // Without its document's table, a row cannot be assigned to an order.
    parent && schema.has(watched.table, watched.key)
}

impl WatchedTable {
    /// Returns the statement for a selection: key, order and time of each row, for the log its table and kind of change, and
    /// `slot`. Both ranges of the condition are ranges of the index, which holds the primary key after
    /// `updated_at`.
    pub(crate) fn select(
        &self,
        prefix: &str,
        schema: &Schema,
        selection: RowSelection,
        slot: usize,
    ) -> String {
        let RowSelection { after, until, limit } = selection;
        let Self { table, key, .. } = self;
        let (order, join) = match self.order {
            OrderOf::Column(column) => (format!("t.`{column}`"), String::new()),
            OrderOf::Via(column, parent) => {
                let index = schema.force_index(parent, "entity_id");
                // LEFT: a row whose document is gone must still move the cursor.
                let join = format!(" LEFT JOIN `{prefix}{parent}` p{index} ON p.`entity_id` = t.`{column}`");
                ("p.`order_id`".to_owned(), join)
            }
        };
        let (stamp, sorting, by) = if self.timed {
            ("t.`updated_at`", "t.`updated_at`, ", "updated_at")
        } else {
            ("NULL", "", *key)
        };
        let source = match *table == LOG {
            true => "t.`source_table`, t.`op`",
            false => "NULL, NULL",
        };
        let index = schema.force_index(table, by);
        let mut sql = format!(
            "SELECT t.`{key}`, {order}, {stamp}, {source}, {slot} FROM `{prefix}{table}` t{index}{join} WHERE ({})",
            self.beyond(after)
        );
        match until {
            RangeEnd::Now if self.timed => sql.push_str(" AND t.`updated_at` <= UTC_TIMESTAMP(6)"),
            RangeEnd::At(mark) => sql.push_str(&format!(" AND ({})", self.within(mark))),
            RangeEnd::Open | RangeEnd::Now => {}
        }
        sql.push_str(&format!(" ORDER BY {sorting}t.`{key}` LIMIT {limit}"));
        sql
    }

    /// Returns the statement for the highest and the lowest key.
    pub(crate) fn select_ends(&self, prefix: &str) -> String {
        format!(
            "SELECT MAX(`{0}`), MIN(`{0}`) FROM `{prefix}{1}`",
            self.key, self.table
        )
    }

    /// Decodes a row of [`WatchedTable::select`].
    pub(crate) fn seen_row(&self, row: &impl SourceRow) -> Option<SeenRow> {
        let id = cells::integer(row.cell(0))?;
        let at = match row.cell(2) {
            cells::CellRef::Text(_) if self.timed => Some(cells::micros(row.cell(2))?),
            // Another type than a date and time.
            _ if self.timed => return None,
            _ => None,
        };
        // The log names the table and the kind of change; the changelog names neither.
        let (table, op) = if self.table == LOG {
            (
                source_table(&cells::text(row.cell(3)).unwrap_or_default()),
                op(&cells::text(row.cell(4)).unwrap_or_default()),
            )
        } else if self.table == CHANGELOG {
            ("sales_order", ChangeOp::Upsert)
        } else {
            (
                self.table,
                if self.timed {
                    ChangeOp::Upsert
                } else {
                    ChangeOp::Insert
                },
            )
        };
        Some(SeenRow {
            mark: Mark { at, id },
            order: cells::integer(row.cell(1)),
            table,
            op,
        })
    }

    fn beyond(&self, after: Mark) -> String {
        match after.moment() {
            Some(at) => format!(
                "t.`updated_at` > '{at}' OR (t.`updated_at` = '{at}' AND t.`{}` > {})",
                self.key, after.id
            ),
            None => format!("t.`{}` > {}", self.key, after.id),
        }
    }

    fn within(&self, until: Mark) -> String {
        match until.moment() {
            Some(at) => format!(
                "t.`updated_at` < '{at}' OR (t.`updated_at` = '{at}' AND t.`{}` <= {})",
                self.key, until.id
            ),
            None => format!("t.`{}` <= {}", self.key, until.id),
        }
    }
}

/// Returns the table that a log row names. A row of an unknown table is about an order all the same.
fn source_table(name: &str) -> &'static str {
    SourceTable::specs()
        .map(|spec| spec.table)
        .find(|table| *table == name)
        .unwrap_or("sales_order")
}

fn op(word: &str) -> ChangeOp {
    [ChangeOp::Insert, ChangeOp::Update, ChangeOp::Delete]
        .into_iter()
        .find(|op| op.as_str() == word)
        .unwrap_or(ChangeOp::Upsert)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timed_table_is_read_along_its_index() {
        let after = Mark {
            at: Some(1_700_000_000_250_000),
            id: 7,
        };
        let mut schema = Schema::default();
        schema.add_index("sales_invoice", "updated_at", "UPDATED");
        let selection = RowSelection {
            after,
            until: RangeEnd::Now,
            limit: 5,
        };
        assert_eq!(
            TIMED[1].select("m2_", &schema, selection, 3),
            "SELECT t.`entity_id`, t.`order_id`, t.`updated_at`, NULL, NULL, 3 FROM `m2_sales_invoice` t \
             FORCE INDEX (`UPDATED`) WHERE (t.`updated_at` > '2023-11-14 22:13:20.250000' \
             OR (t.`updated_at` = '2023-11-14 22:13:20.250000' AND t.`entity_id` > 7)) \
             AND t.`updated_at` <= UTC_TIMESTAMP(6) ORDER BY t.`updated_at`, t.`entity_id` LIMIT 5"
        );
    }

    #[test]
    fn a_row_without_an_order_id_finds_it_through_its_document() {
        let selection = RowSelection {
            after: Mark::of_key(3),
            until: RangeEnd::At(Mark::of_key(9)),
            limit: 5,
        };
        assert_eq!(
            GROWING[2].select("", &Schema::default(), selection, 0),
            "SELECT t.`entity_id`, p.`order_id`, NULL, NULL, NULL, 0 FROM `sales_creditmemo_comment` t \
             LEFT JOIN `sales_creditmemo` p ON p.`entity_id` = t.`parent_id` \
             WHERE (t.`entity_id` > 3) AND (t.`entity_id` <= 9) ORDER BY t.`entity_id` LIMIT 5"
        );
    }
}
