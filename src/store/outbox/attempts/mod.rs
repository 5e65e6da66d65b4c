//! The history of a batch: what was tried, what came back, and what it waits for.
//!
//! Failures are rows, capped for each batch: the first stays, because it says how the trouble began, and the latest. Rows
//! of a parent (before a split, before a retried dead letter) are found through `parent_id`; nothing is copied. A parent
//! that was delivered longer ago than the retention is gone, and its attempts with it.

#[cfg(test)]
mod tests;

use rusqlite::{OptionalExtension, Row, params};

use super::settle::{EdgeAnswer, millis};
use super::{BatchId, Class, EventKey};
use crate::store::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// Failed attempts that are kept for each batch: the first, and the latest.
pub const KEPT_ATTEMPTS: u32 = 20;
/// Parents that are followed. A split halves, so that even the largest batch is a single event well before this.
const MOST_PARENTS: usize = 24;

/// One request that held the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// The batch that travelled: the event's own, or one that it was in before.
    pub batch: BatchId,
    /// The how manyth of that batch, from 1.
    pub number: u32,
    /// When the answer came, or it was clear that none would.
    pub at: UtcMillis,
    /// Whether the edge accepted it.
    pub accepted: bool,
    /// HTTP status; `None` if there was no answer.
    pub status: Option<u16>,
    /// The request id, with the suffix that the edge appended if it answered.
    pub request_id: Option<String>,
    /// The edge's code or a word of ours.
    pub code: Option<String>,
    /// A few words that quote nothing of the request.
    pub error: Option<String>,
    /// From sending to the last byte of the answer.
    pub duration_ms: Option<u64>,
}

/// A batch as its row tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRecord {
    /// Its number.
    pub id: BatchId,
    /// Live or history.
    pub class: Class,
    /// Whether it is final.
    pub finished_at: Option<UtcMillis>,
    /// How many events it holds.
    pub events: u64,
    /// When its events entered the outbox.
    pub created_at: UtcMillis,
    /// When the oldest change in it was noticed.
    pub changed_at: UtcMillis,
    /// Not to be sent before this.
    pub due_at: UtcMillis,
    /// How often it was sent.
    pub attempts: u32,
    /// When the last time was.
    pub last_attempt_at: Option<UtcMillis>,
    /// HTTP status of the last answer.
    pub last_status: Option<u16>,
    /// Request id of the last answer.
    pub request_id: Option<String>,
    /// How long the last attempt took.
    pub duration_ms: Option<u64>,
    /// The batch that its events were in before.
    pub parent: Option<BatchId>,
    /// Attempts of the parent count up to this.
    pub parent_until: Option<UtcMillis>,
}

