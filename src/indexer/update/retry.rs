//! Orders that could not be indexed are tried again, alone, with growing pauses, for ever: they are few, and giving one
//! up would lose its events.

use crate::indexer::apply::OrderBatch;
use crate::indexer::apply::advance::Advance;
use crate::indexer::backfill::options::Reach;
use crate::indexer::export_log;
use crate::indexer::report::Indexed;
use crate::indexer::{IndexError, Indexer};
use crate::store::Reader;
use crate::store::feed::IndexFailure;
use crate::store::outbox::Class;

/// Retried together; each is still judged alone.
const AT_ONCE: usize = 100;

impl Indexer {
    /// Tries the orders again that are due.
    ///
    /// # Errors
    /// If source or store fail; the orders stay noted.
    pub async fn retry_failures(&self) -> Result<Indexed, IndexError> {
        let now = self.clock.now();
        // Realtime indexing has no slots of its own in which the rest of what it did could be told.
        export_log::note_changes(&self.progress_log, Indexed::default(), 0, 0, now);
        let due = self
            .store
            .read(move |reader: &Reader<'_>| reader.index_failures_due(now, AT_ONCE))
            .await?;
        // What failed in a backfill is still history: neither older than it reaches, nor ahead of live changes.
        let (history, live): (Vec<_>, Vec<_>) = due.into_iter().partition(|failure| failure.limited);
        let mut indexed = self.retry(live, Class::Live, Reach::Everything).await?;
        indexed.add(self.retry(history, Class::History, Reach::History).await?);
        Ok(indexed)
    }

    async fn retry(&self, due: Vec<IndexFailure>, class: Class, reach: Reach) -> Result<Indexed, IndexError> {
        let asked: Vec<_> = due.into_iter().map(|failure| failure.order).collect();
        if asked.is_empty() {
            return Ok(Indexed::default());
        }
        let began = self.clock.now();
        let orders = self.source.read_orders(&asked).await?;
        let batch = OrderBatch {
            asked,
            orders,
            vanished: Vec::new(),
            class,
            changed_at: began,
            reach,
            only_for: None,
            resend: false,
            advance: Advance::Nothing,
        };
        let done = self.apply(batch).await?;
        export_log::log_retried(done, self.clock.now().millis_since(began));
        Ok(done)
    }
}
