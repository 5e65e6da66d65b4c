//! Clean-up: delivered events shrink to what idempotence needs. Their small rows stay, their bodies are removed.

use super::BatchId;
use crate::store::sql::signed;
use crate::store::{StoreError, Topic, Writer};
use orderfeed_model::clock::UtcMillis;

impl Writer<'_> {
    /// Removes up to `limit` batches that were delivered before `before`, with their bodies and attempts. Returns their
    /// number; 0 means that none is left.
    pub fn remove_delivered(&mut self, before: UtcMillis, limit: usize) -> Result<usize, StoreError> {
        let sql =
            "SELECT id FROM outbox_batch WHERE state = 1 AND finished_at < ?1 ORDER BY finished_at LIMIT ?2";
        let ids: Vec<BatchId> = self
            .reader()
            .all(sql, (before.0, signed(limit)), |row| row.get(0))?;
        for id in &ids {
            // Batch by batch, because rows of outbox_person are found by their block.
            self.remove_persons(*id)?;
            for sql in [
                "DELETE FROM outbox_body WHERE batch_id = ?1",
                "DELETE FROM outbox_attempt WHERE batch_id = ?1",
                "DELETE FROM outbox_batch WHERE id = ?1",
            ] {
                self.execute(sql, [id])?;
            }
        }
        Ok(ids.len())
    }

    /// Releases batches that wait for one that is final or was removed. There are none unless a file was edited by hand;
    /// a batch that waits for ever would hold back its orders without a word.
    pub fn release_orphaned_dependencies(&mut self) -> Result<usize, StoreError> {
        let sql = "DELETE FROM outbox_dependency WHERE NOT EXISTS
                   (SELECT 1 FROM outbox_batch b WHERE b.id = outbox_dependency.after_id AND b.state = 0)";
        let released = self.execute(sql, [])?;
        // Wakes the senders, which may send them now.
        if released > 0 {
            self.touch(Topic::Outbox);
        }
        Ok(released)
    }
}
