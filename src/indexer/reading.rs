//! Reads orders in pages that are bounded by bytes as well as by number: a source refuses orders that take too much memory
//! together, and fewer are read then.

use crate::commerce::source::{ReadOrder, SourceError};
use crate::indexer::{IndexError, Indexer};
use orderfeed_model::order::OrderId;

/// The connection that orders are read by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Orders that changed a moment ago: a table that does not answer is left out.
    Changed,
    Live,
    History,
}

impl Indexer {
    /// Reads the first of these orders, as many as a page may hold. Returns them and the ids that are left.
    pub(crate) async fn read_page<'a>(
        &self,
        ids: &'a [OrderId],
        lane: Lane,
    ) -> Result<(&'a [OrderId], Vec<ReadOrder>, &'a [OrderId]), IndexError> {
        loop {
            let (page, left) = ids.split_at(self.page.get().min(ids.len()));
            let read = match lane {
                Lane::Changed => self.source.read_changed(page).await,
                Lane::Live => self.source.read_orders(page).await,
                Lane::History => self.source.read_history(page).await,
            };
            match read {
                // One order is never refused, so a page gets smaller each time.
                Err(SourceError::TooLarge { fit }) if page.len() > 1 => {
                    self.page.shrink(fit.min(page.len() / 2));
                }
                read => {
                    let orders = read?;
                    self.page.grow();
                    return Ok((page, orders, left));
                }
            }
        }
    }
}
