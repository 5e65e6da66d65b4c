//! The changelog: which orders changed, in the order in which it was noticed, and where the source goes on.
//!
//! A version id is given once and never again (AUTOINCREMENT keeps the highest one in `sqlite_sequence`, also when all
//! rows were cleaned away), so the view's version can never be ahead of it. Rows and the source's cursors move in one
//! transaction: a crash before the commit reads the same changes again, a crash after it has both.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, params};

use super::{Reader, StoreError, Topic, Writer};
use crate::commerce::source::{Captured, Change, Cursors};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// The position of a row in the changelog.
pub type VersionId = i64;

/// The next piece of the changelog to index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangelogSlice {
    /// The distinct orders in it, in the order of their first change.
    pub orders: Vec<OrderId>,
    /// The version up to which (inclusive) `orders` covers everything.
    pub upto: VersionId,
    /// When the oldest change in it was noticed.
    pub oldest: Option<UtcMillis>,
}

/// A row of the changelog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedChange {
    /// Its version.
    pub version: VersionId,
    /// The table in which it was seen.
    pub table: String,
    /// The word of [`crate::commerce::source::ChangeOp`].
    pub op: String,
    /// When it was noticed.
    pub observed_at: UtcMillis,
}

/// What waits to be indexed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangelogBacklog {
    /// Distinct orders.
    pub orders: u64,
    /// When the oldest change was noticed.
    pub oldest: Option<UtcMillis>,
}

impl Reader<'_> {
    /// The highest version id ever given.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn changelog_head(&self) -> Result<VersionId, StoreError> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'sales_order_data_exporter_v2_cl'";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))
            .optional()?
            .unwrap_or(0))
    }

    /// The changes after `version`, up to `max_orders` distinct orders or `max_rows` rows.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn changelog_slice(
        &self,
        version: VersionId,
        max_orders: usize,
        max_rows: usize,
    ) -> Result<ChangelogSlice, StoreError> {
        let sql = "SELECT version_id, entity_id, observed_at FROM sales_order_data_exporter_v2_cl
                   WHERE version_id > ?1 ORDER BY version_id LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![version, i64::try_from(max_rows).unwrap_or(i64::MAX)])?;
        let mut seen = HashSet::new();
        let mut window = ChangelogSlice {
            upto: version,
            ..ChangelogSlice::default()
        };
        while let Some(row) = rows.next()? {
            let order: OrderId = row.get(1)?;
            if !seen.contains(&order) {
                if window.orders.len() == max_orders {
                    break;
                }
                seen.insert(order);
                window.orders.push(order);
            }
            window.upto = row.get(0)?;
            let observed = UtcMillis(row.get(2)?);
            window.oldest = Some(window.oldest.map_or(observed, |oldest| oldest.min(observed)));
        }
        Ok(window)
    }

    /// What waits after `version`. Counts the rows in between.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn changelog_backlog(&self, version: VersionId) -> Result<ChangelogBacklog, StoreError> {
        let sql = "SELECT count(DISTINCT entity_id), min(observed_at) FROM sales_order_data_exporter_v2_cl
                   WHERE version_id > ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([version], |row| {
            let orders = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
            Ok(ChangelogBacklog {
                orders,
                oldest: row.get::<_, Option<i64>>(1)?.map(UtcMillis),
            })
        })?)
    }

    /// The latest changes of one order that were not cleaned away yet, newest first, at most `limit`. Reads the whole
    /// changelog: for commands only.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn changes_of(&self, order: OrderId, limit: usize) -> Result<Vec<LoggedChange>, StoreError> {
        let sql = "SELECT version_id, source_table, op, observed_at FROM sales_order_data_exporter_v2_cl
                   WHERE entity_id = ?1 ORDER BY version_id DESC LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![order, limit], |row| {
            Ok(LoggedChange {
                version: row.get(0)?,
                table: row.get(1)?,
                op: row.get(2)?,
                observed_at: UtcMillis(row.get(3)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Those of `orders` that changed after `version`. Reads the rows in between.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn changed_after(
        &self,
        version: VersionId,
        orders: &HashSet<OrderId>,
    ) -> Result<HashSet<OrderId>, StoreError> {
        let sql = "SELECT entity_id FROM sales_order_data_exporter_v2_cl WHERE version_id > ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([version])?;
        let mut changed = HashSet::new();
        while let Some(row) = rows.next()? {
            let order: OrderId = row.get(0)?;
            if orders.contains(&order) {
                changed.insert(order);
            }
        }
        Ok(changed)
    }

    /// Where the source goes on; `None` before the first capture.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn source_cursors(&self) -> Result<Option<Cursors>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT name, value FROM source_cursor")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let cursors = rows.collect::<Result<std::collections::BTreeMap<_, _>, _>>()?;
        Ok((!cursors.is_empty()).then_some(Cursors(cursors)))
    }
}

impl Writer<'_> {
    /// Appends what was captured and moves the source's cursors with it (I1). Returns how many rows were appended.
    ///
    /// # Errors
    /// If the store cannot be written; then neither moved.
    pub fn append_captured(&mut self, captured: &Captured, at: UtcMillis) -> Result<usize, StoreError> {
        self.append_changes(&captured.changes, at)?;
        self.set_source_cursors(&captured.cursors)?;
        Ok(captured.changes.len())
    }

    /// Appends changes that no capture saw: commands, verification.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn append_changes(&mut self, changes: &[Change], at: UtcMillis) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO sales_order_data_exporter_v2_cl (entity_id, source_table, op, observed_at)
                   VALUES (?1, ?2, ?3, ?4)";
        let mut statement = self.connection.prepare_cached(sql)?;
        for change in changes {
            statement.execute(params![change.order, change.table, change.op.as_str(), at.0])?;
        }
        drop(statement);
        self.touch(Topic::Changelog);
        Ok(())
    }

    /// Sets where the source goes on; names that are not mentioned stay.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn set_source_cursors(&mut self, cursors: &Cursors) -> Result<(), StoreError> {
        let sql = "INSERT INTO source_cursor VALUES (?1, ?2)
                   ON CONFLICT DO UPDATE SET value = excluded.value WHERE value <> excluded.value";
        let mut statement = self.connection.prepare_cached(sql)?;
        for (name, value) in &cursors.0 {
            statement.execute([name, value])?;
        }
        Ok(())
    }

    /// Removes up to `limit` of the oldest rows below `version`. Returns how many went; 0 means clean.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn clean_changelog(&mut self, version: VersionId, limit: usize) -> Result<usize, StoreError> {
        let sql = "DELETE FROM sales_order_data_exporter_v2_cl WHERE version_id IN
                   (SELECT version_id FROM sales_order_data_exporter_v2_cl WHERE version_id < ?1
                    ORDER BY version_id LIMIT ?2)";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(self
            .connection
            .prepare_cached(sql)?
            .execute(params![version, limit])?)
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
    async fn a_window_holds_distinct_orders_and_never_skips_a_row() {
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
