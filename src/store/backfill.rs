//! Backfills: full reindex, resync, first sync. A backfill goes from the newest order down; its position moves in
//! the transaction of each batch, so that a kill repeats one batch at most and nothing starts over.

use rusqlite::{OptionalExtension, Row, params};

use crate::store::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// A backfill's row.
pub type BackfillId = i64;

/// A backfill as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backfill {
    /// Its number.
    pub id: BackfillId,
    /// What it is for: `reindex`, `resync`, `first_sync`.
    pub kind: String,
    /// Its options, as the indexer wrote them (JSON).
    pub options: String,
    /// `running`, `complete` or `cancelled`.
    pub state: String,
    /// Orders below this id are still to come; `None` before the first batch.
    pub below: Option<OrderId>,
    /// Orders that it covers, as counted at its start.
    pub total: u64,
    /// Orders read so far.
    pub done: u64,
    /// Events that it put into the outbox.
    pub events: u64,
    /// When it began.
    pub started_at: UtcMillis,
    /// When its position last moved.
    pub updated_at: UtcMillis,
    /// When it ended.
    pub finished_at: Option<UtcMillis>,
}

/// How a backfill moved in one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackfillStep {
    /// Which backfill.
    pub id: BackfillId,
    /// The lowest order id of the batch.
    pub below: OrderId,
    /// Orders in the batch.
    pub orders: u64,
}

const COLUMNS: &str =
    "id, kind, options, state, below, total, done, events, started_at, updated_at, finished_at";

impl Reader<'_> {
    /// Backfills that are not finished, oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn running_backfills(&self) -> Result<Vec<Backfill>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM walk WHERE state = 'running' ORDER BY id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], read_backfill)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One backfill.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn backfill(&self, id: BackfillId) -> Result<Option<Backfill>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM walk WHERE id = ?1");
        Ok(self
            .connection
            .prepare_cached(&sql)?
            .query_row([id], read_backfill)
            .optional()?)
    }
}

impl Writer<'_> {
    /// Begins a backfill.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn start_backfill(
        &mut self,
        kind: &str,
        options: &str,
        total: u64,
        at: UtcMillis,
    ) -> Result<BackfillId, StoreError> {
        let sql = "INSERT INTO walk (kind, options, state, total, done, events, started_at, updated_at)
                   VALUES (?1, ?2, 'running', ?3, 0, 0, ?4, ?4)";
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached(sql)?
            .execute(params![kind, options, total, at.0])?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Moves a backfill past one batch, in the batch's own transaction.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn advance_backfill(
        &mut self,
        step: BackfillStep,
        events: u64,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE walk SET below = ?2, done = done + ?3, events = events + ?4, updated_at = ?5 WHERE id = ?1";
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.connection.prepare_cached(sql)?.execute(params![
            step.id,
            step.below,
            number(step.orders),
            number(events),
            at.0
        ])?;
        Ok(())
    }

    /// Ends a backfill as `complete` or `cancelled`.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn finish_backfill(&mut self, id: BackfillId, state: &str, at: UtcMillis) -> Result<(), StoreError> {
        let sql = "UPDATE walk SET state = ?2, updated_at = ?3, finished_at = ?3 WHERE id = ?1 AND state = 'running'";
        self.connection
            .prepare_cached(sql)?
            .execute(params![id, state, at.0])?;
        Ok(())
    }

    /// Gives up the backfills of this kind that are not finished, so that the next one begins anew. One that is under way goes
    /// on to its end, and changes nothing about that.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn cancel_backfills(&mut self, kind: &str, at: UtcMillis) -> Result<(), StoreError> {
        let sql = "UPDATE walk SET state = 'cancelled', updated_at = ?2, finished_at = ?2
                   WHERE kind = ?1 AND state = 'running'";
        self.connection
            .prepare_cached(sql)?
            .execute(params![kind, at.0])?;
        Ok(())
    }

    /// Forgets backfills that ended before `before`.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn prune_backfills(&mut self, before: UtcMillis) -> Result<usize, StoreError> {
        let sql = "DELETE FROM walk WHERE state <> 'running' AND finished_at < ?1";
        Ok(self.connection.prepare_cached(sql)?.execute([before.0])?)
    }
}

fn read_backfill(row: &Row<'_>) -> rusqlite::Result<Backfill> {
    let count = |column: usize| {
        row.get::<_, i64>(column)
            .map(|value| u64::try_from(value).unwrap_or_default())
    };
    Ok(Backfill {
        id: row.get(0)?,
        kind: row.get(1)?,
        options: row.get(2)?,
        state: row.get(3)?,
        below: row.get(4)?,
        total: count(5)?,
        done: count(6)?,
        events: count(7)?,
        started_at: UtcMillis(row.get(8)?),
        updated_at: UtcMillis(row.get(9)?),
        finished_at: row.get::<_, Option<i64>>(10)?.map(UtcMillis),
    })
}
