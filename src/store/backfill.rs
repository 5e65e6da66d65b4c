//! Backfills: full reindex, resync, first sync. A backfill goes from the newest order down. Its position moves in the
//! transaction of each batch, so a kill repeats one batch at most and nothing starts over.
//!
//! The table and the column of its id have the older name `walk`.

use rusqlite::Row;
use serde::Serialize;

use crate::store::sql::{count, moment, signed, stored_words};
use crate::store::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

pub type BackfillId = i64;

stored_words! {
    /// The purpose of a backfill.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum BackfillKind {
        /// A full reindex; the first one is the first sync of every website that has not had one.
        Reindex = "reindex",
        /// `saas:resync`.
        Resync = "resync",
        /// The first sync of a website that was enabled later, beside live traffic.
        FirstSync = "first_sync",
    }
}

stored_words! {
    pub enum BackfillState {
        Running = "running",
        Complete = "complete",
        Cancelled = "cancelled",
    }
}

/// A row of `walk`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backfill {
    pub id: BackfillId,
    pub kind: BackfillKind,
    /// Its options, as the indexer wrote them (JSON).
    pub options: String,
    pub state: BackfillState,
    /// Orders below this id are still to be read; `None` before the first batch.
    pub below: Option<OrderId>,
    /// Orders that it covers, as counted at its start.
    pub total: u64,
    /// Orders read so far.
    pub done: u64,
    /// Events that it put into the outbox.
    pub events: u64,
    pub started_at: UtcMillis,
    /// Time at which its position last moved.
    pub updated_at: UtcMillis,
    pub finished_at: Option<UtcMillis>,
    /// Starts since its position last moved, with the current one. More than one: a process was killed inside the page.
    pub starts: u32,
}

/// One batch of a backfill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackfillStep {
    pub id: BackfillId,
    /// The lowest order id of the batch.
    pub below: OrderId,
    /// Number of orders in the batch.
    pub orders: u64,
}

const COLUMNS: &str =
    "id, kind, options, state, below, total, done, events, started_at, updated_at, finished_at, starts";

impl Reader<'_> {
    /// Returns the backfills that are not finished, oldest first.
    pub fn running_backfills(&self) -> Result<Vec<Backfill>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM walk WHERE state = 'running' ORDER BY id");
        self.all(&sql, [], read_backfill)
    }

    /// Returns the start of the last full reindex that is complete.
    pub fn last_full_reindex(&self) -> Result<Option<UtcMillis>, StoreError> {
        let sql = "SELECT max(started_at) FROM walk WHERE kind = 'reindex' AND state = 'complete'";
        let started: Option<i64> = self.one(sql, [], |row| row.get(0))?;
        Ok(started.map(UtcMillis))
    }

    pub fn backfill(&self, id: BackfillId) -> Result<Option<Backfill>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM walk WHERE id = ?1");
        self.first(&sql, [id], read_backfill)
    }
}

impl Writer<'_> {
    pub fn start_backfill(
        &mut self,
        kind: BackfillKind,
        options: &str,
        total: u64,
        at: UtcMillis,
    ) -> Result<BackfillId, StoreError> {
        let sql = "INSERT INTO walk (kind, options, state, total, done, events, started_at, updated_at)
                   VALUES (?1, ?2, 'running', ?3, 0, 0, ?4, ?4)";
        self.execute(sql, (kind, options, signed(total), at.0))?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Counts a start of a backfill.
    pub fn count_start(&mut self, id: BackfillId) -> Result<(), StoreError> {
        self.run("UPDATE walk SET starts = starts + 1 WHERE id = ?1", [id])
    }

    /// Forgets the starts of a backfill: this one ended in order, without its process.
    pub fn forget_starts(&mut self, id: BackfillId) -> Result<(), StoreError> {
        self.run("UPDATE walk SET starts = 0 WHERE id = ?1", [id])
    }

    /// Moves a backfill past one batch. Call it in the batch's own transaction.
    pub fn advance_backfill(
        &mut self,
        step: BackfillStep,
        events: u64,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        // Also for one that was cancelled meanwhile: it continues to its end, and its counts stay true.
        let sql =
            "UPDATE walk SET below = ?2, done = done + ?3, events = events + ?4, updated_at = ?5, starts = 0
                   WHERE id = ?1";
        self.run(
            sql,
            (step.id, step.below, signed(step.orders), signed(events), at.0),
        )
    }

    /// Ends a running backfill as complete or cancelled.
    pub fn finish_backfill(
        &mut self,
        id: BackfillId,
        state: BackfillState,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE walk SET state = ?2, updated_at = ?3, finished_at = ?3 WHERE id = ?1 AND state = 'running'";
        self.run(sql, (id, state, at.0))
    }

    /// Cancels the running backfills of this kind, so that the next one starts over. One that a task is running continues
    /// to its end without changing its row's state.
    pub fn cancel_backfills(&mut self, kind: BackfillKind, at: UtcMillis) -> Result<(), StoreError> {
        let sql = "UPDATE walk SET state = 'cancelled', updated_at = ?2, finished_at = ?2
                   WHERE kind = ?1 AND state = 'running'";
        self.run(sql, (kind, at.0))
    }

    /// Deletes backfills that ended before `before`.
    pub fn prune_backfills(&mut self, before: UtcMillis) -> Result<usize, StoreError> {
        // A first sync treats a backfill without a row as complete, so only old rows are deleted.
        let sql = "DELETE FROM walk WHERE state <> 'running' AND finished_at < ?1";
        self.execute(sql, [before.0])
    }
}

fn read_backfill(row: &Row<'_>) -> rusqlite::Result<Backfill> {
    Ok(Backfill {
        id: row.get(0)?,
        kind: row.get(1)?,
        options: row.get(2)?,
        state: row.get(3)?,
        below: row.get(4)?,
        total: count(row, 5)?,
        done: count(row, 6)?,
        events: count(row, 7)?,
        started_at: UtcMillis(row.get(8)?),
        updated_at: UtcMillis(row.get(9)?),
        finished_at: moment(row, 10)?,
        starts: row.get(11)?,
    })
}
