//! Indexes single orders at once, by command.

use crate::indexer::apply::OrderBatch;
use crate::indexer::reading::Lane;
use crate::indexer::report::Indexed;
use crate::indexer::{IndexError, Indexer};
use orderfeed_model::order::OrderId;

/// Orders that were named one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrdersById {
    pub ids: Vec<OrderId>,
    /// True if delivered events are sent again.
    pub resend: bool,
}

impl Indexer {
    /// Indexes these orders, however old they are.
    pub async fn index_orders(&self, named: OrdersById) -> Result<Indexed, IndexError> {
        let mut sum = Indexed::default();
        let size = self.config().index.batch_size.max(1) as usize;
        for mut left in named.ids.chunks(size) {
            while !left.is_empty() {
                let (ids, orders, rest) = self.read_page(left, Lane::Live).await?;
                let mut batch = OrderBatch::live(ids.to_vec(), orders, self.clock.now());
                batch.origin.resend = named.resend;
                sum.add(self.apply(batch).await?);
                left = rest;
            }
        }
        Ok(sum)
    }
}
