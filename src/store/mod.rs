//! The one SQLite database: changelog, feed, outbox, schedules.
//!
//! # Design
//!
//! One thread writes ([`engine`], [`group`]); everyone else hands it closures over [`Writer`] and waits. The thread takes what has
//! queued up, runs it as ONE immediate transaction with a savepoint each, and answers after the commit: under load a
//! single fsync serves many. Reading happens on read-only connections over [`Reader`], each job in one snapshot. No
//! other room sees a `Connection` or a line of SQL: a statement is a verb-named method, in the file of its tables.
//!
//! | module | tables |
//! |---|---|
//! | [`changelog`] | `sales_order_data_exporter_v2_cl`, `source_cursor` |
//! | [`views`] | `mview_state`, `indexer_state`, `lease` |
//! | [`feed`] | `sales_data_exporter_orders_v2`, `index_failure` |
//! | [`backfill`] | `backfill` |
//! | [`first_sync`] | `first_sync` |
//! | [`outbox`] | `outbox_*`, `sender` |
//! | [`suppression`] | `suppression` |
//! | [`cron`] | `cron_job`, `cron_schedule` |
//! | [`meta`] | `meta`, `website` |
//! | [`intake`] | a row of `meta` |
//! | [`backup`] | copies of the whole file |
//!
//! [`file::sqlite_locks`] says who keeps SQLite's own locks, without taking any.
//!
//! # Durability
//!
//! WAL, and `synchronous` by the class of a transaction ([`Durability`]):
//!
//! - `Durable` (FULL: the commit is on the disk before the answer). Capture: the trigger log of a source is deleted
//!   only after it. Indexing: an event must be on the disk before the edge can see it, or a power cut would let the
//!   same `_id` be rendered again with other bytes (I4). Answers of the edge: or a power cut would repeat more than what
//!   was in flight (I7). Grouping makes FULL nearly free here.
//! - `Relaxed` (NORMAL: the last commits may be lost by a power cut, never by a kill, never in part). Heartbeats, cron
//!   history, clean-up: each is repeated or rebuilt.
//!
//! A group takes the strictest class of its jobs. A later FULL commit also makes earlier relaxed ones durable.

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
mod transaction;
pub mod views;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

pub use crate::store::file::check::Integrity;
use crate::store::file::damage::BackgroundCheck;
pub use crate::store::file::lock::StoreLock;
pub use engine::SimulatedLatency;
use engine::{Readers, WriterThread};
pub use error::{Fault, StoreError};

/// How often, and how long, work that others should not wait for looks whether they are through.
const LOOKS: usize = 20;
const LOOK_AGAIN: Duration = Duration::from_millis(1);
use crate::store::outbox::in_flight::InFlightBatches;
pub use transaction::{Durability, Reader, Topic, Writer};

/// The version of SQLite that is built in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// The open store. Cheap to clone; the database closes when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Store {
    // Dropped first: a check under way does not hold up the end.
    _check: Option<Arc<BackgroundCheck>>,
    writer: Arc<WriterThread>,
    readers: Arc<Readers>,
    path: Arc<PathBuf>,
    in_flight: InFlightBatches,
}

