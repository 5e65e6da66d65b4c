//! The person of each stored body.
//!
//! [`BatchBody`] carries the person of every event. [`Writer::write_body`] stores them as rows of `outbox_person`
//! together with the bytes, so a batch that is split, screened or erased keeps exact rows.
//!
//! # Rows of an earlier version
//!
//! Before schema version 9 the person was stored in the rendered JSON alone. Migration 9 only notes the highest batch id
//! of that time, in `meta` ([`UNKNOWN_UPTO`]). Persons of batches up to it are found in their JSON whenever they matter,
//! so nothing is ever missed. [`Writer::convert_persons`] works downwards from that id in small steps and lowers it in
//! the same transaction: a kill repeats no more than one step, and a step that is repeated changes nothing. When none is
//! left, the note is removed and nothing reads JSON any more. Parked events of that time have NULL in `outbox_parked.person`.

use rusqlite::types::ValueRef;

use super::{BatchBody, BatchId, EventKey};
use crate::store::sql::signed;
use crate::store::suppression::Person;
use crate::store::{Reader, StoreError, Writer};

/// `meta`: persons of batches up to this id are not in `outbox_person` yet. Absent if all are.
const UNKNOWN_UPTO: &str = "persons_unknown_upto";
/// Blocks of 16 batches that one search covers.
const BLOCKS_AT_ONCE: i64 = 16;
/// Start of the e-mail identity in a body of an earlier version. Its unescaped quotes cannot occur inside a JSON string,
/// so no text written by a shopper can match it.
const IDENTITY: &[u8] = b"\"identityMap\":{\"Email_LC_SHA256\":[{\"id\":\"";

impl Reader<'_> {
    /// Returns batches after `after` that hold events of one of `persons`, and the id up to which that was searched.
    /// `None` at the end.
    ///
    /// # Errors
    /// `Invariant` while [`Writer::convert_persons`] has work left, because a batch could be missed.
    pub fn batches_of(
        &self,
        persons: &[Person],
        after: BatchId,
    ) -> Result<Option<(Vec<BatchId>, BatchId)>, StoreError> {
        self.require_converted()?;
        let sql = "SELECT min(block) FROM outbox_person WHERE block >= (?1 + 1) / 16";
        // Blocks without any person are skipped.
        let Some(block) = self.one(sql, [after], |row| row.get::<_, Option<i64>>(0))? else {
            return Ok(None);
        };
        let upto = block + BLOCKS_AT_ONCE;
        let sql = "SELECT DISTINCT batch_id FROM outbox_person
                   WHERE block = ?1 AND person = ?2 AND batch_id > ?3";
        let mut found = Vec::new();
        for block in block..upto {
            for person in persons {
                found.extend(self.all(sql, (block, person, after), |row| row.get::<_, BatchId>(0))?);
            }
        }
        // Two of the persons may share a batch.
        found.sort_unstable();
        found.dedup();
        Ok(Some((found, upto * 16 - 1)))
    }

    /// Returns true if a batch holds an event of a person on the suppression list.
    pub fn holds_suppressed(&self, id: BatchId) -> Result<bool, StoreError> {
        if id > self.unknown_upto()? {
            let sql = "SELECT EXISTS (SELECT 1 FROM outbox_person p JOIN suppression s ON s.person = p.person
                       WHERE p.block = ?1 / 16 AND p.batch_id = ?1)";
            return self.one(sql, [id], |row| row.get(0));
        }
        let body = self.batch_body(id)?.unwrap_or_default();
        for person in body.entries.iter().filter_map(|entry| entry.person) {
            if self.is_suppressed(&person)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Sets the persons of a batch's events.
    pub(super) fn add_persons(&self, id: BatchId, body: &mut BatchBody) -> Result<(), StoreError> {
        if id <= self.unknown_upto()? {
            let persons: Vec<_> = body.events().map(|(_, json)| named_in(json)).collect();
            for (entry, person) in body.entries.iter_mut().zip(persons) {
                entry.person = person;
            }
            return Ok(());
        }
        let sql = "SELECT first, events, person FROM outbox_person WHERE block = ?1 / 16 AND batch_id = ?1";
        let runs = self.all(sql, [id], |row| {
            Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?, row.get(2)?))
        })?;
        for (first, events, person) in runs {
            for entry in body.entries.iter_mut().skip(first as usize).take(events as usize) {
                entry.person = Some(person);
            }
        }
        Ok(())
    }

    /// Returns the person of a parked event; `None` if it is not known yet.
    pub(super) fn person_of_parked(&self, key: EventKey) -> Result<Option<Option<Person>>, StoreError> {
        let sql = "SELECT person FROM outbox_parked WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
        let stored = self.first(sql, (key.order, key.code(), key.document), |row| {
            row.get::<_, Option<Vec<u8>>>(0)
        })?;
        Ok(stored.flatten().map(|hash| hash.try_into().ok()))
    }

    pub(super) fn require_converted(&self) -> Result<(), StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM outbox_parked WHERE person IS NULL)";
        if self.unknown_upto()? > 0 || self.one(sql, [], |row| row.get(0))? {
            let cause = "persons of an earlier version are not converted yet";
            return Err(StoreError::Invariant(cause.to_owned()));
        }
        Ok(())
    }

    fn unknown_upto(&self) -> Result<BatchId, StoreError> {
        let sql = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?1";
        Ok(self.first(sql, [UNKNOWN_UPTO], |row| row.get(0))?.unwrap_or(0))
    }
}

