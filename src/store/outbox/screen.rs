//! Events of persons on the suppression list leave the batches that wait: they end as suppressed.
//!
//! Three places hold the promise that nothing of theirs is sent, each for itself: an event that enters is suppressed at
//! once ([`super::enqueue`]), a request is built only of batches in which nobody is on the list
//! ([`Reader::suppressed_in`], in the snapshot that the bytes are read from), and adding somebody goes through all that
//! waits. Whatever was under way before the list knew the person is under way.
//!
//! The other events of a batch keep their bytes and their order. A batch of which nothing is left is removed, and what
//! waited for it goes on.

use rusqlite::params;

use super::enqueue::{EnqueueMode, OrderEvents};
use super::{BatchBody, BatchId, Class, EventKey, LOCAL};
use crate::store::meta::WebsiteId;
use crate::store::suppression::PersonOf;
use crate::store::{Reader, StoreError, Topic, Writer};
use orderfeed_model::clock::UtcMillis;

/// The batch of an event that never was in one; ids begin with 1.
const NO_BATCH: BatchId = 0;

impl Reader<'_> {
    /// Pending batches of a website and class, by number, after `after`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn pending_ids(
        &self,
        website: WebsiteId,
        class: Class,
        after: BatchId,
        limit: usize,
    ) -> Result<Vec<BatchId>, StoreError> {
        let sql = "SELECT id FROM outbox_batch WHERE website_id = ?1 AND class = ?2 AND id > ?3 AND state = 0
                   ORDER BY id LIMIT ?4";
        let mut statement = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![website, class as i64, after, limit], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether a body holds an event of somebody on the list. To be asked only if the list holds anybody.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn suppressed_in(&self, body: &BatchBody, person_of: PersonOf) -> Result<bool, StoreError> {
        let mut clean = None;
        for (_, json) in body.events() {
            let person = person_of(json);
            // Events of one order stand together.
            if person.is_none() || person == clean {
                continue;
            }
            if person
                .map(|person| self.is_suppressed(&person))
                .transpose()?
                .unwrap_or(false)
            {
                return Ok(true);
            }
            clean = person;
        }
        Ok(false)
    }
}

impl Writer<'_> {
    /// Suppresses the events of a pending batch whose person is on the list. Returns how many.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn screen_batch(
        &mut self,
        id: BatchId,
        person_of: PersonOf,
        at: UtcMillis,
    ) -> Result<u64, StoreError> {
        let (Some((website, _)), Some(body)) = (self.pending_batch(id)?, self.reader().batch_body(id)?)
        else {
            return Ok(0);
        };
        let mut rest = BatchBody::default();
        let mut suppressed = Vec::new();
        for (key, json) in body.events() {
            let reader = self.reader();
            match person_of(json) {
                Some(person) if reader.is_suppressed(&person)? => suppressed.push(key),
                _ => rest.push(key, json),
            }
        }
        self.suppress_from(id, website, &suppressed, &rest, LOCAL, at)?;
        Ok(suppressed.len() as u64)
    }

    /// Whether this order's person is on the list.
    pub(super) fn suppresses(&self, order: &OrderEvents) -> Result<bool, StoreError> {
        match &order.person {
            Some(person) => self.reader().is_suppressed(person),
            None => Ok(false),
        }
    }

    /// What is new of this order is final at once; what was delivered is not sent again.
    pub(super) fn suppress_order(
        &mut self,
        order: &OrderEvents,
        entry: EnqueueMode,
        at: UtcMillis,
    ) -> Result<u64, StoreError> {
        let mut suppressed = 0;
        for event in order.events.iter().filter(|_| entry == EnqueueMode::Insert) {
            let key = EventKey {
                order: order.order,
                kind: event.kind,
                document: event.document,
            };
            if self.insert_event(key, NO_BATCH, 1, 0)? {
                self.insert_suppressed(key, order.website, LOCAL, at)?;
                suppressed += 1;
            }
        }
        Ok(suppressed)
    }

    /// These events of a pending batch end as suppressed; `rest` is what is left of it.
    pub(super) fn suppress_from(
        &mut self,
        id: BatchId,
        website: WebsiteId,
        suppressed: &[EventKey],
        rest: &BatchBody,
        reason: &str,
        at: UtcMillis,
    ) -> Result<(), StoreError> {
        if suppressed.is_empty() {
            return Ok(());
        }
        for key in suppressed {
            self.set_event_state(*key, 1)?;
            self.insert_suppressed(*key, website, reason, at)?;
        }
        match rest.entries.is_empty() {
            true => self.remove_batch(id)?,
            false => self.write_body(id, rest)?,
        }
        self.touch(Topic::Outbox);
        Ok(())
    }

    /// Removes a batch of which no event is left, with everything that hangs on it.
    fn remove_batch(&mut self, id: BatchId) -> Result<(), StoreError> {
        for sql in [
            // Or the database refuses: what has events and was not delivered must not go.
            "UPDATE outbox_batch SET events = 0 WHERE id = ?1",
            "DELETE FROM outbox_dependency WHERE after_id = ?1",
            "DELETE FROM outbox_dependency WHERE batch_id = ?1",
            "DELETE FROM outbox_body WHERE batch_id = ?1",
            "DELETE FROM outbox_attempt WHERE batch_id = ?1",
            "DELETE FROM outbox_batch WHERE id = ?1",
        ] {
            self.connection.prepare_cached(sql)?.execute([id])?;
        }
        Ok(())
    }
}
