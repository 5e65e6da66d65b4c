//! Open returns, compared again and again: `magento_rma` has no `updated_at`, and the status of a return or of its items may
//! change without an entry in its history.
//!
//! A sweep goes through all open returns in pages along the index on the status, so that closed ones cost nothing. Each call
//! of capture reads at most one page, and one more statement for the items of its returns. The first sweep reports every
//! open return as a recheck, because it cannot find out which of them changed.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use tokio::time::Instant;

use crate::commerce::mysql::session::{MysqlRow, MysqlSession};
use crate::commerce::read::cells;
use crate::commerce::read::cells::SourceRow;
use crate::commerce::read::conditions::push_ids;
use crate::commerce::read::schema::Schema;
use crate::commerce::source::{Change, ChangeOp, SourceError};
use orderfeed_model::order::OrderId;

pub(super) const TABLE: &str = "magento_rma";
const ITEMS: &str = "magento_rma_item_entity";
/// The columns of an item that may change.
const ITEM_COLUMNS: [&str; 4] = ["status", "qty_authorized", "qty_returned", "qty_approved"];
/// The longest time for a page.
const PAGE_LIMIT: Duration = Duration::from_secs(1);

/// The open returns at the last comparison.
#[derive(Debug, Default)]
pub(super) struct OpenReturns {
    known: HashMap<i64, KnownReturn>,
    /// The last return of the page read last, while a sweep is in progress.
    position: Option<SweepPosition>,
    /// Number of sweeps that ended.
    sweeps: u64,
    /// Orders of returns that are open no longer and not reported yet.
    closed: Vec<OrderId>,
    /// The time before which no sweep starts.
    not_before: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct KnownReturn {
    order: OrderId,
    /// Hash of everything that may change.
    content: u64,
    /// The sweep that saw it last.
    sweep: u64,
}

/// A place in the order of status and id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SweepPosition {
    /// `None` also before the first return.
    status: Option<String>,
    id: i64,
}

/// A return that is not closed.
#[derive(Clone, Debug)]
struct OpenReturn {
    order: OrderId,
    position: SweepPosition,
    content: DefaultHasher,
}

impl OpenReturns {
    /// Returns true if a page must be read, or changes are left to report.
    pub(super) fn is_due(&self, schema: &Schema) -> bool {
        let begins = self.not_before.is_none_or(|at| at <= Instant::now());
        // Without the index each page would read the whole table.
        schema.is_indexed(TABLE, "status") && (begins || self.position.is_some() || !self.closed.is_empty())
    }

    /// Defers the next page after one that did not end in time.
    pub(super) fn defer(&mut self, pause: Duration) {
        self.position = None;
        self.not_before = Some(Instant::now() + pause);
    }

    /// Reads the next page and reports the orders of returns that differ, at most `limit`. Returns true if the next page
    /// should follow at once.
    pub(super) async fn sweep(
        &mut self,
        session: &mut MysqlSession<'_>,
        prefix: &str,
        schema: &Schema,
        interval: Duration,
        limit: usize,
    ) -> Result<(Vec<Change>, bool), SourceError> {
        if !self.closed.is_empty() {
            return Ok((self.report_closed(limit), !self.closed.is_empty()));
        }
        let position = self.position.clone().unwrap_or_default();
        let mut page: Vec<OpenReturn> = Vec::new();
        let sql = select(prefix, schema, &position, limit);
        session
            .rows_within(PAGE_LIMIT, &sql, |row| page.extend(open_return(&row)))
            .await?;
        if let Some(sql) = select_items(prefix, schema, &page) {
            let places: HashMap<i64, usize> = page.iter().map(|open| open.position.id).zip(0..).collect();
            let add = |row: MysqlRow| {
                let place = cells::integer(row.cell(0)).and_then(|id| places.get(&id).copied());
                if let Some(open) = place.and_then(|place| page.get_mut(place)) {
                    let columns = 1..ITEM_COLUMNS.len() + 2;
                    columns.for_each(|column| cells::text(row.cell(column)).hash(&mut open.content));
                }
            };
            session.rows_within(PAGE_LIMIT, &sql, add).await?;
        }
        let first = self.sweeps == 0;
        let ended = page.len() < limit;
        self.position = page.last().map(|open| open.position.clone());
        let changes = self.compare(&page);
        if ended {
            self.end_sweep(interval);
        }
        Ok((changes, (first && !ended) || !self.closed.is_empty()))
    }

    /// Compares a page with what is known, and returns what differs.
    fn compare(&mut self, page: &[OpenReturn]) -> Vec<Change> {
        let op = match self.sweeps {
            0 => ChangeOp::Recheck,
            _ => ChangeOp::Upsert,
        };
        let mut changes = Vec::new();
        for open in page {
            let now = KnownReturn {
                order: open.order,
                content: open.content.finish(),
                sweep: self.sweeps,
            };
            let before = self.known.insert(open.position.id, now);
            if before.is_none_or(|before| (before.order, before.content) != (now.order, now.content)) {
                changes.push(change(open.order, op));
            }
        }
        changes
    }

