//! Finds orders that the feed holds and the source does not.

use std::collections::HashSet;

use crate::commerce::source::OrderFilter;
use crate::indexer::{IndexError, Indexer};
use crate::store::Reader;
use orderfeed_model::order::OrderId;

impl Indexer {
    /// Checks the next `page` feed rows from `low` up to `above` (exclusive). Returns those whose order does not exist and the
    /// id to continue from, or `None` if there are no rows.
    pub(crate) async fn deleted_from(
        &self,
        low: OrderId,
        above: Option<OrderId>,
        page: usize,
    ) -> Result<Option<(Vec<OrderId>, OrderId)>, IndexError> {
        if above.is_some_and(|above| low >= above) {
            return Ok(None);
        }
        let read = move |reader: &Reader<'_>| reader.feed_ids_from(low, above, page);
        let known = self.store.read(read).await?;
        let Some(last) = known.last().copied() else {
            return Ok(None);
        };
        let existing = self.existing(low, last, page).await?;
        let missing = known.into_iter().filter(|order| !existing.contains(order));
        let deleted = self.source.deleted(&missing.collect::<Vec<_>>()).await?;
        Ok(Some((deleted, last.saturating_add(1))))
    }

    /// Returns the ids from `low` to `high` that the source has.
    async fn existing(
        &self,
        low: OrderId,
        high: OrderId,
        page: usize,
    ) -> Result<HashSet<OrderId>, IndexError> {
        let filter = OrderFilter {
            lowest: Some(low),
            ..OrderFilter::default()
        };
        let (mut existing, mut below) = (HashSet::new(), high.saturating_add(1));
        loop {
            let ids = self.source.order_ids(&filter, Some(below), page).await?;
            let Some(lowest) = ids.iter().min() else {
                return Ok(existing);
            };
            // Pages are by descending id.
            below = *lowest;
            existing.extend(ids);
        }
    }
}
