//! The changelog: the changed orders in the order of capture, and the source's cursors.
//!
//! A version id is given once and never again: AUTOINCREMENT keeps the highest one in `sqlite_sequence` even when all rows
//! were deleted. So the view's version can never be ahead of it. Rows and cursors move in one transaction: a crash before
//! the commit reads the same changes again, a crash after it has both.

use std::collections::{BTreeMap, HashSet};

use super::sql::{count, moment, signed};
use super::{Reader, StoreError, Topic, Writer};
use crate::commerce::source::{Captured, Change, Cursors};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// The position of a row in the changelog.
pub type VersionId = i64;

/// The next part of the changelog to index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangelogSlice {
    /// The distinct orders in it, by their first change.
    pub orders: Vec<OrderId>,
    /// The version up to which (inclusive) `orders` covers everything.
    pub upto: VersionId,
    /// Time at which the oldest change in it was captured.
    pub oldest: Option<UtcMillis>,
}

/// A row of the changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedChange {
    pub version: VersionId,
    /// The table that changed.
    pub table: String,
    /// The word of [`crate::commerce::source::ChangeOp`].
    pub op: String,
    /// Time of the capture.
    pub observed_at: UtcMillis,
}

/// The changes that are not indexed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangelogBacklog {
    /// Number of distinct orders.
    pub orders: u64,
    /// Time at which the oldest change was captured.
    pub oldest: Option<UtcMillis>,
}

impl Reader<'_> {
    /// Returns the highest version id ever given.
    pub fn changelog_head(&self) -> Result<VersionId, StoreError> {
        // max(version_id) would rewind after a clean-up.
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'sales_order_data_exporter_v2_cl'";
        Ok(self.first(sql, [], |row| row.get(0))?.unwrap_or(0))
    }

    /// Returns the changes after `version`, up to `max_orders` distinct orders or `max_rows` rows.
    pub fn changelog_slice(
        &self,
        version: VersionId,
        max_orders: usize,
        max_rows: usize,
    ) -> Result<ChangelogSlice, StoreError> {
        let sql = "SELECT version_id, entity_id, observed_at FROM sales_order_data_exporter_v2_cl
                   WHERE version_id > ?1 ORDER BY version_id LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query((version, signed(max_rows)))?;
        let mut seen = HashSet::new();
        let mut slice = ChangelogSlice {
            upto: version,
            ..ChangelogSlice::default()
        };
        while let Some(row) = rows.next()? {
            let order: OrderId = row.get(1)?;
            if !seen.contains(&order) {
                if slice.orders.len() == max_orders {
                    // This row begins the next slice; `upto` does not include it.
                    break;
                }
                seen.insert(order);
                slice.orders.push(order);
            }
            slice.upto = row.get(0)?;
            let observed = UtcMillis(row.get(2)?);
            slice.oldest = Some(slice.oldest.map_or(observed, |oldest| oldest.min(observed)));
        }
        Ok(slice)
    }

    /// Returns the backlog after `version`. Reads its rows.
    pub fn changelog_backlog(&self, version: VersionId) -> Result<ChangelogBacklog, StoreError> {
        let sql = "SELECT count(DISTINCT entity_id), min(observed_at) FROM sales_order_data_exporter_v2_cl
                   WHERE version_id > ?1";
        self.one(sql, [version], |row| {
            Ok(ChangelogBacklog {
                orders: count(row, 0)?,
                oldest: moment(row, 1)?,
            })
        })
    }

    /// Returns the latest changes of one order that are still in the changelog, newest first, at most `limit`. Reads the
    /// whole changelog: for commands only.
    pub fn changes_of(&self, order: OrderId, limit: usize) -> Result<Vec<LoggedChange>, StoreError> {
        let sql = "SELECT version_id, source_table, op, observed_at FROM sales_order_data_exporter_v2_cl
                   WHERE entity_id = ?1 ORDER BY version_id DESC LIMIT ?2";
        self.all(sql, (order, signed(limit)), |row| {
            Ok(LoggedChange {
                version: row.get(0)?,
                table: row.get(1)?,
                op: row.get(2)?,
                observed_at: UtcMillis(row.get(3)?),
            })
        })
    }

    /// Returns those of `orders` that changed after `version`. Reads the backlog's rows.
    pub fn changed_after(
        &self,
        version: VersionId,
        orders: &HashSet<OrderId>,
    ) -> Result<HashSet<OrderId>, StoreError> {
        let sql = "SELECT entity_id FROM sales_order_data_exporter_v2_cl WHERE version_id > ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([version])?;
        // Streamed: the backlog may be much larger than `orders`, which are one page.
        let mut changed = HashSet::new();
        while let Some(row) = rows.next()? {
            let order: OrderId = row.get(0)?;
            if orders.contains(&order) {
                changed.insert(order);
            }
        }
        Ok(changed)
    }

    /// Returns the source's cursors; `None` before the first capture.
    pub fn source_cursors(&self) -> Result<Option<Cursors>, StoreError> {
        let rows = self.all("SELECT name, value FROM source_cursor", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let cursors = BTreeMap::from_iter(rows);
        Ok((!cursors.is_empty()).then_some(Cursors(cursors)))
    }
}

