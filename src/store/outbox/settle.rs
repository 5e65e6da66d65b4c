//! The edge's answers become states. Each answer is one transaction (grouped with others by the engine).

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};

use super::enqueue::Refusal;
use super::{BatchBody, BatchId, EventKey, KindCode};
use crate::store::meta::WebsiteId;
use crate::store::{StoreError, Topic, Writer};
use orderfeed_model::clock::UtcMillis;

/// What came back for a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeAnswer {
    /// When.
    pub at: UtcMillis,
    /// HTTP status; `None` if there was no answer.
    pub status: Option<u16>,
    /// The request id, with the suffix that the edge appended if it answered.
    pub request_id: Option<String>,
    /// The edge's code or a stable word of ours, if it was not a yes.
    pub code: Option<String>,
    /// What was wrong, or what the edge noted beside its yes.
    pub note: Option<String>,
    /// The same in words that quote nothing of the request; `None` if there are none.
    pub title: Option<String>,
    /// From sending to the last byte of the answer.
    pub duration_ms: Option<u64>,
}

/// A batch that the edge accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The batch.
    pub id: BatchId,
    /// Where it went.
    pub website: WebsiteId,
    /// Its events by kind ([`BatchBody::kinds`]).
    pub kinds: Vec<(KindCode, u64)>,
}

/// What became of one event, where it differs from the rest of its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventVerdict {
    /// Accepted by the edge, but not used: the reason, such as missing consent.
    Suppressed(String),
    /// The edge will never take it.
    Parked(Refusal),
}

