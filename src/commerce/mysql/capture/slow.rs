//! Tables that did not answer in time: each is read by itself, on a connection of its own, so that it delays no other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::commerce::mysql::capture::fetch::{Fetched, TableRead, fetch};
use crate::commerce::mysql::connect::MysqlConnector;
use crate::commerce::mysql::inspect::Inspected;
use crate::commerce::source::SourceError;

/// The longest time for a read of a slow table.
const SLOW_LIMIT: Duration = Duration::from_secs(60);
/// Pause after a read that did not end in time.
const RETRY: Duration = Duration::from_secs(10);

/// The tables that are read by themselves.
#[derive(Debug, Default)]
pub(super) struct SlowTables(BTreeMap<&'static str, SlowTable>);

#[derive(Debug, Default)]
struct SlowTable {
    reading: Option<Reading>,
    /// The time before which it is not read.
    not_before: Option<Instant>,
}

/// A read in progress.
#[derive(Debug)]
struct Reading {
    read: TableRead,
    begun: Instant,
    task: AbortOnDropHandle<Result<Fetched, SourceError>>,
}

/// A read that ended.
pub(super) struct SlowRead {
    pub(super) read: TableRead,
    pub(super) took: Duration,
    pub(super) result: Result<Fetched, SourceError>,
}

impl SlowTables {
    pub(super) fn contains(&self, table: &str) -> bool {
        self.0.contains_key(table)
    }

    pub(super) fn add(&mut self, table: &'static str) {
        self.0.entry(table).or_default();
    }

    pub(super) fn remove(&mut self, table: &str) {
        self.0.remove(table);
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// Aborts every read in progress: its range no longer belongs to the positions in memory.
    pub(super) fn abort_reads(&mut self) {
        for slow in self.0.values_mut() {
            slow.reading = None;
        }
    }

    /// Returns the result of a table's read, once it has ended.
    pub(super) async fn take_ended(&mut self, table: &str) -> Option<SlowRead> {
        let slow = self.0.get_mut(table)?;
        let reading = slow.reading.take_if(|reading| reading.task.is_finished())?;
        let took = reading.begun.elapsed();
        // Only a panic or an abort has no result; then it is read again.
        let result = reading.task.await.ok()?;
        if result.is_err() {
            slow.not_before = Some(Instant::now() + RETRY);
        }
        Some(SlowRead {
            read: reading.read,
            took,
            result,
        })
    }

    /// Returns true if a table may be read now: it is due, and fewer than `most` reads are in progress.
    pub(super) fn is_due(&self, table: &str, most: usize) -> bool {
        let busy = self.0.values().filter(|slow| slow.reading.is_some()).count();
        let due = |slow: &SlowTable| {
            slow.reading.is_none() && slow.not_before.is_none_or(|at| at <= Instant::now())
        };
        busy < most && self.0.get(table).is_some_and(due)
    }

    /// Starts to read a table.
    pub(super) fn read(
        &mut self,
        connector: Arc<MysqlConnector>,
        inspected: Arc<Inspected>,
        read: TableRead,
    ) {
        let Some(slow) = self.0.get_mut(read.watched.table) else {
            return;
        };
        let work = async move {
            let prefix = &connector.database().prefix;
            let mut session = connector.session().await?;
            fetch(&mut session, prefix, &inspected.schema, &[read], SLOW_LIMIT).await
        };
        slow.reading = Some(Reading {
            read,
            begun: Instant::now(),
            task: AbortOnDropHandle::new(tokio::spawn(work)),
        });
    }
}
