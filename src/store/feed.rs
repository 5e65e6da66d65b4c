//! The feed: what was last seen of each order, so that an unchanged one costs nothing downstream; and the orders that
//! could not be indexed, which are retried alone.

use rusqlite::{OptionalExtension, params};

use super::meta::WebsiteId;
use super::{Reader, StoreError, Writer};
use crate::commerce::source::{Change, ChangeOp};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// Identifies the content of an order together with where it is routed.
pub type FeedHash = [u8; 16];

/// Whether events are derived from an order, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exported {
    /// Events are derived.
    Yes = 0,
    /// The order's store view no longer exists, so its website is unknown.
    StoreViewGone = 1,
    /// The order's website is not configured.
    WebsiteUnknown = 2,
    /// Back-office events of its website are switched off.
    WebsiteOff = 3,
    /// It is older than `first_sync.history` and did not change since.
    BeforeHistory = 4,
    /// Its website's events cannot leave, and as many wait as may.
    OutboxFull = 5,
}

impl Exported {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 6] = [
        Self::Yes,
        Self::StoreViewGone,
        Self::WebsiteUnknown,
        Self::WebsiteOff,
        Self::BeforeHistory,
        Self::OutboxFull,
    ];

    /// A stable word, for scripts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::StoreViewGone => "store_view_gone",
            Self::WebsiteUnknown => "website_unknown",
            Self::WebsiteOff => "website_off",
            Self::BeforeHistory => "before_history",
            Self::OutboxFull => "outbox_full",
        }
    }

    /// A sentence for `explain` and `status`.
    pub const fn as_sentence(self) -> &'static str {
        match self {
            Self::Yes => "events are derived",
            Self::StoreViewGone => "its store view no longer exists, so its website is unknown",
            Self::WebsiteUnknown => "its website is not configured",
            Self::WebsiteOff => "back-office events of its website are switched off",
            Self::BeforeHistory => "it is older than first_sync.history and has not changed since",
            Self::OutboxFull => {
                "delivery for its website stands still and delivery.max_pending_events wait already; its events \
                 follow by themselves when there is room"
            }
        }
    }

    fn from_code(code: i64) -> Option<Self> {
        usize::try_from(code)
            .ok()
            .and_then(|code| Self::ALL.get(code).copied())
    }
}

/// A hash that was cleared (an empty blob) reads as one that matches nothing.
fn read_hash(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Option<FeedHash>> {
    Ok(FeedHash::try_from(row.get_ref(column)?.as_blob()?).ok())
}

/// What is kept of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRow {
    /// `entity_id`.
    pub order: OrderId,
    /// `increment_id`.
    pub number: String,
    /// Its website, if known.
    pub website: Option<WebsiteId>,
    /// Of content and routing; `None` if it was cleared so that the order is looked at afresh.
    pub hash: Option<FeedHash>,
    /// Whether events are derived.
    pub exported: Exported,
    /// When this row last changed.
    pub modified_at: UtcMillis,
}

/// An order that could not be indexed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexFailure {
    /// `entity_id`.
    pub order: OrderId,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried again.
    pub due_at: UtcMillis,
    /// What is wrong.
    pub reason: String,
    /// Whether `first_sync.history` limits it: it failed in a backfill that keeps to it, never as a live change.
    pub limited: bool,
}