impl Writer<'_> {
    /// The edge accepted these batches (I5: called only then).
    ///
    /// # Errors
    /// If the store cannot be written; the batches stay pending and are sent again.
    pub fn settle_delivered(&mut self, batches: &[Settled], answer: &EdgeAnswer) -> Result<(), StoreError> {
        self.settle_requests(&[(batches, answer)])
    }

    /// [`Writer::settle_delivered`] for several requests with an answer each, for less than one by one.
    ///
    /// # Errors
    /// As there.
    pub fn settle_requests(&mut self, requests: &[(&[Settled], &EdgeAnswer)]) -> Result<(), StoreError> {
        let mut counts = BTreeMap::new();
        for (batches, answer) in requests {
            for batch in *batches {
                if !self.finish_batch(batch.id, answer)? {
                    continue;
                }
                for (kind, count) in &batch.kinds {
                    *counts.entry((batch.website, *kind)).or_insert(0) += count;
                }
            }
        }
        for ((website, kind), count) in counts {
            self.count_outcome(
                website,
                kind,
                "delivered",
                i64::try_from(count).unwrap_or(i64::MAX),
            )?;
        }
        Ok(())
    }

    /// The edge decided on a batch event by event: those not named in `verdicts` (by index) were accepted.
    ///
    /// # Errors
    /// If the store cannot be written; the batch stays pending.
    pub fn settle_each(
        &mut self,
        id: BatchId,
        verdicts: &[(usize, EventVerdict)],
        answer: &EdgeAnswer,
    ) -> Result<(), StoreError> {
        let Some(body) = self.reader().batch_body(id)? else {
            return Ok(());
        };
        let Some((website, attempts)) = self.pending_batch(id)? else {
            return Ok(());
        };
        self.finish_batch(id, answer)?;
        if verdicts
            .iter()
            .any(|(_, verdict)| matches!(verdict, EventVerdict::Parked(_)))
        {
            self.note_attempt(id, answer)?;
        }
        for (index, (key, json)) in body.events().enumerate() {
            match verdicts.iter().find(|(named, _)| *named == index) {
                None => self.count_outcome(website, key.kind, "delivered", 1)?,
                Some((_, EventVerdict::Suppressed(reason))) => {
                    self.set_event_state(key, 1)?;
                    self.insert_suppressed(key, website, reason, answer.at)?;
                }
                Some((_, EventVerdict::Parked(refusal))) => {
                    self.set_event_state(key, 2)?;
                    self.insert_parked(key, website, refusal, answer.at)?;
                    self.complete_parked(key, json, attempts, answer)?;
                }
            }
        }
        Ok(())
    }

    /// These batches were not accepted; they are sent again at `due_at`.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn record_failure(
        &mut self,
        ids: &[BatchId],
        due_at: UtcMillis,
        answer: &EdgeAnswer,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE outbox_batch SET attempts = attempts + 1, due_at = ?2, last_attempt_at = ?3, last_status = ?4,
                   last_error = ?5, request_id = ?6, duration_ms = ?7 WHERE id = ?1 AND state = 0";
        for id in ids {
            let row = params![
                id,
                due_at.0,
                answer.at.0,
                answer.status,
                answer.note,
                answer.request_id,
                millis(answer)
            ];
            if self.connection.prepare_cached(sql)?.execute(row)? == 1 {
                self.note_attempt(*id, answer)?;
            }
        }
        Ok(())
    }

    /// Splits a pending batch after its first `left` events, so that the half without the bad event can arrive. Both
    /// halves keep the order of their events and everything that waits. Returns the new half.
    ///
    /// # Errors
    /// If the store cannot be written, or `left` does not leave something on both sides.
    pub fn split_batch(&mut self, id: BatchId, left: usize) -> Result<BatchId, StoreError> {
        let unsplittable =
            || StoreError::Invariant(format!("batch {id} cannot be split after {left} events"));
        let body = self.reader().batch_body(id)?.ok_or_else(unsplittable)?;
        if left == 0 || left >= body.entries.len() {
            return Err(unsplittable());
        }
        let right = self.copy_batch_row(id)?;
        let (mut first, mut second) = (BatchBody::default(), BatchBody::default());
        for (index, (key, json)) in body.events().enumerate() {
            if index < left {
                first.push(key, json);
                continue;
            }
            second.push(key, json);
            self.repoint(key, right)?;
        }
        self.write_body(id, &first)?;
        self.write_body(right, &second)?;
        self.split_dependencies(id, right)?;
        let shared = |key: &EventKey| second.entries.iter().any(|entry| entry.key.order == key.order);
        if first.entries.iter().any(|entry| shared(&entry.key)) {
            self.add_dependencies(right, &[id])?;
        }
        self.touch(Topic::Outbox);
        Ok(right)
    }

    pub(super) fn count_outcome(
        &mut self,
        website: WebsiteId,
        kind: KindCode,
        outcome: &str,
        by: i64,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO outbox_total VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT DO UPDATE SET events = events + excluded.events";
        self.connection
            .prepare_cached(sql)?
            .execute(params![website, kind, outcome, by])?;
        Ok(())
    }

    pub(super) fn insert_suppressed(
        &mut self,
        key: EventKey,
        website: WebsiteId,
        reason: &str,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO outbox_suppressed VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![key.order, key.kind, key.document, reason, at.0])?;
        self.count_outcome(website, key.kind, "suppressed", 1)
    }

    pub(super) fn set_event_state(&mut self, key: EventKey, state: i64) -> Result<(), StoreError> {
        let sql = "UPDATE outbox_event SET state = ?4 WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        self.connection
            .prepare_cached(sql)?
            .execute(params![key.order, key.kind, key.document, state])?;
        Ok(())
    }

    /// Makes a pending batch final and lets go of those that wait for it. `false` if it was final already.
    fn finish_batch(&mut self, id: BatchId, answer: &EdgeAnswer) -> Result<bool, StoreError> {
        let sql = "UPDATE outbox_batch SET state = 1, attempts = attempts + 1, last_attempt_at = ?2, finished_at = ?2,
                   last_status = ?3, last_error = ?4, request_id = ?5, duration_ms = ?6 WHERE id = ?1 AND state = 0";
        let row = params![
            id,
            answer.at.0,
            answer.status,
            answer.note,
            answer.request_id,
            millis(answer)
        ];
        if self.connection.prepare_cached(sql)?.execute(row)? == 0 {
            return Ok(false);
        }
        let sql = "DELETE FROM outbox_dependency WHERE after_id = ?1";
        if self.connection.prepare_cached(sql)?.execute([id])? > 0 {
            self.touch(Topic::Outbox);
        }
        Ok(true)
    }

    pub(super) fn pending_batch(&self, id: BatchId) -> Result<Option<(WebsiteId, u32)>, StoreError> {
        let sql = "SELECT website_id, attempts FROM outbox_batch WHERE id = ?1 AND state = 0";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?)
    }

    /// Adds to a dead letter what only its last request knows.
    fn complete_parked(
        &mut self,
        key: EventKey,
        json: &[u8],
        attempts: u32,
        answer: &EdgeAnswer,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE outbox_parked SET body = ?4, attempts = ?5, status = ?6, request_id = ?7
                   WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        self.connection.prepare_cached(sql)?.execute(params![
            key.order,
            key.kind,
            key.document,
            json,
            attempts + 1,
            answer.status,
            answer.request_id
        ])?;
        Ok(())
    }

    fn copy_batch_row(&mut self, id: BatchId) -> Result<BatchId, StoreError> {
        let sql = "INSERT INTO outbox_batch (website_id, class, state, events, bytes, created_at, changed_at, due_at,
                     attempts, last_attempt_at, last_status, last_error, request_id, duration_ms, walk_id, parent_id, parent_until)
                   SELECT website_id, class, state, 0, 0, created_at, changed_at, due_at,
                     attempts, last_attempt_at, last_status, last_error, request_id, duration_ms, walk_id, id, last_attempt_at
                   FROM outbox_batch WHERE id = ?1 AND state = 0";
        if self.connection.prepare_cached(sql)?.execute([id])? == 0 {
            return Err(StoreError::Invariant(format!(
                "batch {id} is final and cannot be split"
            )));
        }
        Ok(self.connection.last_insert_rowid())
    }

    pub(super) fn repoint(&mut self, key: EventKey, batch: BatchId) -> Result<(), StoreError> {
        let sql =
            "UPDATE outbox_event SET batch_id = ?4 WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        self.connection
            .prepare_cached(sql)?
            .execute(params![key.order, key.kind, key.document, batch])?;
        Ok(())
    }

    /// What waited for the whole waits for both halves; what the whole waited for, both wait for.
    fn split_dependencies(&mut self, whole: BatchId, right: BatchId) -> Result<(), StoreError> {
        for sql in [
            "INSERT INTO outbox_dependency SELECT ?2, batch_id FROM outbox_dependency WHERE after_id = ?1",
            "INSERT INTO outbox_dependency SELECT after_id, ?2 FROM outbox_dependency WHERE batch_id = ?1",
        ] {
            self.connection.prepare_cached(sql)?.execute([whole, right])?;
        }
        Ok(())
    }
}

/// SQLite's integers are signed.
pub(super) fn millis(answer: &EdgeAnswer) -> Option<i64> {
    answer
        .duration_ms
        .map(|millis| i64::try_from(millis).unwrap_or(i64::MAX))
}
