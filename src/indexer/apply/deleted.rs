//! Orders that the feed holds and the source does not.

use std::collections::HashSet;

use crate::commerce::source::OrderFilter;
use crate::indexer::{IndexError, Indexer};
use crate::store::Reader;
use orderfeed_model::order::OrderId;

impl Indexer {
    /// Of the next `page` feed rows from `low` up to `above` (exclusive), those whose order does not exist; and where to
    /// go on. `None` if there are no rows.
    ///
    /// # Errors
    /// If source or store fail.
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
        let there = self.existing(low, last, page).await?;
        let gone = known.into_iter().filter(|order| !there.contains(order));
        Ok(Some((gone.collect(), last.saturating_add(1))))
    }

    /// The ids that the source has from `low` to `high`.
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
        let (mut there, mut below) = (HashSet::new(), high.saturating_add(1));
        loop {
            let ids = self.source.order_ids(&filter, Some(below), page).await?;
            let Some(lowest) = ids.iter().min() else {
                return Ok(there);
            };
            below = *lowest;
            there.extend(ids);
        }
    }
}