impl Reader<'_> {
    /// A batch; `None` once its retention is over.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn batch_record(&self, id: BatchId) -> Result<Option<BatchRecord>, StoreError> {
        let sql = "SELECT id, class, finished_at, events, created_at, changed_at, due_at, attempts, last_attempt_at,
                     last_status, request_id, duration_ms, parent_id, parent_until FROM outbox_batch WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([id], read_batch).optional()?)
    }

    /// Every attempt to send a batch that is on record, oldest first, those of its parents included.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn attempts_of(&self, id: BatchId) -> Result<Vec<AttemptRecord>, StoreError> {
        let mut all = Vec::new();
        let (mut next, mut until) = (Some(id), UtcMillis(i64::MAX));
        for _ in 0..MOST_PARENTS {
            let Some(batch) = next.map(|id| self.batch_record(id)).transpose()?.flatten() else {
                break;
            };
            let failures = self.failures_of(batch.id, until)?;
            let success = success_of(&batch, &failures).filter(|success| success.at <= until);
            all.extend(failures);
            all.extend(success);
            (next, until) = (
                batch.parent,
                batch.parent_until.unwrap_or(UtcMillis(i64::MIN)).min(until),
            );
        }
        all.sort_by_key(|attempt| (attempt.at, attempt.number));
        Ok(all)
    }

    /// The batches that are to be final before this one is sent.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn dependencies_of(&self, id: BatchId) -> Result<Vec<BatchId>, StoreError> {
        let sql = "SELECT after_id FROM outbox_dependency WHERE batch_id = ?1 ORDER BY after_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([id], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Why an event was suppressed, and when.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn suppression(&self, key: EventKey) -> Result<Option<(String, UtcMillis)>, StoreError> {
        let sql = "SELECT reason, suppressed_at FROM outbox_suppressed
                   WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let row = statement.query_row(params![key.order, key.kind, key.document], |row| {
            Ok((row.get(0)?, UtcMillis(row.get(1)?)))
        });
        Ok(row.optional()?)
    }

    fn failures_of(&self, id: BatchId, until: UtcMillis) -> Result<Vec<AttemptRecord>, StoreError> {
        let sql = "SELECT attempt, at, status, request_id, code, error, duration_ms FROM outbox_attempt
                   WHERE batch_id = ?1 AND at <= ?2 ORDER BY attempt";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![id, until.0], |row| {
            Ok(AttemptRecord {
                batch: id,
                number: row.get(0)?,
                at: UtcMillis(row.get(1)?),
                accepted: false,
                status: row.get(2)?,
                request_id: row.get(3)?,
                code: row.get(4)?,
                error: row.get(5)?,
                duration_ms: unsigned(row.get(6)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Writer<'_> {
    /// Remembers a failed attempt; the batch's row counts it already.
    pub(super) fn note_attempt(&mut self, id: BatchId, answer: &EdgeAnswer) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO outbox_attempt
                   SELECT id, attempts, ?2, ?3, ?4, ?5, ?6, ?7 FROM outbox_batch WHERE id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![
            id,
            answer.at.0,
            answer.request_id,
            answer.status,
            answer.code,
            answer.title,
            millis(answer)
        ])?;
        let sql = "DELETE FROM outbox_attempt WHERE batch_id = ?1 AND attempt > 1 AND attempt <=
                   (SELECT attempts FROM outbox_batch WHERE id = ?1) - ?2";
        self.connection
            .prepare_cached(sql)?
            .execute(params![id, KEPT_ATTEMPTS - 1])?;
        Ok(())
    }

    /// The batch that an event points to.
    pub(super) fn batch_of(&self, key: EventKey) -> Result<Option<BatchId>, StoreError> {
        let sql = "SELECT batch_id FROM outbox_event WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement
            .query_row(params![key.order, key.kind, key.document], |row| row.get(0))
            .optional()?)
    }

    /// The event's batch goes on where `before` ended. Only for a batch of this event alone.
    pub(super) fn continue_history(
        &mut self,
        key: EventKey,
        before: Option<BatchId>,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        let Some(now) = self.batch_of(key)? else {
            return Ok(());
        };
        let sql = "UPDATE outbox_batch SET parent_id = ?2, parent_until = ?3 WHERE id = ?1 AND events = 1";
        self.connection
            .prepare_cached(sql)?
            .execute(params![now, before, at.0])?;
        Ok(())
    }
}

/// The answer that made a batch final, unless it was a refusal, which is a row of its own.
fn success_of(batch: &BatchRecord, failures: &[AttemptRecord]) -> Option<AttemptRecord> {
    let at = batch.finished_at?;
    if failures.iter().any(|failure| failure.number == batch.attempts) {
        return None;
    }
    Some(AttemptRecord {
        batch: batch.id,
        number: batch.attempts,
        at,
        accepted: true,
        status: batch.last_status,
        request_id: batch.request_id.clone(),
        code: None,
        error: None,
        duration_ms: batch.duration_ms,
    })
}

fn read_batch(row: &Row<'_>) -> rusqlite::Result<BatchRecord> {
    let moment = |at: Option<i64>| at.map(UtcMillis);
    Ok(BatchRecord {
        id: row.get(0)?,
        class: Class::from_code(row.get(1)?),
        finished_at: moment(row.get(2)?),
        events: unsigned(row.get(3)?).unwrap_or_default(),
        created_at: UtcMillis(row.get(4)?),
        changed_at: UtcMillis(row.get(5)?),
        due_at: UtcMillis(row.get(6)?),
        attempts: row.get(7)?,
        last_attempt_at: moment(row.get(8)?),
        last_status: row.get(9)?,
        request_id: row.get(10)?,
        duration_ms: unsigned(row.get(11)?),
        parent: row.get(12)?,
        parent_until: moment(row.get(13)?),
    })
}

fn unsigned(number: Option<i64>) -> Option<u64> {
    number.and_then(|number| u64::try_from(number).ok())
}