impl Reader<'_> {
    /// The feed row of an order, also of a deleted one (`true`).
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn feed_row(&self, order: OrderId) -> Result<Option<(FeedRow, bool)>, StoreError> {
        let sql = "SELECT number, website_id, feed_hash, exported, modified_at, is_deleted
                   FROM sales_data_exporter_orders_v2 WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let row = statement.query_row([order], |row| {
            let feed = FeedRow {
                order,
                number: row.get(0)?,
                website: row.get(1)?,
                hash: read_hash(row, 2)?,
                exported: Exported::from_code(row.get(3)?).unwrap_or(Exported::Yes),
                modified_at: UtcMillis(row.get(4)?),
            };
            Ok((feed, row.get(5)?))
        });
        Ok(row.optional()?)
    }

    /// The ids of live feed rows from `low` (inclusive) to `below` (exclusive; `None` is the top).
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn feed_ids(&self, low: OrderId, below: Option<OrderId>) -> Result<Vec<OrderId>, StoreError> {
        let sql =
            "SELECT id FROM sales_data_exporter_orders_v2 WHERE id >= ?1 AND id < ?2 AND is_deleted = 0";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([low, below.unwrap_or(OrderId::MAX)], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The first `limit` of [`Reader::feed_ids`], lowest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn feed_ids_from(
        &self,
        low: OrderId,
        below: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<OrderId>, StoreError> {
        let sql = "SELECT id FROM sales_data_exporter_orders_v2 WHERE id >= ?1 AND id < ?2 AND is_deleted = 0
                   ORDER BY id LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let (below, limit) = (
            below.unwrap_or(OrderId::MAX),
            i64::try_from(limit).unwrap_or(i64::MAX),
        );
        let rows = statement.query_map([low, below, limit], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The orders with this increment id (several, if store views share it). Reads the whole feed: for commands only.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn orders_by_number(&self, number: &str) -> Result<Vec<OrderId>, StoreError> {
        let sql = "SELECT id FROM sales_data_exporter_orders_v2 WHERE number = ?1 ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([number], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many orders of the feed have no events, by reason. Costs as much as there are of them.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn withheld_counts(&self) -> Result<Vec<(Exported, u64)>, StoreError> {
        let sql = "SELECT exported, count(*) FROM sales_data_exporter_orders_v2 WHERE exported <> 0 AND is_deleted = 0 GROUP BY exported";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        let mut counts = Vec::new();
        for row in rows {
            let (code, count) = row?;
            counts
                .extend(Exported::from_code(code).map(|why| (why, u64::try_from(count).unwrap_or_default())));
        }
        Ok(counts)
    }

    /// How many orders are in the feed. Reads the whole feed: for commands only.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn feed_orders(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM sales_data_exporter_orders_v2 WHERE is_deleted = 0";
        let count: i64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Orders whose retry is due at `now`, at most `limit`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn index_failures_due(&self, now: UtcMillis, limit: usize) -> Result<Vec<IndexFailure>, StoreError> {
        let sql = "SELECT entity_id, attempts, due_at, reason, limited FROM index_failure WHERE due_at <= ?1
                   ORDER BY due_at LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![now.0, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok(IndexFailure {
                order: row.get(0)?,
                attempts: row.get(1)?,
                due_at: UtcMillis(row.get(2)?),
                reason: row.get(3)?,
                limited: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The failure of one order, if it could not be indexed.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn index_failure(&self, order: OrderId) -> Result<Option<IndexFailure>, StoreError> {
        let sql = "SELECT attempts, due_at, reason, limited FROM index_failure WHERE entity_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let row = statement.query_row([order], |row| {
            Ok(IndexFailure {
                order,
                attempts: row.get(0)?,
                due_at: UtcMillis(row.get(1)?),
                reason: row.get(2)?,
                limited: row.get(3)?,
            })
        });
        Ok(row.optional()?)
    }

    /// How many orders could not be indexed.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn index_failure_count(&self) -> Result<u64, StoreError> {
        let count: i64 = self
            .connection
            .query_row("SELECT count(*) FROM index_failure", [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

impl Writer<'_> {
    /// Inserts or replaces feed rows. Never truncates: a crash in between leaves the old rows.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn upsert_feed(&mut self, rows: &[FeedRow]) -> Result<(), StoreError> {
        let sql = "INSERT INTO sales_data_exporter_orders_v2 VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)
                   ON CONFLICT DO UPDATE SET number = excluded.number, website_id = excluded.website_id,
                   feed_hash = excluded.feed_hash, exported = excluded.exported, is_deleted = 0,
                   modified_at = excluded.modified_at";
        let mut statement = self.connection.prepare_cached(sql)?;
        for row in rows {
            let exported = row.exported as i64;
            statement.execute(params![
                row.order,
                row.number,
                row.website,
                row.hash,
                exported,
                row.modified_at.0
            ])?;
        }
        Ok(())
    }

    /// Forgets what was seen of the next `limit` orders after the id `after`, so that each is looked at afresh. Events
    /// that the outbox holds stay known. Returns the id up to which it came; `None` means done.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn clear_feed_hashes(&mut self, after: OrderId, limit: usize) -> Result<Option<OrderId>, StoreError> {
        let sql = "SELECT max(id) FROM
                   (SELECT id FROM sales_data_exporter_orders_v2 WHERE id > ?1 ORDER BY id LIMIT ?2)";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(sql)?;
        let upto: Option<OrderId> = statement.query_row([after, limit], |row| row.get(0))?;
        if let Some(upto) = upto {
            let sql = "UPDATE sales_data_exporter_orders_v2 SET feed_hash = x''
                       WHERE id > ?1 AND id <= ?2 AND feed_hash <> x''";
            self.connection.prepare_cached(sql)?.execute([after, upto])?;
        }
        Ok(upto)
    }

    /// Has these orders looked at again, whatever was seen of them: by the changelog, like any change. `table` says on
    /// whose behalf.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn recheck_orders(
        &mut self,
        orders: &[OrderId],
        table: &'static str,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        // The unchanged order would be skipped by its hash; without one it is looked at.
        let sql = "UPDATE sales_data_exporter_orders_v2 SET feed_hash = x'' WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        for order in orders {
            statement.execute([order])?;
        }
        drop(statement);
        let change = |order: &OrderId| Change {
            order: *order,
            table,
            op: ChangeOp::Recheck,
        };
        let changes: Vec<Change> = orders.iter().map(change).collect();
        self.append_changes(&changes, at)
    }

    /// Marks orders that no longer exist in the source. What is in the outbox of them still goes.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn mark_deleted(&mut self, orders: &[OrderId], at: UtcMillis) -> Result<(), StoreError> {
        let sql = "UPDATE sales_data_exporter_orders_v2 SET is_deleted = 1, modified_at = ?2
                   WHERE id = ?1 AND is_deleted = 0";
        let mut statement = self.connection.prepare_cached(sql)?;
        for order in orders {
            statement.execute(params![order, at.0])?;
        }
        Ok(())
    }

    /// Notes that an order could not be indexed, and when it is tried again.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn record_index_failure(&mut self, failure: &IndexFailure, at: UtcMillis) -> Result<(), StoreError> {
        let sql = "INSERT INTO index_failure (entity_id, attempts, first_at, due_at, reason, limited)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET attempts = excluded.attempts,
                   due_at = excluded.due_at, reason = excluded.reason, limited = excluded.limited";
        self.connection.prepare_cached(sql)?.execute(params![
            failure.order,
            failure.attempts,
            at.0,
            failure.due_at.0,
            failure.reason,
            failure.limited
        ])?;
        Ok(())
    }

    /// These orders were indexed: they are no failures any more.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn clear_index_failures(&mut self, orders: &[OrderId]) -> Result<(), StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("DELETE FROM index_failure WHERE entity_id = ?1")?;
        for order in orders {
            statement.execute([order])?;
        }
        Ok(())
    }
}