impl Writer<'_> {
    /// Appends captured changes and moves the source's cursors with them (I1). Returns the number of rows appended.
    pub fn append_captured(&mut self, captured: &Captured, at: UtcMillis) -> Result<usize, StoreError> {
        self.append_changes(&captured.changes, at)?;
        self.set_source_cursors(&captured.cursors)?;
        Ok(captured.changes.len())
    }

    /// Appends changes of another origin, such as a command or a verification.
    pub fn append_changes(&mut self, changes: &[Change], at: UtcMillis) -> Result<(), StoreError> {
        let sql = "INSERT INTO sales_order_data_exporter_v2_cl (entity_id, source_table, op, observed_at)
                   VALUES (?1, ?2, ?3, ?4)";
        for change in changes {
            self.execute(sql, (change.order, change.table, change.op.as_str(), at.0))?;
        }
        if !changes.is_empty() {
            self.touch(Topic::Changelog);
        }
        Ok(())
    }

    /// Sets the given cursors of the source; others keep their values.
    pub fn set_source_cursors(&mut self, cursors: &Cursors) -> Result<(), StoreError> {
        // Most polls find nothing; an unchanged cursor must not dirty a page.
        let sql = "INSERT INTO source_cursor VALUES (?1, ?2)
                   ON CONFLICT DO UPDATE SET value = excluded.value WHERE value <> excluded.value";
        for (name, value) in &cursors.0 {
            self.execute(sql, [name, value])?;
        }
        Ok(())
    }

    /// Deletes the cursors of the source: capture starts again at the source's current ones.
    pub fn forget_source_cursors(&mut self) -> Result<(), StoreError> {
        self.execute("DELETE FROM source_cursor", [])?;
        Ok(())
    }

    /// Deletes up to `limit` of the oldest rows below `version`. Returns their number; 0 means that none is left.
    pub fn clean_changelog(&mut self, version: VersionId, limit: usize) -> Result<usize, StoreError> {
        // In steps, because one statement over a long changelog would hold up every other write.
        let sql = "DELETE FROM sales_order_data_exporter_v2_cl WHERE version_id IN
                   (SELECT version_id FROM sales_order_data_exporter_v2_cl WHERE version_id < ?1
                    ORDER BY version_id LIMIT ?2)";
        self.execute(sql, (version, signed(limit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::source::ChangeOp;
    use crate::store::{Durability, testing};

    fn change(order: OrderId) -> Change {
        Change {
            order,
            table: "sales_order",
            op: ChangeOp::Update,
        }
    }

    #[tokio::test]
    async fn a_slice_holds_distinct_orders_and_never_skips_a_row() {
        let (_dir, store) = testing::fresh();
        let changes: Vec<_> = [7, 7, 3, 7, 9, 3].into_iter().map(change).collect();
        store
            .write(Durability::Durable, move |w| {
                w.append_changes(&changes, UtcMillis(5))
            })
            .await
            .unwrap();
        let window = |after, orders| store.read(move |r| r.changelog_slice(after, orders, 100));
        assert_eq!(
            window(0, 2).await.unwrap(),
            ChangelogSlice {
                orders: vec![7, 3],
                upto: 4,
                oldest: Some(UtcMillis(5))
            }
        );
        assert_eq!(window(4, 2).await.unwrap().orders, vec![9, 3]);
        assert_eq!(
            window(6, 2).await.unwrap(),
            ChangelogSlice {
                orders: vec![],
                upto: 6,
                oldest: None
            }
        );
    }

    #[tokio::test]
    async fn version_ids_never_rewind_when_everything_is_cleaned() {
        let (_dir, store) = testing::fresh();
        let (head, next) = store
            .write(Durability::Durable, |w| {
                w.append_changes(&[change(1), change(2)], UtcMillis(0))?;
                w.clean_changelog(VersionId::MAX, 10)?;
                let head = w.reader().changelog_head()?;
                w.append_changes(&[change(3)], UtcMillis(0))?;
                Ok((head, w.reader().changelog_head()?))
            })
            .await
            .unwrap();
        assert_eq!((head, next), (2, 3));
    }

    #[tokio::test]
    async fn cursors_move_with_their_changes_or_not_at_all() {
        let (_dir, store) = testing::fresh();
        let cursors = Cursors([("sales_order".to_owned(), "42".to_owned())].into());
        let captured = Captured {
            changes: vec![change(1)],
            cursors,
            more: false,
            late: Vec::new(),
        };
        let copy = captured.clone();
        let undone = store.write(Durability::Durable, move |w| {
            w.append_captured(&copy, UtcMillis(0))?;
            Err::<(), _>(StoreError::Closed)
        });
        undone.await.unwrap_err();
        let state = || store.read(|r| Ok((r.changelog_head()?, r.source_cursors()?)));
        assert_eq!(state().await.unwrap(), (0, None));
        let copy = captured.clone();
        store
            .write(Durability::Durable, move |w| {
                w.append_captured(&copy, UtcMillis(0))
            })
            .await
            .unwrap();
        assert_eq!(state().await.unwrap(), (1, Some(captured.cursors)));
    }
}
