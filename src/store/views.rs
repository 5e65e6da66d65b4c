//! Commerce's own tables of states, with Commerce's words, and the leases that say who works right now.

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::changelog::VersionId;
use super::{Reader, StoreError, Topic, Writer};
use orderfeed_model::clock::UtcMillis;

/// The view and the indexer: Commerce uses the same id for both.
pub const VIEW_ID: &str = "sales_order_data_exporter_v2";
/// The indexer's title.
pub const TITLE: &str = "Sales Orders Feed";

/// How the index is kept up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewMode {
    /// "Update by Schedule": the cron job indexes what the changelog holds.
    Schedule,
    /// "Update on Save": indexed as soon as a change is captured.
    Realtime,
}

/// `mview_state.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ViewStatus {
    /// Nothing is being indexed.
    Idle,
    /// Indexing right now.
    Working,
    /// Told not to index.
    Suspended,
}

/// `indexer_state.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexerStatus {
    /// Ready.
    Valid,
    /// A full reindex is required.
    Invalid,
    /// A full reindex is running.
    Working,
    /// Told not to reindex.
    Suspended,
}

/// A row of `mview_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewState {
    /// Schedule or realtime.
    pub mode: ViewMode,
    /// What the view does.
    pub status: ViewStatus,
    /// The changelog is indexed up to here.
    pub version: VersionId,
    /// When this row last changed.
    pub updated: UtcMillis,
}

/// A row of `indexer_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexerState {
    /// Ready, Reindex required, Processing or Suspended.
    pub status: IndexerStatus,
    /// When this row last changed.
    pub updated: UtcMillis,
}

/// Who works on something. Void when the process is gone: see [`Writer::void_leases`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What is held, such as `feed_sync_orders`.
    pub name: String,
    /// By whom, such as `full sync`.
    pub holder: String,
    /// Process id.
    pub pid: u32,
    /// Since when.
    pub acquired_at: UtcMillis,
    /// Last sign of life.
    pub heartbeat_at: UtcMillis,
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ }) => {
        impl $type {
            /// The word in the table.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
words!(ViewMode { Schedule = "enabled", Realtime = "disabled" });
words!(ViewStatus { Idle = "idle", Working = "working", Suspended = "suspended" });
words!(IndexerStatus { Valid = "valid", Invalid = "invalid", Working = "working", Suspended = "suspended" });

impl Reader<'_> {
    /// The view's state; `None` before the first start.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn view_state(&self) -> Result<Option<ViewState>, StoreError> {
        let sql = "SELECT mode, status, version_id, updated FROM mview_state WHERE view_id = ?1";
        let read = |row: &Row<'_>| {
            Ok(ViewState {
                mode: word(row, 0, ViewMode::from_word)?,
                status: word(row, 1, ViewStatus::from_word)?,
                version: row.get(2)?,
                updated: UtcMillis(row.get(3)?),
            })
        };
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([VIEW_ID], read)
            .optional()?)
    }

    /// The view's version, 0 before the first start.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn view_version(&self) -> Result<VersionId, StoreError> {
        Ok(self.view_state()?.map_or(0, |view| view.version))
    }

    /// The indexer's state; `None` before the first start.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn indexer_state(&self) -> Result<Option<IndexerState>, StoreError> {
        let sql = "SELECT status, updated FROM indexer_state WHERE indexer_id = ?1";
        let read = |row: &Row<'_>| {
            Ok(IndexerState {
                status: word(row, 0, IndexerStatus::from_word)?,
                updated: UtcMillis(row.get(1)?),
            })
        };
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row([VIEW_ID], read)
            .optional()?)
    }

    /// All leases.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        let sql = "SELECT name, holder, pid, acquired_at, heartbeat_at FROM lease ORDER BY name";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(Lease {
                name: row.get(0)?,
                holder: row.get(1)?,
                pid: row.get(2)?,
                acquired_at: UtcMillis(row.get(3)?),
                heartbeat_at: UtcMillis(row.get(4)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Writer<'_> {
    /// Makes the rows of view and indexer at the first start: a full reindex is required.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn init_view(&mut self, mode: ViewMode, at: UtcMillis) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO mview_state VALUES (?1, ?2, 'idle', 0, ?3) ON CONFLICT DO NOTHING")?
            .execute(params![VIEW_ID, mode.as_str(), at.0])?;
        self.connection
            .prepare_cached(
                "INSERT INTO indexer_state VALUES (?1, 'invalid', '', ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(params![VIEW_ID, at.0])?;
        Ok(())
    }

    /// Takes back what a process that died was doing: a working view is idle, a working indexer must reindex (its
    /// backfill goes on where it stopped), no lease is valid.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn void_leases(&mut self, at: UtcMillis) -> Result<Vec<Lease>, StoreError> {
        let old = self.reader().leases()?;
        self.connection.execute("DELETE FROM lease", [])?;
        self.connection.execute(
            "UPDATE mview_state SET status = 'idle', updated = ?1 WHERE status = 'working'",
            [at.0],
        )?;
        self.connection.execute(
            "UPDATE indexer_state SET status = 'invalid', updated = ?1 WHERE status = 'working'",
            [at.0],
        )?;
        Ok(old)
    }

    /// Says who works on `name` from now on.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn take_lease(&mut self, name: &str, holder: &str, at: UtcMillis) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO lease VALUES (?1, ?2, ?3, ?4, ?4)")?
            .execute(params![name, holder, std::process::id(), at.0])?;
        Ok(())
    }

    /// A sign of life for every lease of this process.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn heartbeat(&mut self, at: UtcMillis) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE lease SET heartbeat_at = ?1")?
            .execute([at.0])?;
        Ok(())
    }

    /// The work on `name` is over.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn release_lease(&mut self, name: &str) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM lease WHERE name = ?1")?
            .execute([name])?;
        Ok(())
    }

    /// Switches between schedule and realtime, and wakes the indexer, which may have to start at once.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn set_view_mode(&mut self, mode: ViewMode, at: UtcMillis) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE mview_state SET mode = ?2, updated = ?3 WHERE view_id = ?1")?
            .execute(params![VIEW_ID, mode.as_str(), at.0])?;
        // What waited for the schedule is indexed at once after a switch to realtime.
        self.touch(Topic::Changelog);
        Ok(())
    }

    /// Says what the view does now.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn set_view_status(&mut self, status: ViewStatus, at: UtcMillis) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE mview_state SET status = ?2, updated = ?3 WHERE view_id = ?1")?
            .execute(params![VIEW_ID, status.as_str(), at.0])?;
        // What waited while the view was suspended is indexed at once.
        self.touch(Topic::Changelog);
        Ok(())
    }

    /// The changelog is indexed up to `version`: in the same transaction as the feed rows and events of it (I2).
    ///
    /// # Errors
    /// `Invariant` if the version would go backwards or pass the changelog's head (I8).
    pub fn advance_view(&mut self, version: VersionId, at: UtcMillis) -> Result<(), StoreError> {
        let (current, head) = (self.reader().view_version()?, self.reader().changelog_head()?);
        if version < current || version > head {
            return Err(StoreError::Invariant(format!(
                "the view at version {current} was to be set to {version}, but the changelog ends at {head}"
            )));
        }
        self.connection
            .prepare_cached("UPDATE mview_state SET version_id = ?2, updated = ?3 WHERE view_id = ?1")?
            .execute(params![VIEW_ID, version, at.0])?;
        Ok(())
    }

    /// Says what the indexer does now.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn set_indexer_status(&mut self, status: IndexerStatus, at: UtcMillis) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE indexer_state SET status = ?2, updated = ?3 WHERE indexer_id = ?1")?
            .execute(params![VIEW_ID, status.as_str(), at.0])?;
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn force_view_version_for_test(&mut self, version: VersionId) -> Result<(), StoreError> {
        self.init_view(ViewMode::Schedule, UtcMillis(0))?;
        self.connection
            .execute("UPDATE mview_state SET version_id = ?1", [version])?;
        Ok(())
    }
}