impl Store {
    /// Opens (or creates) the store at `path` for reading and writing: permissions, schema, and the checks that must
    /// hold before anything runs. The caller holds the [`StoreLock`].
    ///
    /// # Errors
    /// Anything that makes the file unusable, with its remedy; see [`StoreError`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_paced(path, None)
    }

    /// [`Store::open`]; with a pace, the store runs on the current runtime, without threads of its own.
    ///
    /// # Errors
    /// As there.
    pub fn open_paced(path: &Path, pace: Option<SimulatedLatency>) -> Result<Self, StoreError> {
        let connection = crate::store::file::open::writable(path)?;
        let readers = Readers::start(path, pace.as_ref())?;
        let writer = WriterThread::start(connection, pace)?;
        let check = match crate::store::file::damage::is_small(path) {
            true => None,
            false => Some(BackgroundCheck::start(
                crate::store::file::open::read_only(path)?,
                writer.announce_fatal(),
            )?),
        };
        Ok(Self {
            _check: check.map(Arc::new),
            writer: Arc::new(writer),
            readers: Arc::new(readers),
            path: Arc::new(path.to_owned()),
            in_flight: InFlightBatches::default(),
        })
    }

    /// Runs `job` in a write transaction and returns after its commit. An error of `job` undoes only `job`.
    ///
    /// # Errors
    /// What `job` returns, or why the commit failed (then nothing of it was kept).
    pub async fn write<T, F>(&self, durability: Durability, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.writer.run(durability, job).await
    }

    /// The same for work that others should not wait for: it lets everybody pass who waits, for a while, so that it goes
    /// on under any load and others wait for one of these at most.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_low_priority<T, F>(&self, durability: Durability, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        for _ in 0..LOOKS {
            if self.queued_writes() == 0 {
                break;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        self.writer.run(durability, job).await
    }

    /// Runs `job` on one snapshot of the database, beside the writer.
    ///
    /// # Errors
    /// What `job` returns.
    pub async fn read<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        self.readers.run(job).await
    }

    /// Moves everything from the write-ahead log into the database and cuts the log to nothing, so that what was deleted
    /// and overwritten is in neither. `false` if readers held on to it all the time; it is done at a clean stop as well.
    ///
    /// # Errors
    /// If the files cannot be written.
    pub async fn truncate_wal(&self) -> Result<bool, StoreError> {
        let path = Arc::clone(&self.path);
        let work = tokio::task::spawn_blocking(move || crate::store::file::open::truncate_wal(&path));
        work.await.map_err(|_| StoreError::Closed)?
    }

    /// The batches that senders have in their hands.
    pub fn in_flight(&self) -> &InFlightBatches {
        &self.in_flight
    }

    /// Transactions that wait for the writer.
    pub fn queued_writes(&self) -> usize {
        self.writer.queued()
    }

    /// Changes whenever a transaction put something into `topic`; wakes whoever works on it.
    pub fn subscribe(&self, topic: Topic) -> watch::Receiver<u64> {
        self.writer.subscribe(topic)
    }

    /// The first failure after which no transaction can succeed until somebody helps. The daemon stops on it.
    pub fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.writer.fatal()
    }
}

/// A store that is only looked at, beside whoever writes it.
#[derive(Debug)]
pub struct StoreView {
    connection: Connection,
}

impl StoreView {
    /// Opens the store at `path` read-only.
    ///
    /// # Errors
    /// `Missing` if there is none, `OlderSchema`, `NewerSchema` or `Foreign` if it is not ours as it is now.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        crate::store::file::open::read_only(path).map(|connection| Self { connection })
    }

    /// Runs `job` on one snapshot.
    ///
    /// # Errors
    /// What `job` returns.
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
    async fn whoever_waits_goes_before_work_that_takes_its_turn_behind() {
        let (_dir, store) = testing::fresh();
        let (begin, begun) = std::sync::mpsc::channel::<()>();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let note = |name: &'static str| {
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
        let next = store.write(Durability::Relaxed, note("next"));
        let behind = store.write_low_priority(Durability::Relaxed, note("behind"));
        // The first poll of each hands its job in; only then the writer goes on.
        let go = async { begin.send(()).unwrap() };
        let (busy, next, behind, ()) = tokio::join!(busy, next, behind, go);
        assert!(busy.is_ok() && next.is_ok() && behind.is_ok());
        assert_eq!(*order.lock().unwrap(), ["next", "behind"]);
    }
}

#[cfg(test)]
pub(crate) mod testing {
    //! A store in a temporary directory, and direct verbs on it.

    use super::*;

    /// A fresh store with its directory, which goes away with it.
    pub(crate) fn fresh() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("orderfeed.db")).unwrap();
        (dir, store)
    }
}
