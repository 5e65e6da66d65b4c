//! The one SQLite database: changelog, feed, outbox, schedules.
//!
//! # Design
//!
//! One thread writes ([`engine`]). Others hand it closures over [`Writer`] and wait. It runs the closures that have queued
//! up as one immediate transaction, with a savepoint for each, and answers after the commit: under load, one fsync serves
//! many. Read-only connections serve closures over [`Reader`], each on one snapshot. No other module has access to a
//! `Connection` or contains SQL: a statement is a method named by a verb, in the file of its tables.
//!
//! | file | tables |
//! |---|---|
//! | [`changelog`] | `sales_order_data_exporter_v2_cl`, `source_cursor` |
//! | [`views`] | `mview_state`, `indexer_state`, `lease` |
//! | [`feed`] | `sales_data_exporter_orders_v2`, `index_failure` |
//! | [`backfill`] | `walk` |
//! | [`first_sync`] | `first_sync` |
//! | [`outbox`] | `outbox_*`, `sender`, `asked_pause` |
//! | [`suppression`] | `suppression` |
//! | [`cron`] | `cron_job`, `cron_schedule` |
//! | [`meta`] | `meta`, `website` |
//! | [`intake`] | a row of `meta` |
//! | [`traffic`] | `traffic_minute`, `traffic_day` |
//!
//! [`mod@file`] opens, locks and checks the database file, and [`mod@backup`] copies and restores it.
//!
//! # Durability
//!
//! The journal is a WAL, and `synchronous` depends on the class of the transaction ([`Durability`]):
//!
//! - `Durable` (FULL: the commit is on the disk before the answer). Capture: the source's trigger log is deleted only
//!   after it. Indexing: an event must be on the disk before the edge receives it, or after a power cut the same `_id`
//!   would be rendered again with other bytes (I4). Answers of the edge: a power cut would otherwise repeat more than what
//!   was in flight (I7). Group commit makes FULL nearly free here.
//! - `Relaxed` (NORMAL: a power cut may lose the last commits, but a kill does not, and none is lost in part). Heartbeats,
//!   cron history, clean-up: each is repeated or rebuilt.
//!
//! A group takes the strictest class of its jobs. A FULL commit also makes earlier relaxed ones durable.

pub mod backfill;
pub mod backup;
pub mod changelog;
pub mod cron;
mod engine;
mod error;
pub mod feed;
pub mod file;
pub mod first_sync;
pub mod intake;
pub mod meta;
mod migrations;
pub mod outbox;
mod sql;
pub mod suppression;
pub mod traffic;
mod transaction;
pub mod views;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

pub use crate::store::file::check::Integrity;
use crate::store::file::damage::BackgroundCheck;
pub use crate::store::file::lock::StoreLock;
use crate::store::file::{damage, open};
use crate::store::outbox::in_flight::InFlightBatches;
pub use engine::SimulatedLatency;
use engine::{Readers, WriterThread};
pub use error::{Fault, StoreError};
pub use transaction::{Durability, Reader, Topic, Writer};

/// Polls of the write queue by low-priority work before it joins the queue.
const YIELDS: usize = 20;
const YIELD_TIME: Duration = Duration::from_millis(1);

/// Returns the version of the SQLite that is built in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// An open store. Cheap to clone; the database closes when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Store {
    // The first field is dropped first: a running check is interrupted and does not delay the end.
    _check: Option<Arc<BackgroundCheck>>,
    writer: Arc<WriterThread>,
    readers: Arc<Readers>,
    path: Arc<PathBuf>,
    in_flight: InFlightBatches,
    // The last field is dropped last: the lock outlives the connections.
    _file: Arc<File>,
}

