//! Makes the next backfill start over instead of resuming where an interrupted one stopped.

use crate::indexer::backfill::open::stored_options;
use crate::indexer::backfill::options::BackfillKind;
use crate::indexer::{IndexError, Indexer};
use crate::store::backfill::BackfillState;
use crate::store::{Durability, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// Feed rows cleared per transaction.
const ROWS_PER_TRANSACTION: usize = 5_000;

impl Indexer {
    /// Clears the hash of every feed row, so that the next backfill derives each order again.
    ///
    /// # Errors
    /// `Busy` if a backfill runs, because it would write hashes again; then nothing is cleared. `Stopped` if `stop` returned
    /// true before the end.
    pub async fn forget_feed(&self, stop: impl Fn() -> bool) -> Result<(), IndexError> {
        let _guard = self.start_backfilling().await?;
        // In small transactions, between which live changes get their turn.
        let mut after = OrderId::MIN;
        while !stop() {
            let clear = move |writer: &mut Writer<'_>| writer.clear_feed_hashes(after, ROWS_PER_TRANSACTION);
            match self.store.write(Durability::Durable, clear).await? {
                Some(upto) => after = upto,
                None => return Ok(()),
            }
        }
        Err(IndexError::Stopped)
    }

    /// Cancels interrupted backfills of this kind.
    ///
    /// # Errors
    /// `Busy` if a backfill runs.
    pub async fn cancel_backfills(&self, kind: BackfillKind) -> Result<(), IndexError> {
        let _guard = self.start_backfilling().await?;
        let at = self.clock.now();
        let cancel = move |writer: &mut Writer<'_>| writer.cancel_backfills(kind, at);
        Ok(self.store.write(Durability::Durable, cancel).await?)
    }
}

/// Cancels interrupted reindexes, and first syncs that cannot resume because their options cannot be parsed. The next full
/// reindex takes over their websites.
pub fn cancel_reindexes(writer: &mut Writer<'_>, at: UtcMillis) -> Result<(), StoreError> {
    writer.cancel_backfills(BackfillKind::Reindex, at)?;
    for backfill in writer.reader().running_backfills()? {
        if backfill.kind == BackfillKind::FirstSync && stored_options(&backfill).is_err() {
            writer.finish_backfill(backfill.id, BackfillState::Cancelled, at)?;
        }
    }
    Ok(())
}
