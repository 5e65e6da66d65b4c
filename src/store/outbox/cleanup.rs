//! Delivered events shrink to what idempotence needs: their small rows stay, their bodies go.

use rusqlite::params;

use crate::store::{StoreError, Topic, Writer};
use orderfeed_model::clock::UtcMillis;

impl Writer<'_> {
    /// Removes up to `limit` batches that were delivered before `before`, with their bodies and attempts. Returns how many went; 0
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
        let attempts = format!("DELETE FROM outbox_attempt WHERE batch_id IN ({batches})");
        self.connection
            .prepare_cached(&attempts)?
            .execute(params![before.0, limit])?;
        let rows = format!("DELETE FROM outbox_batch WHERE id IN ({batches})");
        Ok(self
            .connection
            .prepare_cached(&rows)?
            .execute(params![before.0, limit])?)
    }

    /// Lets go of batches that wait for one that is final or gone. There are none unless a file was mended by hand; a
    /// batch that waits for ever would hold back its orders in silence.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn release_orphaned_dependencies(&mut self) -> Result<usize, StoreError> {
        let sql = "DELETE FROM outbox_dependency WHERE NOT EXISTS
                   (SELECT 1 FROM outbox_batch b WHERE b.id = outbox_dependency.after_id AND b.state = 0)";
        let released = self.connection.prepare_cached(sql)?.execute([])?;
        if released > 0 {
            self.touch(Topic::Outbox);
        }
        Ok(released)
    }
}
