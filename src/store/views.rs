//! Commerce's own state tables, with Commerce's words, and the leases.

use serde::{Deserialize, Serialize};

use super::changelog::VersionId;
use super::sql::stored_words;
use super::{Reader, StoreError, Topic, Writer};
use orderfeed_model::clock::UtcMillis;

/// The id of the view and of the indexer; Commerce uses the same for both.
pub const VIEW_ID: &str = "sales_order_data_exporter_v2";
/// Title of the indexer in Commerce.
pub const TITLE: &str = "Sales Orders Feed";

stored_words! {
    /// `mview_state.mode`.
    // The docs of the variants are also the help of `indexer:set-mode`.
    #[derive(Deserialize, Serialize, clap::ValueEnum)]
    #[serde(rename_all = "snake_case")]
    pub enum ViewMode {
        /// "Update on Save": as soon as a change is captured.
        Realtime = "disabled",
        /// "Update by Schedule": by the cron job.
        Schedule = "enabled",
    }
}

stored_words! {
    /// `mview_state.status`.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum ViewStatus {
        Idle = "idle",
        Working = "working",
        /// Not indexed until it is resumed.
        Suspended = "suspended",
    }
}

stored_words! {
    /// `indexer_state.status`.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum IndexerStatus {
        Valid = "valid",
        /// A full reindex is required.
        Invalid = "invalid",
        /// A full reindex is running.
        Working = "working",
        /// Not reindexed until it is resumed.
        Suspended = "suspended",
    }
}

/// A row of `mview_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewState {
    pub mode: ViewMode,
    pub status: ViewStatus,
    /// The changelog is indexed up to this version.
    pub version: VersionId,
    /// Time at which this row last changed.
    pub updated: UtcMillis,
}

/// A row of `indexer_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexerState {
    pub status: IndexerStatus,
    /// Time at which this row last changed.
    pub updated: UtcMillis,
}

/// The claim of a process on a piece of work. It ends with the process; see [`Writer::void_leases`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Name of the work, such as `feed_sync_orders`.
    pub name: String,
    /// The operation, such as `full sync`.
    pub holder: String,
    pub pid: u32,
    pub acquired_at: UtcMillis,
    pub heartbeat_at: UtcMillis,
}

impl Reader<'_> {
    /// Returns the view's state; `None` before the first start.
    pub fn view_state(&self) -> Result<Option<ViewState>, StoreError> {
        let sql = "SELECT mode, status, version_id, updated FROM mview_state WHERE view_id = ?1";
        self.first(sql, [VIEW_ID], |row| {
            Ok(ViewState {
                mode: row.get(0)?,
                status: row.get(1)?,
                version: row.get(2)?,
                updated: UtcMillis(row.get(3)?),
            })
        })
    }

    /// Returns the view's version, 0 before the first start.
    pub fn view_version(&self) -> Result<VersionId, StoreError> {
        Ok(self.view_state()?.map_or(0, |view| view.version))
    }

    /// Returns the indexer's state; `None` before the first start.
    pub fn indexer_state(&self) -> Result<Option<IndexerState>, StoreError> {
        let sql = "SELECT status, updated FROM indexer_state WHERE indexer_id = ?1";
        self.first(sql, [VIEW_ID], |row| {
            Ok(IndexerState {
                status: row.get(0)?,
                updated: UtcMillis(row.get(1)?),
            })
        })
    }

    pub fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        let sql = "SELECT name, holder, pid, acquired_at, heartbeat_at FROM lease ORDER BY name";
        self.all(sql, [], |row| {
            Ok(Lease {
                name: row.get(0)?,
                holder: row.get(1)?,
                pid: row.get(2)?,
                acquired_at: UtcMillis(row.get(3)?),
                heartbeat_at: UtcMillis(row.get(4)?),
            })
        })
    }
}

