//! Single orders, at once: by command.

use crate::indexer::apply::OrderBatch;
use crate::indexer::apply::advance::Advance;
use crate::indexer::backfill::options::{BackfillKind, Reach};
use crate::indexer::report::Indexed;
use crate::indexer::{IndexError, Indexer};
use crate::store::outbox::Class;
use crate::store::{Durability, Writer};
use orderfeed_model::order::OrderId;

/// Feed rows that one transaction forgets.
const FORGOTTEN_AT_ONCE: usize = 5_000;

/// Orders that were named one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrdersById {
    /// Their ids.
    pub orders: Vec<OrderId>,
    /// Send again what was delivered.
    pub resend: bool,
}

impl Indexer {
    /// Indexes these orders, however old they are.
    ///
    /// # Errors
    /// If source or store fail.
    pub async fn index_orders(&self, only: OrdersById) -> Result<Indexed, IndexError> {
        let mut sum = Indexed::default();
        let size = self.config().index.batch_size.max(1) as usize;
        for ids in only.orders.chunks(size) {
            let orders = self.source.read_orders(ids).await?;
            let batch = OrderBatch {
                asked: ids.to_vec(),
                orders,
                vanished: Vec::new(),
                class: Class::Live,
                changed_at: self.clock.now(),
                reach: Reach::Everything,
                only_for: None,
                resend: only.resend,
                advance: Advance::Nothing,
            };
            sum.add(self.apply(batch).await?);
        }
        Ok(sum)
    }

    /// Forgets what was seen of every order, so that the next backfill looks at each of them afresh. In small transactions,
    /// and not beside a backfill, which would put back what it sees.
    ///
    /// # Errors
    /// `Busy` if a backfill runs, and then nothing is forgotten; if the store fails.
    pub async fn forget_feed(&self, stop: impl Fn() -> bool) -> Result<(), IndexError> {
        let _guard = self.start_backfilling().await?;
        let mut after = OrderId::MIN;
        while !stop() {
            let clear = move |writer: &mut Writer<'_>| writer.clear_feed_hashes(after, FORGOTTEN_AT_ONCE);
            match self.store.write(Durability::Durable, clear).await? {
                Some(upto) => after = upto,
                None => return Ok(()),
            }
        }
        Err(IndexError::Stopped)
    }

    /// Ends backfills of this kind that were interrupted, so that the next one begins anew.
    ///
    /// # Errors
    /// If the store fails, or such a backfill is running.
    pub async fn cancel_backfills(&self, kind: BackfillKind) -> Result<(), IndexError> {
        let _guard = self.start_backfilling().await?;
        let at = self.clock.now();
        let cancel = move |writer: &mut Writer<'_>| writer.cancel_backfills(kind.as_str(), at);
        Ok(self.store.write(Durability::Durable, cancel).await?)
    }
}
