//! Suppression: pending events of persons on the suppression list leave their batches and end as suppressed.
//!
//! Three independent checks keep the promise that nothing of theirs is sent: an event that enters is suppressed at once
//! ([`super::enqueue`]), a request is built only of batches without listed persons ([`Reader::holds_suppressed`], in the
//! snapshot that the bytes are read from), and an addition to the list screens everything that is pending. A request that
//! was in flight when a person was listed stays in flight.
//!
//! The other events of a batch keep their bytes and their order. A batch of which nothing is left is removed, and the
//! batches that waited for it are released.

use super::{BatchBody, BatchId, Class, EventKey, LOCAL, RowState};
use crate::store::meta::WebsiteId;
use crate::store::sql::signed;
use crate::store::{Reader, StoreError, Topic, Writer};
use orderfeed_model::clock::UtcMillis;

impl Reader<'_> {
    /// Returns the next pending batches of a website and class after `after`, by id.
    pub fn pending_ids(
        &self,
        website: WebsiteId,
        class: Class,
        after: BatchId,
        limit: usize,
    ) -> Result<Vec<BatchId>, StoreError> {
        let sql = "SELECT id FROM outbox_batch WHERE website_id = ?1 AND class = ?2 AND id > ?3 AND state = 0
                   ORDER BY id LIMIT ?4";
        self.all(sql, (website, class, after, signed(limit)), |row| row.get(0))
    }
}

impl Writer<'_> {
    /// Suppresses the events of a pending batch whose person is on the list. Returns their number.
    pub fn screen_batch(&mut self, id: BatchId, at: UtcMillis) -> Result<u64, StoreError> {
        let (Some((website, _)), Some(body)) = (self.pending_batch(id)?, self.reader().batch_body(id)?)
        else {
            return Ok(0);
        };
        let (mut suppressed, mut rest) = (Vec::new(), BatchBody::default());
        for (entry, json) in body.events() {
            match entry.person {
                Some(person) if self.reader().is_suppressed(&person)? => suppressed.push(entry.key),
                person => rest.push(entry.key, json, person),
            }
        }
        self.suppress_from(id, website, &suppressed, &rest, LOCAL, at)?;
        Ok(suppressed.len() as u64)
    }

    /// Ends events of a pending batch as suppressed; `rest` is what is left of it.
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
            self.set_row_state(*key, RowState::Suppressed)?;
            self.insert_suppressed(*key, website, reason, at)?;
        }
        // An empty batch would never be sent, and would hold back those that wait for it.
        match rest.entries.is_empty() {
            true => self.remove_batch(id)?,
            false => self.rewrite_body(id, rest)?,
        }
        self.touch(Topic::Outbox);
        Ok(())
    }

    /// Removes a batch without events, and every row that refers to it.
    fn remove_batch(&mut self, id: BatchId) -> Result<(), StoreError> {
        self.remove_persons(id)?;
        for sql in [
            // A trigger refuses to delete a batch that has events and was not delivered.
            "UPDATE outbox_batch SET events = 0 WHERE id = ?1",
            "DELETE FROM outbox_dependency WHERE after_id = ?1",
            "DELETE FROM outbox_dependency WHERE batch_id = ?1",
            "DELETE FROM outbox_body WHERE batch_id = ?1",
            "DELETE FROM outbox_attempt WHERE batch_id = ?1",
            "DELETE FROM outbox_batch WHERE id = ?1",
        ] {
            self.execute(sql, [id])?;
        }
        Ok(())
    }
}