impl Store {
    /// Opens or creates the store at `path` for reading and writing: sets permissions, migrates the schema, and checks
    /// consistency. The caller holds the [`StoreLock`].
    ///
    /// # Errors
    /// Anything that makes the file unusable, with its remedy; see [`StoreError`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_simulated(path, None)
    }

    /// Opens the store as [`Store::open`] does. With a simulated latency, it runs on the current runtime, without threads.
    pub fn open_simulated(path: &Path, latency: Option<SimulatedLatency>) -> Result<Self, StoreError> {
        let (connection, file) = open::writable(path)?;
        // After the writer has migrated the file: readers refuse an older schema.
        let readers = Readers::start(path, latency.as_ref())?;
        let writer = WriterThread::start(connection, latency)?;
        let check = match damage::is_small(path) {
            true => None,
            false => Some(BackgroundCheck::start(
                open::read_only(path)?,
                writer.fatal_sender(),
            )?),
        };
        Ok(Self {
            _check: check.map(Arc::new),
            writer: Arc::new(writer),
            readers: Arc::new(readers),
            path: Arc::new(path.to_owned()),
            in_flight: InFlightBatches::default(),
            _file: Arc::new(file),
        })
    }

    /// Runs `job` in a write transaction and returns after its commit. An error of `job` reverts only `job`.
    ///
    /// # Errors
    /// The error of `job`, or that of the commit, which then has no effect.
    pub async fn write<T, F>(&self, durability: Durability, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.writer.run(durability, job).await
    }

    /// Runs `job` as [`Store::write`] does, but first lets waiting jobs pass. It does so for a limited time, so that the
    /// job makes progress under any load.
    pub async fn write_low_priority<T, F>(&self, durability: Durability, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        // The queue is polled, because a job cannot be moved back once it is queued.
        for _ in 0..YIELDS {
            if self.queued_writes() == 0 {
                break;
            }
            tokio::time::sleep(YIELD_TIME).await;
        }
        self.writer.run(durability, job).await
    }

    /// Runs `job` on one snapshot of the database, in parallel with the writer.
    pub async fn read<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.readers.run(job).await
    }

    /// Moves the write-ahead log into the database and truncates it, so that neither contains what was deleted or
    /// overwritten. Returns false if readers prevented it; a clean shutdown does it as well.
    pub async fn truncate_wal(&self) -> Result<bool, StoreError> {
        let path = Arc::clone(&self.path);
        let work = tokio::task::spawn_blocking(move || open::truncate_wal(&path));
        work.await.map_err(|_| StoreError::Closed)?
    }

    /// Frees the writer's page cache. Nothing is written.
    pub async fn release_cache(&self) -> Result<(), StoreError> {
        let release =
            |writer: &mut Writer<'_>| Ok(writer.connection.execute_batch("PRAGMA shrink_memory")?);
        self.write_low_priority(Durability::Relaxed, release).await
    }

    /// Returns the batches that senders have taken.
    pub fn in_flight(&self) -> &InFlightBatches {
        &self.in_flight
    }

    /// Returns the number of jobs that wait for the writer.
    pub fn queued_writes(&self) -> usize {
        self.writer.queued()
    }

    /// Subscribes to commits that changed `topic`.
    pub fn subscribe(&self, topic: Topic) -> watch::Receiver<u64> {
        self.writer.subscribe(topic)
    }

    /// Subscribes to the first failure after which no transaction can succeed without intervention. The daemon stops on it.
    pub fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.writer.fatal()
    }
}

/// A read-only view of a store, which another process may be writing.
#[derive(Debug)]
pub struct StoreView {
    connection: Connection,
}

impl StoreView {
    /// Opens the store at `path` read-only.
    ///
    /// # Errors
    /// `Missing` if there is none; `OlderSchema`, `NewerSchema` or `Foreign` if it has another schema.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        open::read_only(path).map(|connection| Self { connection })
    }

    /// Runs `job` on one snapshot.
    pub fn read<T>(
        &mut self,
        job: impl FnOnce(&Reader<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        engine::read_in_snapshot(&mut self.connection, job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn low_priority_work_lets_waiting_jobs_pass() {
        let (_dir, store) = testing::fresh();
        let (begin, begun) = std::sync::mpsc::channel::<()>();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let record = |name: &'static str| {
            let order = order.clone();
            move |_: &mut Writer<'_>| {
                order.lock().unwrap().push(name);
                Ok(())
            }
        };
        let busy = store.write(Durability::Relaxed, move |_| {
            let _ = begun.recv();
            Ok(())
        });
        let next = store.write(Durability::Relaxed, record("next"));
        let low = store.write_low_priority(Durability::Relaxed, record("low"));
        // Their first polls queue the jobs; only then the writer continues.
        let go = async { begin.send(()).unwrap() };
        let (busy, next, low, ()) = tokio::join!(busy, next, low, go);
        assert!(busy.is_ok() && next.is_ok() && low.is_ok());
        assert_eq!(*order.lock().unwrap(), ["next", "low"]);
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Stores in temporary directories.

    use super::*;

    /// Creates a store in a temporary directory, which is deleted when the returned value is dropped.
    pub(crate) fn fresh() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("orderfeed.db")).unwrap();
        (dir, store)
    }
}