/// A word of a closed list; another one is a contradiction that no default may hide.
fn word<T>(row: &Row<'_>, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| {
        let cause = format!("unknown word {text:?}");
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, cause.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Durability, testing};

    #[tokio::test]
    async fn the_version_cannot_pass_the_changelog_nor_go_back() {
        let (_dir, store) = testing::fresh();
        store
            .write(Durability::Durable, |w| {
                w.init_view(ViewMode::Schedule, UtcMillis(0))
            })
            .await
            .unwrap();
        let advance = |to| store.write(Durability::Durable, move |w| w.advance_view(to, UtcMillis(1)));
        assert!(matches!(advance(1).await, Err(StoreError::Invariant(_))));
        assert!(matches!(advance(-1).await, Err(StoreError::Invariant(_))));
        advance(0).await.unwrap();
    }

    #[tokio::test]
    async fn what_a_dead_process_was_doing_is_taken_back() {
        let (_dir, store) = testing::fresh();
        let (old, view, indexer) = store
            .write(Durability::Durable, |w| {
                w.init_view(ViewMode::Realtime, UtcMillis(0))?;
                w.set_view_status(ViewStatus::Working, UtcMillis(1))?;
                w.set_indexer_status(IndexerStatus::Working, UtcMillis(1))?;
                w.take_lease("feed_sync_orders", "full sync", UtcMillis(1))?;
                let old = w.void_leases(UtcMillis(2))?;
                Ok((old, w.reader().view_state()?, w.reader().indexer_state()?))
            })
            .await
            .unwrap();
        assert_eq!(old[0].holder, "full sync");
        assert_eq!(view.unwrap().status, ViewStatus::Idle);
        assert_eq!(indexer.unwrap().status, IndexerStatus::Invalid);
    }
}
