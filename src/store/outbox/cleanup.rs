//! Delivered events shrink to what idempotence needs: their small rows stay, their bodies go.

use rusqlite::params;

use super::super::{StoreError, Writer};
use crate::clock::UtcMillis;

impl Writer<'_> {
    /// Removes up to `limit` batches that were delivered before `before`, with their bodies. Returns how many went; 0
    /// means clean.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn remove_delivered(&mut self, before: UtcMillis, limit: usize) -> Result<usize, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let batches =
            "SELECT id FROM outbox_batch WHERE state = 1 AND finished_at < ?1 ORDER BY finished_at LIMIT ?2";
        let bodies = format!("DELETE FROM outbox_body WHERE batch_id IN ({batches})");
        self.connection
            .prepare_cached(&bodies)?
            .execute(params![before.0, limit])?;
        let rows = format!("DELETE FROM outbox_batch WHERE id IN ({batches})");
        Ok(self
            .connection
            .prepare_cached(&rows)?
            .execute(params![before.0, limit])?)
    }
}
