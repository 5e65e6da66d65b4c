//! What is to be sent next.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, params};

use super::{BatchBody, BatchId, Class, KindCode, codec};
use crate::store::meta::WebsiteId;
use crate::store::{Reader, StoreError};
use orderfeed_model::clock::UtcMillis;

/// A batch that may be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingBatch {
    /// Its number.
    pub id: BatchId,
    /// Where it goes.
    pub website: WebsiteId,
    /// Live or history.
    pub class: Class,
    /// How many events it holds.
    pub events: usize,
    /// Their size with commas, in bytes.
    pub bytes: usize,
    /// How often it was sent.
    pub attempts: u32,
    /// HTTP status of its last answer, if there was one.
    pub last_status: Option<u16>,
    /// When the oldest change in it was noticed.
    pub changed_at: UtcMillis,
}

/// Table of contents, compressed events, and how long they are uncompressed.
const BODY: &str =
    "SELECT o.contents, o.body, b.bytes FROM outbox_body o JOIN outbox_batch b ON b.id = o.batch_id
                    WHERE o.batch_id = ?1";

impl Reader<'_> {
    /// Batches of `website` that may be sent at `now`: due, waiting for no other, not among `in_flight`; live ones first,
    /// then in the order in which they entered.
    ///
    /// # Errors
    /// If the store cannot be read.
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
        let mut statement = self.connection.prepare_cached(sql)?;
        let most = i64::try_from(limit + in_flight.len()).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![website, now.0, most], |row| {
            Ok(PendingBatch {
                id: row.get(0)?,
                website,
                class: Class::from_code(row.get(1)?),
                events: usize::try_from(row.get::<_, i64>(2)?).unwrap_or_default(),
                bytes: usize::try_from(row.get::<_, i64>(3)?).unwrap_or_default(),
                attempts: row.get(4)?,
                changed_at: UtcMillis(row.get(5)?),
                last_status: row.get(6)?,
            })
        })?;
        let mut ready = Vec::with_capacity(limit);
        for row in rows {
            let batch = row?;
            if ready.len() < limit && !in_flight.contains(&batch.id) {
                ready.push(batch);
            }
        }
        Ok(ready)
    }

    /// When the next batch of `website` that is not due at `now` becomes due.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn next_due(&self, website: WebsiteId, now: UtcMillis) -> Result<Option<UtcMillis>, StoreError> {
        let sql = "SELECT min(due_at) FROM outbox_batch WHERE website_id = ?1 AND state = 0 AND due_at > ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let due: Option<i64> = statement.query_row(params![website, now.0], |row| row.get(0))?;
        Ok(due.map(UtcMillis))
    }

    /// Appends the frozen events of a batch to `payload`, joined by commas as they are sent, and says how many there are of
    /// each kind. Does less than [`Reader::batch_body`], for the way to the edge. `None` once its retention is over.
    ///
    /// # Errors
    /// If the store cannot be read or the batch is damaged.
    pub fn append_payload(
        &self,
        id: BatchId,
        payload: &mut Vec<u8>,
    ) -> Result<Option<Vec<(KindCode, u64)>>, StoreError> {
        let mut statement = self.connection.prepare_cached(BODY)?;
        let row = statement.query_row([id], |row| {
            let bytes = usize::try_from(row.get::<_, i64>(2)?).unwrap_or_default();
            let (contents, body) = (row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
            Ok(codec::append_payload(contents, body, bytes, payload))
        });
        row.optional()?.transpose()
    }

    /// The frozen events of a batch; `None` once its retention is over.
    ///
    /// # Errors
    /// If the store cannot be read or the batch is damaged.
    pub fn batch_body(&self, id: BatchId) -> Result<Option<BatchBody>, StoreError> {
        let mut statement = self.connection.prepare_cached(BODY)?;
        let row = statement.query_row([id], |row| {
            let bytes = usize::try_from(row.get::<_, i64>(2)?).unwrap_or_default();
            Ok(BatchBody::decode(
                row.get_ref(0)?.as_blob()?,
                row.get_ref(1)?.as_blob()?,
                bytes,
            ))
        });
        row.optional()?.transpose()
    }
}
