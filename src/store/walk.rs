//! Walks over history: full reindex, resync, first sync. A walk goes from the newest order down; its position moves in
//! the transaction of each batch, so that a kill repeats one batch at most and nothing starts over.

use rusqlite::{OptionalExtension, Row, params};

use super::{Reader, StoreError, Writer};
use crate::clock::UtcMillis;
use crate::commerce::order::OrderId;

/// A walk's row.
pub type WalkId = i64;

/// A walk as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Its number.
    pub id: WalkId,
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

/// How a walk moved in one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkStep {
    /// Which walk.
    pub id: WalkId,
    /// The lowest order id of the batch.
    pub below: OrderId,
    /// Orders in the batch.
    pub orders: u64,
}

const COLUMNS: &str =
    "id, kind, options, state, below, total, done, events, started_at, updated_at, finished_at";

impl Reader<'_> {
    /// Walks that are not finished, oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn running_walks(&self) -> Result<Vec<Walk>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM walk WHERE state = 'running' ORDER BY id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], read_walk)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One walk.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn walk(&self, id: WalkId) -> Result<Option<Walk>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM walk WHERE id = ?1");
        Ok(self
            .connection
            .prepare_cached(&sql)?
            .query_row([id], read_walk)
            .optional()?)
    }
}

impl Writer<'_> {
    /// Begins a walk.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn start_walk(
        &mut self,
        kind: &str,
        options: &str,
        total: u64,
        at: UtcMillis,
    ) -> Result<WalkId, StoreError> {
        let sql = "INSERT INTO walk (kind, options, state, total, done, events, started_at, updated_at)
                   VALUES (?1, ?2, 'running', ?3, 0, 0, ?4, ?4)";
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached(sql)?
            .execute(params![kind, options, total, at.0])?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Moves a walk past one batch, in the batch's own transaction.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn advance_walk(&mut self, step: WalkStep, events: u64, at: UtcMillis) -> Result<(), StoreError> {
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

    /// Ends a walk as `complete` or `cancelled`.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn finish_walk(&mut self, id: WalkId, state: &str, at: UtcMillis) -> Result<(), StoreError> {
        let sql = "UPDATE walk SET state = ?2, updated_at = ?3, finished_at = ?3 WHERE id = ?1 AND state = 'running'";
        self.connection
            .prepare_cached(sql)?
            .execute(params![id, state, at.0])?;
        Ok(())
    }

    /// Gives up the walks of this kind that are not finished, so that the next one begins anew. One that is under way goes
    /// on to its end, and changes nothing about that.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn cancel_walks(&mut self, kind: &str, at: UtcMillis) -> Result<(), StoreError> {
        let sql = "UPDATE walk SET state = 'cancelled', updated_at = ?2, finished_at = ?2
                   WHERE kind = ?1 AND state = 'running'";
        self.connection
            .prepare_cached(sql)?
            .execute(params![kind, at.0])?;
        Ok(())
    }

    /// Forgets walks that ended before `before`.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn prune_walks(&mut self, before: UtcMillis) -> Result<usize, StoreError> {
        let sql = "DELETE FROM walk WHERE state <> 'running' AND finished_at < ?1";
        Ok(self.connection.prepare_cached(sql)?.execute([before.0])?)
    }
}

fn read_walk(row: &Row<'_>) -> rusqlite::Result<Walk> {
    let count = |column: usize| {
        row.get::<_, i64>(column)
            .map(|value| u64::try_from(value).unwrap_or_default())
    };
    Ok(Walk {
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
