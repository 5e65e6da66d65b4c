//! The history of a batch: its attempts, their answers, and the batches that it waits for.
//!
//! Failures are rows, with a limit for each batch: the first stays because it shows how the trouble began, and the latest.
//! Rows of a parent (before a split, before the retry of a parked event) are found through `parent_id`, and not copied. A
//! parent whose retention is over was removed, and its attempts with it.

#[cfg(test)]
mod tests;

use rusqlite::Row;
use serde::Serialize;

use super::settle::EdgeAnswer;
use super::{BatchId, Class, EventKey};
use crate::store::sql::{count, moment};
use crate::store::{Reader, StoreError, Writer};
use orderfeed_model::clock::{Moment, UtcMillis};

/// Failed attempts stored for each batch: the first, and the latest.
pub const KEPT_ATTEMPTS: u32 = 20;
/// Parents that are followed. A split halves, so even the largest batch is a single event well before this.
const MAX_PARENTS: usize = 24;

/// A request that held the events of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttemptRecord {
    /// The batch that was sent: the event's own, or one that it was in before.
    pub batch: BatchId,
    /// Number of the attempt within that batch, from 1.
    pub number: u32,
    /// Time of the answer, or of the end of the wait for one.
    pub at: Moment,
    pub accepted: bool,
    /// HTTP status; `None` if there was no answer.
    pub status: Option<u16>,
    /// The request id, with the suffix that the edge appended if it answered.
    pub request_id: Option<String>,
    /// The edge's code or a word of ours.
    pub code: Option<String>,
    /// A few words that quote nothing of the request.
    pub error: Option<String>,
    /// Time from sending to the last byte of the answer.
    pub duration_ms: Option<u64>,
}

/// The row of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRecord {
    pub id: BatchId,
    pub class: Class,
    /// Time of its delivery; `None` while it is pending.
    pub finished_at: Option<UtcMillis>,
    /// Number of its events.
    pub events: u64,
    /// Time at which its events entered the outbox.
    pub created_at: UtcMillis,
    /// Time at which the oldest change in it was captured.
    pub changed_at: UtcMillis,
    /// Time before which it must not be sent.
    pub due_at: UtcMillis,
    /// Number of times it was sent.
    pub attempts: u32,
    pub last_attempt_at: Option<UtcMillis>,
    /// HTTP status of the last answer.
    pub last_status: Option<u16>,
    /// Request id of the last answer.
    pub request_id: Option<String>,
    /// Duration of the last attempt.
    pub duration_ms: Option<u64>,
    /// The batch that its events were in before.
    pub parent: Option<BatchId>,
    /// Attempts of the parent up to this time belong to its events as well.
    pub parent_until: Option<UtcMillis>,
}

impl Reader<'_> {
    /// Returns the row of a batch; `None` once its retention is over.
    pub fn batch_record(&self, id: BatchId) -> Result<Option<BatchRecord>, StoreError> {
        let sql = "SELECT id, class, finished_at, events, created_at, changed_at, due_at, attempts, last_attempt_at,
                     last_status, request_id, duration_ms, parent_id, parent_until FROM outbox_batch WHERE id = ?1";
        self.first(sql, [id], read_batch)
    }

    /// Returns every recorded attempt to send a batch, oldest first, including those of its parents.
    pub fn attempts_of(&self, id: BatchId) -> Result<Vec<AttemptRecord>, StoreError> {
        let mut all = Vec::new();
        let (mut next, mut until) = (Some(id), UtcMillis(i64::MAX));
        for _ in 0..MAX_PARENTS {
            let Some(batch) = next.map(|id| self.batch_record(id)).transpose()?.flatten() else {
                break;
            };
            let failures = self.failures_of(batch.id, until)?;
            let success = success_of(&batch, &failures).filter(|success| success.at.0 <= until);
            all.extend(failures);
            all.extend(success);
            // Attempts of the parent after the separation are not theirs.
            next = batch.parent;
            until = until.min(batch.parent_until.unwrap_or(UtcMillis(i64::MIN)));
        }
        all.sort_by_key(|attempt| (attempt.at, attempt.number));
        Ok(all)
    }

    /// Returns the batches that must be final before this one is sent.
    pub fn dependencies_of(&self, id: BatchId) -> Result<Vec<BatchId>, StoreError> {
        let sql = "SELECT after_id FROM outbox_dependency WHERE batch_id = ?1 ORDER BY after_id";
        self.all(sql, [id], |row| row.get(0))
    }

    /// Returns the reason and the time of an event's suppression.
    pub fn suppression(&self, key: EventKey) -> Result<Option<(String, UtcMillis)>, StoreError> {
        let sql = "SELECT reason, suppressed_at FROM outbox_suppressed
                   WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        self.first(sql, (key.order, key.code(), key.document), |row| {
            Ok((row.get(0)?, UtcMillis(row.get(1)?)))
        })
    }

    /// Returns the batch that an event points to.
    pub(super) fn batch_of(&self, key: EventKey) -> Result<Option<BatchId>, StoreError> {
        let sql = "SELECT batch_id FROM outbox_event WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        self.first(sql, (key.order, key.code(), key.document), |row| row.get(0))
    }

    fn failures_of(&self, id: BatchId, until: UtcMillis) -> Result<Vec<AttemptRecord>, StoreError> {
        let sql = "SELECT attempt, at, status, request_id, code, error, duration_ms FROM outbox_attempt
                   WHERE batch_id = ?1 AND at <= ?2 ORDER BY attempt";
        self.all(sql, (id, until.0), |row| {
            Ok(AttemptRecord {
                batch: id,
                number: row.get(0)?,
                at: Moment(UtcMillis(row.get(1)?)),
                accepted: false,
                status: row.get(2)?,
                request_id: row.get(3)?,
                code: row.get(4)?,
                error: row.get(5)?,
                duration_ms: duration(row, 6)?,
            })
        })
    }
}

