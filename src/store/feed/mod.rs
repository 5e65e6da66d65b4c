//! The feed: the last indexed version of each order, so that an unchanged order derives nothing; and the orders that could
//! not be indexed, which are retried one by one.

mod birth;

pub use birth::KnownBirth;

use rusqlite::Row;

use crate::commerce::source::{Change, ChangeOp};
use crate::store::meta::WebsiteId;
use crate::store::sql::{count, signed, stored};
use crate::store::{Reader, StoreError, Writer};
use orderfeed_model::birth::BirthMark;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;
use orderfeed_model::words;

/// A hash of an order's content and routing.
pub type FeedHash = [u8; 16];

words! {
    /// The decision to derive events from an order, or the reason against it. Its position is stored, and its word is for
    /// scripts.
    #[derive(Hash)]
    pub enum Exported {
        Yes = "yes",
        /// The order's store view no longer exists, so its website is unknown.
        StoreViewGone = "store_view_gone",
        /// The order's website is not configured.
        WebsiteUnknown = "website_unknown",
        /// Back-office events of its website are disabled.
        WebsiteOff = "website_off",
        /// It is older than `first_sync.history` and has not changed since.
        BeforeHistory = "before_history",
        /// Its website is blocked, and as many events are pending as may be.
        OutboxFull = "outbox_full",
    }
}
stored!(Exported, code, as_i64);

impl Exported {
    /// Returns the stored integer.
    const fn code(self) -> i64 {
        self as i64
    }

    /// Returns a sentence for `explain` and `status`.
    pub const fn as_sentence(self) -> &'static str {
        match self {
            Self::Yes => "events are derived",
            Self::StoreViewGone => "its store view no longer exists, so its website is unknown",
            Self::WebsiteUnknown => "its website is not configured",
            Self::WebsiteOff => "back-office events of its website are switched off",
            Self::BeforeHistory => "it is older than first_sync.history and has not changed since",
            Self::OutboxFull => {
                "delivery for its website is blocked and delivery.max_pending_events are pending already; its events \
                 follow by themselves when there is room"
            }
        }
    }
}

/// The last indexed version of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRow {
    /// `entity_id`.
    pub order: OrderId,
    /// `increment_id`.
    pub number: String,
    /// Its website, if known.
    pub website: Option<WebsiteId>,
    /// `None` if it was cleared, so that the order is derived again.
    pub hash: Option<FeedHash>,
    pub exported: Exported,
    /// Time at which this row last changed.
    pub modified_at: UtcMillis,
    /// The first mark seen under this id; empty if none was. Writing an empty one keeps the stored one.
    pub birth: BirthMark,
}

/// An order that could not be indexed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexFailure {
    /// `entity_id`.
    pub order: OrderId,
    /// Number of attempts so far.
    pub attempts: u32,
    /// Time of the next attempt.
    pub due_at: UtcMillis,
    pub reason: String,
    /// True if `first_sync.history` applies to it: it failed in a backfill with that limit, and never as a live change.
    pub limited: bool,
}

