//! Settlement: the edge's answers become states. Each answer is one transaction, which the engine groups with others.

use std::collections::BTreeMap;

use super::enqueue::Refusal;
use super::{BatchBody, BatchId, EventKey, FinalState, KindCode, RowState};
use crate::store::meta::WebsiteId;
use crate::store::sql::signed;
use crate::store::{StoreError, Topic, Writer};
use orderfeed_model::clock::UtcMillis;

/// The answer to a request, or its absence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdgeAnswer {
    pub at: UtcMillis,
    /// HTTP status; `None` if there was no answer.
    pub status: Option<u16>,
    /// The request id, with the suffix that the edge appended if it answered.
    pub request_id: Option<String>,
    /// The edge's code or a stable word of ours, if the request was not accepted.
    pub code: Option<String>,
    /// The error, or the edge's warnings about an accepted request.
    pub note: Option<String>,
    /// The same in words that quote nothing of the request; `None` if there are none.
    pub title: Option<String>,
    /// Time from sending to the last byte of the answer.
    pub duration_ms: Option<u64>,
}

impl EdgeAnswer {
    pub(super) fn millis(&self) -> Option<i64> {
        self.duration_ms.map(signed)
    }
}

/// A batch that the edge accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub id: BatchId,
    pub website: WebsiteId,
    /// Its events by kind ([`BatchBody::kinds`]).
    pub kinds: Vec<(KindCode, u64)>,
}

/// The fate of one event that differs from the rest of its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventVerdict {
    /// Accepted by the edge but not used, with the reason, such as missing consent.
    Suppressed(String),
    /// Refused for good.
    Parked(Refusal),
}

