//! What the outbox holds of a person is removed at that person's request: bodies, whether they wait, were delivered or
//! need a decision, and the edge's words about them. What stays of an event are the ids that keep it from being sent
//! twice, and that it was erased. Deleted bytes are overwritten (`PRAGMA secure_delete`, see `store::open`).

use rusqlite::{OptionalExtension, params};

use super::{BatchBody, BatchId, ERASED, EventKey};
use crate::store::suppression::{Person, PersonOf};
use crate::store::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// What was found or removed in one batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonEvents {
    /// The events.
    pub events: Vec<EventKey>,
    /// Their bodies' size in bytes.
    pub bytes: u64,
    /// Whether they wait to be sent; else they were delivered.
    pub pending: bool,
    /// The edge's words about the batch, in places.
    pub texts: u64,
}

impl Reader<'_> {
    /// Batches whose bodies are kept, by number, after `after`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn batches_with_body(&self, after: BatchId, limit: usize) -> Result<Vec<BatchId>, StoreError> {
        let sql = "SELECT batch_id FROM outbox_body WHERE batch_id > ?1 ORDER BY batch_id LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![after, limit], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What a batch holds of these persons.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn find_in_batch(
        &self,
        id: BatchId,
        persons: &[Person],
        person_of: PersonOf,
    ) -> Result<PersonEvents, StoreError> {
        let mut found = PersonEvents::default();
        let Some(body) = self.batch_body(id)? else {
            return Ok(found);
        };
        for (key, json) in body.events() {
            if is_one_of(json, persons, person_of) {
                found.events.push(key);
                found.bytes += json.len() as u64;
            }
        }
        if !found.events.is_empty() {
            (found.pending, found.texts) = self.state_and_texts(id)?;
        }
        Ok(found)
    }

    /// Dead letters with a body of these persons, among the `limit` dead letters after `after`; and where to go on.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn find_in_parked(
        &self,
        after: EventKey,
        limit: usize,
        persons: &[Person],
        person_of: PersonOf,
    ) -> Result<(Vec<EventKey>, Option<EventKey>), StoreError> {
        let sql = "SELECT order_id, kind, document_id, body FROM outbox_parked
                   WHERE (order_id, kind, document_id) > (?1, ?2, ?3) ORDER BY order_id, kind, document_id LIMIT ?4";
        let mut statement = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![after.order, after.kind, after.document, limit])?;
        let (mut found, mut last) = (Vec::new(), None);
        while let Some(row) = rows.next()? {
            let key = EventKey {
                order: row.get(0)?,
                kind: row.get(1)?,
                document: row.get(2)?,
            };
            last = Some(key);
            let body = row.get_ref(3)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
            if body.is_some_and(|json| is_one_of(json, persons, person_of)) {
                found.push(key);
            }
        }
        Ok((found, last))
    }

    /// When an event's body was erased, if it was.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn erased_at(&self, key: EventKey) -> Result<Option<UtcMillis>, StoreError> {
        let sql =
            "SELECT erased_at FROM outbox_erased WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let row = statement.query_row(params![key.order, key.kind, key.document], |row| {
            Ok(UtcMillis(row.get(0)?))
        });
        Ok(row.optional()?)
    }

    fn state_and_texts(&self, id: BatchId) -> Result<(bool, u64), StoreError> {
        let sql = "SELECT state = 0, (last_error IS NOT NULL)
                     + (SELECT count(*) FROM outbox_attempt WHERE batch_id = ?1 AND error IS NOT NULL)
                   FROM outbox_batch WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let (pending, texts) = statement.query_row([id], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))?;
        Ok((pending, u64::try_from(texts).unwrap_or_default()))
    }
}

impl Writer<'_> {
    /// Removes what a batch holds of these persons. What was to be sent ends as suppressed; the others stay as they are.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn erase_from_batch(
        &mut self,
        id: BatchId,
        persons: &[Person],
        person_of: PersonOf,
        at: UtcMillis,
    ) -> Result<PersonEvents, StoreError> {
        let found = self.reader().find_in_batch(id, persons, person_of)?;
        let body = self.reader().batch_body(id)?.unwrap_or_default();
        if found.events.is_empty() {
            return Ok(found);
        }
        let mut rest = BatchBody::default();
        for (key, json) in body.events().filter(|(key, _)| !found.events.contains(key)) {
            rest.push(key, json);
        }
        for sql in [
            "UPDATE outbox_batch SET last_error = NULL WHERE id = ?1",
            "UPDATE outbox_attempt SET error = NULL WHERE batch_id = ?1",
        ] {
            self.connection.prepare_cached(sql)?.execute([id])?;
        }
        match self.pending_batch(id)? {
            Some((website, _)) => {
                self.suppress_from(id, website, &found.events, &rest, ERASED, at)?;
            }
            None if rest.entries.is_empty() => {
                let sql = "DELETE FROM outbox_body WHERE batch_id = ?1";
                self.connection.prepare_cached(sql)?.execute([id])?;
            }
            None => self.write_body(id, &rest)?,
        }
        for key in &found.events {
            self.mark_erased(*key, at)?;
        }
        Ok(found)
    }

    /// Removes a dead letter with its body and the edge's words: it ends as suppressed. `false` if it is not parked.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn erase_parked(&mut self, key: EventKey, at: UtcMillis) -> Result<bool, StoreError> {
        let erased = self.discard_parked(key, ERASED, at)?;
        if erased {
            self.mark_erased(key, at)?;
        }
        Ok(erased)
    }

    fn mark_erased(&mut self, key: EventKey, at: UtcMillis) -> Result<(), StoreError> {
        let sql = "INSERT INTO outbox_erased VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        self.connection
            .prepare_cached(sql)?
            .execute(params![key.order, key.kind, key.document, at.0])?;
        Ok(())
    }
}

fn is_one_of(json: &[u8], persons: &[Person], person_of: PersonOf) -> bool {
    person_of(json).is_some_and(|person| persons.contains(&person))
}