impl Writer<'_> {
    /// Stores the persons of up to `limit` bodies of an earlier version. Returns true if there may be more.
    pub fn convert_persons(&mut self, limit: usize) -> Result<bool, StoreError> {
        let unknown_upto = self.reader().unknown_upto()?;
        if unknown_upto == 0 {
            return self.convert_parked(limit);
        }
        let sql = "SELECT batch_id FROM outbox_body WHERE batch_id <= ?1 ORDER BY batch_id DESC LIMIT ?2";
        let ids: Vec<BatchId> = self
            .reader()
            .all(sql, (unknown_upto, signed(limit)), |row| row.get(0))?;
        for id in &ids {
            let body = self.reader().batch_body(*id)?.unwrap_or_default();
            // A batch that was rewritten since has its rows already.
            self.remove_persons(*id)?;
            self.write_persons(*id, &body)?;
        }
        match ids.last().filter(|_| ids.len() == limit) {
            Some(lowest) => self.set_meta(UNKNOWN_UPTO, &(lowest - 1).to_string())?,
            // Fewer than asked for: these were the last.
            None => drop(self.execute("DELETE FROM meta WHERE key = ?1", [UNKNOWN_UPTO])?),
        }
        // The parked events come after the last batch.
        Ok(true)
    }

    fn convert_parked(&mut self, limit: usize) -> Result<bool, StoreError> {
        let sql = "SELECT order_id, kind, document_id, body FROM outbox_parked WHERE person IS NULL LIMIT ?1";
        let rows = self.reader().all(sql, [signed(limit)], |row| {
            let key = EventKey::read(row)?;
            let body = match row.get_ref(3)? {
                ValueRef::Blob(json) => named_in(json),
                _ => None,
            };
            Ok((key, body))
        })?;
        for (key, person) in &rows {
            let sql =
                "UPDATE outbox_parked SET person = ?4 WHERE order_id = ?1 AND kind = ?2 AND document_id = ?3";
            let person = stored(person.as_ref());
            self.execute(sql, (key.order, key.code(), key.document, person))?;
        }
        Ok(rows.len() == limit)
    }

    pub(super) fn remove_persons(&mut self, id: BatchId) -> Result<(), StoreError> {
        let sql = "DELETE FROM outbox_person WHERE block = ?1 / 16 AND batch_id = ?1";
        self.run(sql, [id])
    }

    /// Stores the persons of a batch, which has no rows yet.
    pub(super) fn write_persons(&mut self, id: BatchId, body: &BatchBody) -> Result<(), StoreError> {
        let sql = "INSERT INTO outbox_person VALUES (?1 / 16, ?2, ?1, ?3, ?4)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut first = 0;
        // The events of an order are neighbours, so there is about one row for each order.
        for run in body.entries.chunk_by(|one, next| one.person == next.person) {
            if let Some(person) = run[0].person {
                statement.execute((id, person, signed(first), signed(run.len())))?;
            }
            first += run.len();
        }
        Ok(())
    }
}

/// Finds the person in a body of an earlier version. `None` if it has no e-mail identity.
pub(super) fn named_in(json: &[u8]) -> Option<Person> {
    let at = json.windows(IDENTITY.len()).position(|bytes| bytes == IDENTITY)? + IDENTITY.len();
    let digits = str::from_utf8(json.get(at..at + 64)?).ok()?;
    let mut person = [0; 32];
    for (byte, at) in person.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(person)
}

/// Returns the value of `outbox_parked.person`: empty if the body names no person. NULL means that it is not known.
pub(super) fn stored(person: Option<&Person>) -> &[u8] {
    person.map_or(&[], |hash| hash)
}
