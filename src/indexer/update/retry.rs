//! Retries orders that could not be indexed, apart from the others and for ever: they are few, and giving one up would lose
//! its events.

use crate::indexer::apply::OrderBatch;
use crate::indexer::backfill::options::Reach;
use crate::indexer::export_log;
use crate::indexer::reading::Lane;
use crate::indexer::report::{Indexed, ViewUpdate};
use crate::indexer::{IndexError, Indexer};
use crate::store::Reader;
use crate::store::feed::IndexFailure;
use crate::store::outbox::Class;

/// Orders retried in one batch; each still fails by itself.
const MAX_RETRIES: usize = 100;

impl Indexer {
    /// Retries the orders that are due. If source or store fail, they stay due.
    pub async fn retry_failures(&self) -> Result<Indexed, IndexError> {
        let now = self.clock.now();
        // This job runs regularly; Update on Save has no other moment at which the last sum of changes could be logged.
        export_log::log_changes(&self.progress_log, ViewUpdate::default(), now);
        let due = self
            .store
            .read(move |reader: &Reader<'_>| reader.index_failures_due(now, MAX_RETRIES))
            .await?;
        // An order that failed in a backfill is still history: the configured history limits it, and live changes go first.
        let (history, live): (Vec<_>, Vec<_>) = due.into_iter().partition(|failure| failure.limited);
        let mut indexed = self.retry(live, Class::Live, Reach::Everything).await?;
        indexed.add(self.retry(history, Class::History, Reach::History).await?);
        Ok(indexed)
    }

    async fn retry(&self, due: Vec<IndexFailure>, class: Class, reach: Reach) -> Result<Indexed, IndexError> {
        let ids: Vec<_> = due.into_iter().map(|failure| failure.order).collect();
        if ids.is_empty() {
            return Ok(Indexed::default());
        }
        let began = self.clock.now();
        let (mut done, mut left) = (Indexed::default(), ids.as_slice());
        while !left.is_empty() {
            let (page, orders, rest) = self.read_page(left, Lane::Changed).await?;
            let mut batch = OrderBatch::live(page.to_vec(), orders, began);
            (batch.origin.class, batch.origin.reach) = (class, reach);
            done.add(self.apply(batch).await?);
            left = rest;
        }
        export_log::log_retried(done, self.clock.now().millis_since(began));
        Ok(done)
    }
}
