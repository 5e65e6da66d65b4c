//! The stored bodies: the compressed events of each batch, with their persons.

use rusqlite::Row;

use super::{BatchBody, BatchId, KindCode, codec};
use crate::store::sql::{count, signed};
use crate::store::{Reader, StoreError, Writer};

/// Reads the table of contents, the compressed events, and their uncompressed length.
const BODY: &str =
    "SELECT o.contents, o.body, b.bytes FROM outbox_body o JOIN outbox_batch b ON b.id = o.batch_id
                    WHERE o.batch_id = ?1";

impl Reader<'_> {
    /// Appends the frozen events of a batch to `payload`, joined by commas as they are sent, and counts them by kind.
    /// Cheaper than [`Reader::batch_body`]. `None` once the batch's retention is over.
    pub fn append_payload(
        &self,
        id: BatchId,
        payload: &mut Vec<u8>,
    ) -> Result<Option<Vec<(KindCode, u64)>>, StoreError> {
        let append = |row: &Row<'_>| {
            let (contents, body) = (row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
            Ok(codec::append_payload(
                contents,
                body,
                count(row, 2)? as usize,
                payload,
            ))
        };
        self.first(BODY, [id], append)?.transpose()
    }

    /// Returns the frozen events of a batch with their persons. `None` once its retention is over.
    pub fn batch_body(&self, id: BatchId) -> Result<Option<BatchBody>, StoreError> {
        let decode = |row: &Row<'_>| {
            let (contents, body) = (row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
            Ok(BatchBody::decode(contents, body, count(row, 2)? as usize))
        };
        let Some(mut body) = self.first(BODY, [id], decode)?.transpose()? else {
            return Ok(None);
        };
        self.add_persons(id, &mut body)?;
        Ok(Some(body))
    }
}

impl Writer<'_> {
    /// Stores what is left of a batch's events.
    pub(super) fn rewrite_body(&mut self, id: BatchId, body: &BatchBody) -> Result<(), StoreError> {
        self.remove_persons(id)?;
        self.write_body(id, body)
    }

    /// Stores the events of a new batch.
    pub(super) fn write_body(&mut self, id: BatchId, body: &BatchBody) -> Result<(), StoreError> {
        let (contents, packed) = body.encode()?;
        self.execute(
            "INSERT OR REPLACE INTO outbox_body VALUES (?1, ?2, ?3)",
            (id, contents, packed),
        )?;
        let (events, bytes) = (signed(body.entries.len()), signed(body.payload.len()));
        let sql = "UPDATE outbox_batch SET events = ?2, bytes = ?3 WHERE id = ?1";
        self.execute(sql, (id, events, bytes))?;
        // In the same transaction: suppression and erasure rely on it.
        self.write_persons(id, body)
    }
}