impl Writer<'_> {
    /// Marks batches as delivered. Call it only after the edge accepted them (I5).
    pub fn settle_delivered(&mut self, batches: &[Settled], answer: &EdgeAnswer) -> Result<(), StoreError> {
        self.settle_requests(&[(batches, answer)])
    }

    /// Runs [`Writer::settle_delivered`] for several requests with an answer each, and counts their events together.
    pub fn settle_requests(&mut self, requests: &[(&[Settled], &EdgeAnswer)]) -> Result<(), StoreError> {
        let mut counts = BTreeMap::new();
        for (batches, answer) in requests {
            for batch in *batches {
                if !self.finish_batch(batch.id, answer)? {
                    // Settled before: counting it again would be wrong.
                    continue;
                }
                for (kind, count) in &batch.kinds {
                    *counts.entry((batch.website, *kind)).or_insert(0) += count;
                }
            }
        }
        for ((website, kind), count) in counts {
            self.count_final(website, kind, FinalState::Delivered, signed(count))?;
        }
        Ok(())
    }

    /// Settles a batch event by event: those not named in `verdicts` (by position) were accepted.
    pub fn settle_each(
        &mut self,
        id: BatchId,
        verdicts: &[(usize, EventVerdict)],
        answer: &EdgeAnswer,
    ) -> Result<(), StoreError> {
        let (Some((website, attempts)), Some(body)) =
            (self.pending_batch(id)?, self.reader().batch_body(id)?)
        else {
            return Ok(());
        };
        self.finish_batch(id, answer)?;
        let parks = |(_, verdict): &(usize, EventVerdict)| matches!(verdict, EventVerdict::Parked(_));
        if verdicts.iter().any(parks) {
            // A success needs no row of its own, but a refusal of one event does.
            self.record_attempt(id, answer)?;
        }
        for (index, (entry, json)) in body.events().enumerate() {
            let key = entry.key;
            match verdicts.iter().find(|(named, _)| *named == index) {
                None => self.count_final(website, key.kind, FinalState::Delivered, 1)?,
                Some((_, EventVerdict::Suppressed(reason))) => {
                    self.set_row_state(key, RowState::Suppressed)?;
                    self.insert_suppressed(key, website, reason, answer.at)?;
                }
                Some((_, EventVerdict::Parked(refusal))) => {
                    self.set_row_state(key, RowState::Parked)?;
                    self.insert_parked(key, website, refusal, answer.at)?;
                    self.complete_parked(entry, json, attempts + 1, answer)?;
                }
            }
        }
        Ok(())
    }

    /// Records a failed request; its batches are sent again at `due_at`.
    pub fn record_failure(
        &mut self,
        ids: &[BatchId],
        due_at: UtcMillis,
        answer: &EdgeAnswer,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE outbox_batch SET attempts = attempts + 1, due_at = ?2, last_attempt_at = ?3, last_status = ?4,
                   last_error = ?5, request_id = ?6, duration_ms = ?7 WHERE id = ?1 AND state = 0";
        let EdgeAnswer {
            at,
            status,
            note,
            request_id,
            ..
        } = answer;
        for id in ids {
            let row = (id, due_at.0, at.0, status, note, request_id, answer.millis());
            if self.execute(sql, row)? == 1 {
                self.record_attempt(*id, answer)?;
            }
        }
        Ok(())
    }

    /// Splits a pending batch after its first `left` events, so that the half without the bad event can be delivered.
    /// Both halves keep the order of their events, and the batches that wait. Returns the new half.
    ///
    /// # Errors
    /// `Invariant` if one half would be empty.
    pub fn split_batch(&mut self, id: BatchId, left: usize) -> Result<BatchId, StoreError> {
        let unsplittable =
            || StoreError::Invariant(format!("batch {id} cannot be split after {left} events"));
        let body = self.reader().batch_body(id)?.ok_or_else(unsplittable)?;
        if left == 0 || left >= body.entries.len() {
            return Err(unsplittable());
        }
        // The right half keeps the history of the whole: it points to it as its parent.
        let right = self.copy_batch_row(id)?;
        let (mut first, mut second) = (BatchBody::default(), BatchBody::default());
        for (index, (entry, json)) in body.events().enumerate() {
            if index < left {
                first.push(entry.key, json, entry.person);
                continue;
            }
            second.push(entry.key, json, entry.person);
            let sql = "UPDATE outbox_event SET batch_id = ?4 WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
            self.execute(
                sql,
                (entry.key.order, entry.key.code(), entry.key.document, right),
            )?;
        }
        self.rewrite_body(id, &first)?;
        self.write_body(right, &second)?;
        // Batches that waited for the whole wait for both halves; both halves wait for what the whole waited for.
        for sql in [
            "INSERT INTO outbox_dependency SELECT ?2, batch_id FROM outbox_dependency WHERE after_id = ?1",
            "INSERT INTO outbox_dependency SELECT after_id, ?2 FROM outbox_dependency WHERE batch_id = ?1",
        ] {
            self.execute(sql, [id, right])?;
        }
        // An order with events in both halves: they are sent in order (I6).
        let in_second = |order| second.entries.iter().any(|entry| entry.key.order == order);
        if first.entries.iter().any(|entry| in_second(entry.key.order)) {
            self.add_dependencies(right, &[id])?;
        }
        self.touch(Topic::Outbox);
        Ok(right)
    }

    pub(super) fn count_final(
        &mut self,
        website: WebsiteId,
        kind: KindCode,
        state: FinalState,
        by: i64,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO outbox_total VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT DO UPDATE SET events = events + excluded.events";
        self.run(sql, (website, kind, state, by))
    }

    pub(super) fn insert_suppressed(
        &mut self,
        key: EventKey,
        website: WebsiteId,
        reason: &str,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO outbox_suppressed VALUES (?1, ?2, ?3, ?4, ?5)";
        self.execute(sql, (key.order, key.code(), key.document, reason, at.0))?;
        self.count_final(website, key.kind, FinalState::Suppressed, 1)
    }

    pub(super) fn set_row_state(&mut self, key: EventKey, state: RowState) -> Result<(), StoreError> {
        let sql = "UPDATE outbox_event SET state = ?4 WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        self.run(sql, (key.order, key.code(), key.document, state))
    }

    /// Makes a pending batch final and releases the batches that wait for it. Returns false if it was final already.
    fn finish_batch(&mut self, id: BatchId, answer: &EdgeAnswer) -> Result<bool, StoreError> {
        let sql = "UPDATE outbox_batch SET state = 1, attempts = attempts + 1, last_attempt_at = ?2, finished_at = ?2,
                   last_status = ?3, last_error = ?4, request_id = ?5, duration_ms = ?6 WHERE id = ?1 AND state = 0";
        let EdgeAnswer {
            at,
            status,
            note,
            request_id,
            ..
        } = answer;
        if self.execute(sql, (id, at.0, status, note, request_id, answer.millis()))? == 0 {
            return Ok(false);
        }
        let sql = "DELETE FROM outbox_dependency WHERE after_id = ?1";
        // Senders are woken only if a batch was released.
        if self.execute(sql, [id])? > 0 {
            self.touch(Topic::Outbox);
        }
        Ok(true)
    }

    /// Returns the website of a pending batch and the number of times it was sent.
    pub(super) fn pending_batch(&self, id: BatchId) -> Result<Option<(WebsiteId, u32)>, StoreError> {
        let sql = "SELECT website_id, attempts FROM outbox_batch WHERE id = ?1 AND state = 0";
        self.reader()
            .first(sql, [id], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn copy_batch_row(&mut self, id: BatchId) -> Result<BatchId, StoreError> {
        let sql = "INSERT INTO outbox_batch (website_id, class, state, events, bytes, created_at, changed_at, due_at,
                     attempts, last_attempt_at, last_status, last_error, request_id, duration_ms, walk_id, parent_id, parent_until)
                   SELECT website_id, class, state, 0, 0, created_at, changed_at, due_at,
                     attempts, last_attempt_at, last_status, last_error, request_id, duration_ms, walk_id, id, last_attempt_at
                   FROM outbox_batch WHERE id = ?1 AND state = 0";
        if self.execute(sql, [id])? == 0 {
            return Err(StoreError::Invariant(format!(
                "batch {id} is final and cannot be split"
            )));
        }
        Ok(self.connection.last_insert_rowid())
    }
}
