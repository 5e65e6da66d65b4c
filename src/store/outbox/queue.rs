//! The queue of batches that may be sent.

use std::collections::HashSet;

use super::{BatchId, Class};
use crate::store::meta::WebsiteId;
use crate::store::sql::{count, moment, signed};
use crate::store::{Reader, StoreError};
use orderfeed_model::clock::UtcMillis;

/// A batch that may be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingBatch {
    pub id: BatchId,
    pub website: WebsiteId,
    pub class: Class,
    pub events: usize,
    /// Size of the events with their commas, in bytes.
    pub bytes: usize,
    /// Number of times it was sent.
    pub attempts: u32,
    /// HTTP status of the last answer, if there was one.
    pub last_status: Option<u16>,
    /// Time at which the oldest change in it was captured.
    pub changed_at: UtcMillis,
}

impl Reader<'_> {
    /// Returns the batches of `website` that may be sent at `now`: due, waiting for no other, not in flight. Live ones
    /// come first, then the order of entry counts.
    pub fn ready_batches(
        &self,
        website: WebsiteId,
        now: UtcMillis,
        in_flight: &HashSet<BatchId>,
        limit: usize,
    ) -> Result<Vec<PendingBatch>, StoreError> {
        let sql = "SELECT id, class, events, bytes, attempts, changed_at, last_status FROM outbox_batch b
                   WHERE website_id = ?1 AND state = 0 AND due_at <= ?2
                     AND NOT EXISTS (SELECT 1 FROM outbox_dependency d WHERE d.batch_id = b.id)
                   ORDER BY class, id LIMIT ?3";
        // Every one of them may be in flight.
        let most = signed(limit + in_flight.len());
        let mut ready = self.all(sql, (website, now.0, most), |row| {
            Ok(PendingBatch {
                id: row.get(0)?,
                website,
                class: row.get(1)?,
                events: count(row, 2)? as usize,
                bytes: count(row, 3)? as usize,
                attempts: row.get(4)?,
                changed_at: UtcMillis(row.get(5)?),
                last_status: row.get(6)?,
            })
        })?;
        ready.retain(|batch| !in_flight.contains(&batch.id));
        ready.truncate(limit);
        Ok(ready)
    }

    /// Returns the time at which the next batch of `website` becomes due that is not due at `now`.
    pub fn next_due(&self, website: WebsiteId, now: UtcMillis) -> Result<Option<UtcMillis>, StoreError> {
        let sql = "SELECT min(due_at) FROM outbox_batch WHERE website_id = ?1 AND state = 0 AND due_at > ?2";
        self.one(sql, (website, now.0), |row| moment(row, 0))
    }
}