impl Writer<'_> {
    /// Creates the rows of view and indexer at the first start. The indexer is invalid: it requires a full reindex.
    pub fn init_view(&mut self, mode: ViewMode, at: UtcMillis) -> Result<(), StoreError> {
        let sql = "INSERT INTO mview_state VALUES (?1, ?2, 'idle', 0, ?3) ON CONFLICT DO NOTHING";
        self.execute(sql, (VIEW_ID, mode, at.0))?;
        // hash_config is Commerce's and not used.
        let sql = "INSERT INTO indexer_state VALUES (?1, 'invalid', '', ?2) ON CONFLICT DO NOTHING";
        self.run(sql, (VIEW_ID, at.0))
    }

    /// Reverts the states that a process left behind: a working view becomes idle, a working indexer invalid (its backfill
    /// continues where it stopped), and all leases are deleted. Returns those leases.
    pub fn void_leases(&mut self, at: UtcMillis) -> Result<Vec<Lease>, StoreError> {
        let old = self.reader().leases()?;
        self.execute("DELETE FROM lease", [])?;
        let sql = "UPDATE mview_state SET status = 'idle', updated = ?1 WHERE status = 'working'";
        self.execute(sql, [at.0])?;
        // Not valid: the interrupted reindex has not covered everything.
        let sql = "UPDATE indexer_state SET status = 'invalid', updated = ?1 WHERE status = 'working'";
        self.execute(sql, [at.0])?;
        Ok(old)
    }

    pub fn take_lease(&mut self, name: &str, holder: &str, at: UtcMillis) -> Result<(), StoreError> {
        // A lease of the same name is this process's own: a piece of work runs once at a time.
        let sql = "INSERT OR REPLACE INTO lease VALUES (?1, ?2, ?3, ?4, ?4)";
        self.run(sql, (name, holder, std::process::id(), at.0))
    }

    /// Renews every lease of this process.
    pub fn heartbeat(&mut self, at: UtcMillis) -> Result<(), StoreError> {
        // Leases of other processes were voided at the start, under the lock of the store.
        self.run("UPDATE lease SET heartbeat_at = ?1", [at.0])
    }

    pub fn release_lease(&mut self, name: &str) -> Result<(), StoreError> {
        self.run("DELETE FROM lease WHERE name = ?1", [name])
    }

    /// Switches between schedule and realtime.
    pub fn set_view_mode(&mut self, mode: ViewMode, at: UtcMillis) -> Result<(), StoreError> {
        let sql = "UPDATE mview_state SET mode = ?2, updated = ?3 WHERE view_id = ?1";
        self.execute(sql, (VIEW_ID, mode, at.0))?;
        // After a switch to realtime, the changes that waited for the schedule are indexed at once.
        self.touch(Topic::Changelog);
        Ok(())
    }

    pub fn set_view_status(&mut self, status: ViewStatus, at: UtcMillis) -> Result<(), StoreError> {
        let sql = "UPDATE mview_state SET status = ?2, updated = ?3 WHERE view_id = ?1";
        self.execute(sql, (VIEW_ID, status, at.0))?;
        // The changes that waited while the view was suspended are indexed at once.
        self.touch(Topic::Changelog);
        Ok(())
    }

    /// Records that the changelog is indexed up to `version`. Call it in the transaction that writes the feed rows and
    /// events (I2).
    ///
    /// # Errors
    /// `Invariant` if the version would decrease or pass the changelog's head (I8).
    pub fn advance_view(&mut self, version: VersionId, at: UtcMillis) -> Result<(), StoreError> {
        let (current, head) = (self.reader().view_version()?, self.reader().changelog_head()?);
        if version < current || version > head {
            return Err(StoreError::Invariant(format!(
                "the view at version {current} was to be set to {version}, but the changelog ends at {head}"
            )));
        }
        let sql = "UPDATE mview_state SET version_id = ?2, updated = ?3 WHERE view_id = ?1";
        self.run(sql, (VIEW_ID, version, at.0))
    }

    pub fn set_indexer_status(&mut self, status: IndexerStatus, at: UtcMillis) -> Result<(), StoreError> {
        let sql = "UPDATE indexer_state SET status = ?2, updated = ?3 WHERE indexer_id = ?1";
        self.run(sql, (VIEW_ID, status, at.0))
    }

    #[cfg(test)]
    pub(crate) fn force_view_version_for_test(&mut self, version: VersionId) -> Result<(), StoreError> {
        self.init_view(ViewMode::Schedule, UtcMillis(0))?;
        self.run("UPDATE mview_state SET version_id = ?1", [version])
    }
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
    async fn states_left_by_a_dead_process_are_reverted() {
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