impl Reader<'_> {
    /// Returns the feed row of an order, and true if the order was deleted.
    pub fn feed_row(&self, order: OrderId) -> Result<Option<(FeedRow, bool)>, StoreError> {
        let sql = "SELECT number, website_id, feed_hash, exported, modified_at, is_deleted, birth_mark
                   FROM sales_data_exporter_orders_v2 WHERE id = ?1";
        self.first(sql, [order], |row| {
            let feed = FeedRow {
                order,
                number: row.get(0)?,
                website: row.get(1)?,
                // A cleared hash is an empty blob.
                hash: row.get_ref(2)?.as_blob()?.try_into().ok(),
                // A reason that a later version added.
                exported: row.get(3).unwrap_or(Exported::Yes),
                modified_at: UtcMillis(row.get(4)?),
                birth: BirthMark(row.get::<_, Option<i64>>(6)?.unwrap_or_default()),
            };
            Ok((feed, row.get(5)?))
        })
    }

    /// Returns the ids of feed rows that are not deleted, from `low` (inclusive) to `below` (exclusive; `None` has no
    /// bound).
    pub fn feed_ids(&self, low: OrderId, below: Option<OrderId>) -> Result<Vec<OrderId>, StoreError> {
        self.feed_ids_from(low, below, usize::MAX)
    }

    /// Returns the first `limit` of [`Reader::feed_ids`], lowest first.
    pub fn feed_ids_from(
        &self,
        low: OrderId,
        below: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<OrderId>, StoreError> {
        let sql = "SELECT id FROM sales_data_exporter_orders_v2 WHERE id >= ?1 AND id < ?2 AND is_deleted = 0
                   ORDER BY id LIMIT ?3";
        let below = below.unwrap_or(OrderId::MAX);
        self.all(sql, (low, below, signed(limit)), |row| row.get(0))
    }

    /// Returns the highest ids of feed rows that are not deleted.
    pub fn newest_feed_ids(&self, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        let sql =
            "SELECT id FROM sales_data_exporter_orders_v2 WHERE is_deleted = 0 ORDER BY id DESC LIMIT ?1";
        self.all(sql, [signed(limit)], |row| row.get(0))
    }

    /// Returns the orders with this increment id (several, if store views share it). Reads the whole feed: for commands
    /// only.
    pub fn orders_by_number(&self, number: &str) -> Result<Vec<OrderId>, StoreError> {
        let sql = "SELECT id FROM sales_data_exporter_orders_v2 WHERE number = ?1 ORDER BY id";
        self.all(sql, [number], |row| row.get(0))
    }

    /// Counts the orders without events, by reason. Its cost grows with their number, not with the feed.
    pub fn withheld_counts(&self) -> Result<Vec<(Exported, u64)>, StoreError> {
        // The condition is that of the partial index `feed_withheld`.
        let sql = "SELECT exported, count(*) FROM sales_data_exporter_orders_v2
                   WHERE exported <> 0 AND is_deleted = 0 GROUP BY exported";
        let counts = self.all(sql, [], |row| Ok((row.get(0).ok(), count(row, 1)?)))?;
        Ok(counts
            .into_iter()
            .filter_map(|(why, orders)| Some((why?, orders)))
            .collect())
    }

    /// Counts the orders in the feed. Reads the whole feed: for commands only.
    pub fn feed_orders(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM sales_data_exporter_orders_v2 WHERE is_deleted = 0";
        self.one(sql, [], |row| count(row, 0))
    }

    /// Returns orders whose retry is due at `now`, at most `limit`.
    pub fn index_failures_due(&self, now: UtcMillis, limit: usize) -> Result<Vec<IndexFailure>, StoreError> {
        let sql = "SELECT entity_id, attempts, due_at, reason, limited FROM index_failure WHERE due_at <= ?1
                   ORDER BY due_at LIMIT ?2";
        self.all(sql, (now.0, signed(limit)), read_failure)
    }

    /// Returns the failure of one order, if it could not be indexed.
    pub fn index_failure(&self, order: OrderId) -> Result<Option<IndexFailure>, StoreError> {
        let sql =
            "SELECT entity_id, attempts, due_at, reason, limited FROM index_failure WHERE entity_id = ?1";
        self.first(sql, [order], read_failure)
    }

    /// Counts the orders that could not be indexed.
    pub fn index_failure_count(&self) -> Result<u64, StoreError> {
        self.one("SELECT count(*) FROM index_failure", [], |row| count(row, 0))
    }
}