impl Writer<'_> {
    /// Records a failed attempt, which the batch's row already counts.
    pub(super) fn record_attempt(&mut self, id: BatchId, answer: &EdgeAnswer) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO outbox_attempt
                   SELECT id, attempts, ?2, ?3, ?4, ?5, ?6, ?7 FROM outbox_batch WHERE id = ?1";
        let EdgeAnswer {
            at,
            status,
            request_id,
            code,
            title,
            ..
        } = answer;
        self.execute(sql, (id, at.0, request_id, status, code, title, answer.millis()))?;
        // Number 1 stays for ever, the others as long as they are among the latest.
        let sql = "DELETE FROM outbox_attempt WHERE batch_id = ?1 AND attempt > 1 AND attempt <=
                   (SELECT attempts FROM outbox_batch WHERE id = ?1) - ?2";
        self.run(sql, (id, KEPT_ATTEMPTS - 1))
    }

    /// Makes `before` the parent of the event's batch, if the batch holds this event alone.
    pub(super) fn continue_history(
        &mut self,
        key: EventKey,
        before: Option<BatchId>,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        let Some(now) = self.reader().batch_of(key)? else {
            return Ok(());
        };
        let sql = "UPDATE outbox_batch SET parent_id = ?2, parent_until = ?3 WHERE id = ?1 AND events = 1";
        self.run(sql, (now, before, at.0))
    }
}

/// Returns the answer that made a batch final. `None` if it was a refusal, which has a row of its own.
fn success_of(batch: &BatchRecord, failures: &[AttemptRecord]) -> Option<AttemptRecord> {
    let at = batch.finished_at?;
    if failures.iter().any(|failure| failure.number == batch.attempts) {
        return None;
    }
    Some(AttemptRecord {
        batch: batch.id,
        number: batch.attempts,
        at: Moment(at),
        accepted: true,
        status: batch.last_status,
        request_id: batch.request_id.clone(),
        code: None,
        error: None,
        duration_ms: batch.duration_ms,
    })
}

fn read_batch(row: &Row<'_>) -> rusqlite::Result<BatchRecord> {
    Ok(BatchRecord {
        id: row.get(0)?,
        class: row.get(1)?,
        finished_at: moment(row, 2)?,
        events: count(row, 3)?,
        created_at: UtcMillis(row.get(4)?),
        changed_at: UtcMillis(row.get(5)?),
        due_at: UtcMillis(row.get(6)?),
        attempts: row.get(7)?,
        last_attempt_at: moment(row, 8)?,
        last_status: row.get(9)?,
        request_id: row.get(10)?,
        duration_ms: duration(row, 11)?,
        parent: row.get(12)?,
        parent_until: moment(row, 13)?,
    })
}

fn duration(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    let millis: Option<i64> = row.get(column)?;
    Ok(millis.and_then(|millis| u64::try_from(millis).ok()))
}