    fn end_sweep(&mut self, interval: Duration) {
        let sweep = self.sweeps;
        // Returns that the sweep did not find were closed or deleted.
        let gone = self.known.extract_if(|_, known| known.sweep != sweep);
        self.closed.extend(gone.map(|(_, known)| known.order));
        self.sweeps += 1;
        self.position = None;
        self.not_before = Some(Instant::now() + interval);
    }

    fn report_closed(&mut self, limit: usize) -> Vec<Change> {
        let rest = self.closed.len().saturating_sub(limit);
        self.closed
            .drain(rest..)
            .map(|order| change(order, ChangeOp::Upsert))
            .collect()
    }
}

fn change(order: OrderId, op: ChangeOp) -> Change {
    Change {
        order,
        table: TABLE,
        op,
    }
}

fn open_return(row: &impl SourceRow) -> Option<OpenReturn> {
    let position = SweepPosition {
        status: cells::text(row.cell(2)),
        id: cells::integer(row.cell(0))?,
    };
    let mut content = DefaultHasher::new();
    position.status.hash(&mut content);
    Some(OpenReturn {
        order: cells::integer(row.cell(1))?,
        position,
        content,
    })
}

/// Returns the statement for the open returns after a position.
fn select(prefix: &str, schema: &Schema, after: &SweepPosition, limit: usize) -> String {
    let open = "`status` NOT IN ('closed', 'processed_closed')";
    let id = after.id;
    let condition = match &after.status {
        None => format!("(`status` IS NULL AND `entity_id` > {id}) OR {open}"),
        Some(status) => {
            let status = quoted(status);
            format!("(`status` > {status} OR (`status` = {status} AND `entity_id` > {id})) AND {open}")
        }
    };
    let index = schema.force_index(TABLE, "status");
    format!(
        "SELECT `entity_id`, `order_id`, `status` FROM `{prefix}{TABLE}`{index} WHERE {condition} \
         ORDER BY `status`, `entity_id` LIMIT {limit}"
    )
}

/// Returns the statement for the items of these returns. Without an index or a column, only the status is compared.
fn select_items(prefix: &str, schema: &Schema, page: &[OpenReturn]) -> Option<String> {
    let complete = ITEM_COLUMNS.iter().all(|column| schema.has(ITEMS, column));
    if page.is_empty() || !complete || !schema.is_indexed(ITEMS, "rma_entity_id") {
        return None;
    }
    let index = schema.force_index(ITEMS, "rma_entity_id");
    let columns = ITEM_COLUMNS.map(|column| format!("`{column}`")).join(", ");
    let mut sql = format!(
        "SELECT `rma_entity_id`, `entity_id`, {columns} FROM `{prefix}{ITEMS}`{index} WHERE `rma_entity_id` IN ("
    );
    push_ids(
        &mut sql,
        &page.iter().map(|open| open.position.id).collect::<Vec<_>>(),
    );
    sql.push_str(") ORDER BY `rma_entity_id`, `entity_id`");
    Some(sql)
}

/// Returns a text of the database as a literal.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(id: i64, content: &str) -> OpenReturn {
        let position = SweepPosition {
            status: Some(content.into()),
            id,
        };
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        OpenReturn {
            order: id * 10,
            position,
            content: hasher,
        }
    }

    fn orders(changes: &[Change]) -> Vec<OrderId> {
        changes.iter().map(|change| change.order).collect()
    }

    #[test]
    fn after_the_first_sweep_only_returns_that_differ_are_reported() {
        let mut returns = OpenReturns::default();
        let changes = returns.compare(&[open(1, "pending"), open(2, "pending")]);
        assert!(changes.iter().all(|change| change.op == ChangeOp::Recheck) && changes.len() == 2);
        returns.end_sweep(Duration::ZERO);
        assert_eq!(
            orders(&returns.compare(&[open(1, "pending"), open(3, "pending")])),
            [30]
        );
        returns.end_sweep(Duration::ZERO);
        assert_eq!(orders(&returns.report_closed(9)), [20]);
        assert_eq!(orders(&returns.compare(&[open(1, "received")])), [10]);
    }

    #[test]
    fn a_page_continues_after_the_last_return_of_the_one_before() {
        let mut schema = Schema::default();
        schema.add_index(TABLE, "status", "RMA_STATUS");
        let after = SweepPosition {
            status: Some("it's".into()),
            id: 7,
        };
        assert_eq!(
            select("m2_", &schema, &after, 5),
            "SELECT `entity_id`, `order_id`, `status` FROM `m2_magento_rma` FORCE INDEX (`RMA_STATUS`) \
             WHERE (`status` > 'it''s' OR (`status` = 'it''s' AND `entity_id` > 7)) \
             AND `status` NOT IN ('closed', 'processed_closed') ORDER BY `status`, `entity_id` LIMIT 5"
        );
    }
}