impl Writer<'_> {
    /// Inserts or replaces feed rows. The feed is never truncated: a crash in between leaves the old rows.
    pub fn upsert_feed(&mut self, rows: &[FeedRow]) -> Result<(), StoreError> {
        let sql = "INSERT INTO sales_data_exporter_orders_v2
                   (id, number, website_id, feed_hash, exported, is_deleted, modified_at, birth_mark)
                   VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, nullif(?7, 0))
                   ON CONFLICT DO UPDATE SET number = excluded.number, website_id = excluded.website_id,
                   feed_hash = excluded.feed_hash, exported = excluded.exported, is_deleted = 0,
                   modified_at = excluded.modified_at, birth_mark = coalesce(excluded.birth_mark, birth_mark)";
        for row in rows {
            // An order that was marked as deleted exists again.
            let FeedRow {
                order,
                number,
                website,
                hash,
                exported,
                modified_at,
                birth,
            } = row;
            let values = (order, number, website, hash, exported, modified_at.0, birth.0);
            self.execute(sql, values)?;
        }
        Ok(())
    }

    /// Clears the hashes of the next `limit` orders after the id `after`, so that each is derived again. The outbox still
    /// holds their events. Returns the last id cleared; `None` at the end of the feed.
    pub fn clear_feed_hashes(&mut self, after: OrderId, limit: usize) -> Result<Option<OrderId>, StoreError> {
        let sql = "SELECT max(id) FROM
                   (SELECT id FROM sales_data_exporter_orders_v2 WHERE id > ?1 ORDER BY id LIMIT ?2)";
        // The range is found first, so that the update touches no more than `limit` rows.
        let upto: Option<OrderId> = self.reader().one(sql, (after, signed(limit)), |row| row.get(0))?;
        if let Some(upto) = upto {
            let sql = "UPDATE sales_data_exporter_orders_v2 SET feed_hash = x''
                       WHERE id > ?1 AND id <= ?2 AND feed_hash <> x''";
            self.execute(sql, [after, upto])?;
        }
        Ok(upto)
    }

    /// Adds these orders to the changelog and clears their hashes, so that they are indexed again even if they did not
    /// change. `table` names the origin of the request.
    pub fn recheck_orders(
        &mut self,
        orders: &[OrderId],
        table: &'static str,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        // An unchanged order would be skipped because of its hash.
        let sql = "UPDATE sales_data_exporter_orders_v2 SET feed_hash = x'' WHERE id = ?1";
        for order in orders {
            self.execute(sql, [order])?;
        }
        let change = |order: &OrderId| Change {
            order: *order,
            table,
            op: ChangeOp::Recheck,
        };
        let changes: Vec<Change> = orders.iter().map(change).collect();
        self.append_changes(&changes, at)
    }

    /// Marks orders that no longer exist in the source. Their pending events are still sent.
    pub fn mark_deleted(&mut self, orders: &[OrderId], at: UtcMillis) -> Result<(), StoreError> {
        let sql = "UPDATE sales_data_exporter_orders_v2 SET is_deleted = 1, modified_at = ?2
                   WHERE id = ?1 AND is_deleted = 0";
        for order in orders {
            self.execute(sql, (order, at.0))?;
        }
        Ok(())
    }

    /// Records that an order could not be indexed, and when it is tried again.
    pub fn record_index_failure(&mut self, failure: &IndexFailure, at: UtcMillis) -> Result<(), StoreError> {
        // first_at is set once and kept.
        let sql = "INSERT INTO index_failure (entity_id, attempts, first_at, due_at, reason, limited)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET attempts = excluded.attempts,
                   due_at = excluded.due_at, reason = excluded.reason, limited = excluded.limited";
        let IndexFailure {
            order,
            attempts,
            due_at,
            reason,
            limited,
        } = failure;
        self.run(sql, (order, attempts, at.0, due_at.0, reason, limited))
    }

    /// Removes the failures of orders that were indexed.
    pub fn clear_index_failures(&mut self, orders: &[OrderId]) -> Result<(), StoreError> {
        for order in orders {
            self.execute("DELETE FROM index_failure WHERE entity_id = ?1", [order])?;
        }
        Ok(())
    }
}

fn read_failure(row: &Row<'_>) -> rusqlite::Result<IndexFailure> {
    Ok(IndexFailure {
        order: row.get(0)?,
        attempts: row.get(1)?,
        due_at: UtcMillis(row.get(2)?),
        reason: row.get(3)?,
        limited: row.get(4)?,
    })
}
