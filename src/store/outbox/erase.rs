//! Erasure: removes the bodies of a person's events at that person's request, whether they are pending, delivered or
//! parked, and the edge's messages about them. What remains of an event are its ids, which keep it from being sent again,
//! and a note that it was erased. Deleted bytes are overwritten (`PRAGMA secure_delete`, see `store::file::open`).

use super::{BatchBody, BatchId, ERASED, EventKey};
use crate::store::sql::{count, signed};
use crate::store::suppression::Person;
use crate::store::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// The events of the given persons in one batch, found or erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonEvents {
    pub events: Vec<EventKey>,
    /// Size of their bodies in bytes.
    pub bytes: u64,
    /// True if they are pending, false if they were delivered.
    pub pending: bool,
    /// Number of the edge's messages about the batch.
    pub texts: u64,
}

impl Reader<'_> {
    /// Returns the next batches after `after` whose bodies are still stored, by id.
    pub fn batches_with_body(&self, after: BatchId, limit: usize) -> Result<Vec<BatchId>, StoreError> {
        let sql = "SELECT batch_id FROM outbox_body WHERE batch_id > ?1 ORDER BY batch_id LIMIT ?2";
        self.all(sql, (after, signed(limit)), |row| row.get(0))
    }

    /// Finds the events of these persons in a batch.
    pub fn find_in_batch(&self, id: BatchId, persons: &[Person]) -> Result<PersonEvents, StoreError> {
        let body = self.batch_body(id)?.unwrap_or_default();
        let theirs = |person: &Option<Person>| person.is_some_and(|person| persons.contains(&person));
        let mut found = PersonEvents::default();
        for entry in body.entries.iter().filter(|entry| theirs(&entry.person)) {
            found.events.push(entry.key);
            found.bytes += entry.len as u64;
        }
        if !found.events.is_empty() {
            let sql = "SELECT state = 0, (last_error IS NOT NULL)
                         + (SELECT count(*) FROM outbox_attempt WHERE batch_id = ?1 AND error IS NOT NULL)
                       FROM outbox_batch WHERE id = ?1";
            (found.pending, found.texts) = self.one(sql, [id], |row| Ok((row.get(0)?, count(row, 1)?)))?;
        }
        Ok(found)
    }

    /// Finds the parked events whose bodies name one of these persons.
    ///
    /// # Errors
    /// As [`Reader::batches_of`].
    pub fn parked_of(&self, persons: &[Person]) -> Result<Vec<EventKey>, StoreError> {
        self.require_converted()?;
        let sql = "SELECT order_id, kind, document_id FROM outbox_parked WHERE person = ?1";
        let mut found = Vec::new();
        for person in persons {
            found.extend(self.all(sql, [person], EventKey::read)?);
        }
        Ok(found)
    }

    /// Returns the time at which an event's body was erased, if it was.
    pub fn erased_at(&self, key: EventKey) -> Result<Option<UtcMillis>, StoreError> {
        let sql =
            "SELECT erased_at FROM outbox_erased WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        self.first(sql, (key.order, key.code(), key.document), |row| {
            row.get(0).map(UtcMillis)
        })
    }
}

impl Writer<'_> {
    /// Erases the events of these persons from a batch. Pending ones end as suppressed, delivered ones stay delivered.
    pub fn erase_from_batch(
        &mut self,
        id: BatchId,
        persons: &[Person],
        at: UtcMillis,
    ) -> Result<PersonEvents, StoreError> {
        let found = self.reader().find_in_batch(id, persons)?;
        if found.events.is_empty() {
            return Ok(found);
        }
        let body = self.reader().batch_body(id)?.unwrap_or_default();
        let mut rest = BatchBody::default();
        for (entry, json) in body.events() {
            if !found.events.contains(&entry.key) {
                rest.push(entry.key, json, entry.person);
            }
        }
        // The edge may quote a rejected field.
        for sql in [
            "UPDATE outbox_batch SET last_error = NULL WHERE id = ?1",
            "UPDATE outbox_attempt SET error = NULL WHERE batch_id = ?1",
        ] {
            self.execute(sql, [id])?;
        }
        match self.pending_batch(id)? {
            Some((website, _)) => self.suppress_from(id, website, &found.events, &rest, ERASED, at)?,
            None if rest.entries.is_empty() => {
                self.execute("DELETE FROM outbox_body WHERE batch_id = ?1", [id])?;
                self.remove_persons(id)?;
            }
            None => self.rewrite_body(id, &rest)?,
        }
        for key in &found.events {
            self.mark_erased(*key, at)?;
        }
        Ok(found)
    }

    /// Erases a parked event with its body and the edge's message; it ends as suppressed. Returns false if it is not
    /// parked.
    pub fn erase_parked(&mut self, key: EventKey, at: UtcMillis) -> Result<bool, StoreError> {
        let erased = self.discard_parked(key, ERASED, at)?;
        if erased {
            self.mark_erased(key, at)?;
        }
        Ok(erased)
    }

    fn mark_erased(&mut self, key: EventKey, at: UtcMillis) -> Result<(), StoreError> {
        // A forced resend checks this row: it must not render the event again.
        let sql = "INSERT INTO outbox_erased VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        self.run(sql, (key.order, key.code(), key.document, at.0))
    }
}
