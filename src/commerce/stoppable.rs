//! A source whose calls end when the daemon stops: a table, server or network that hangs never holds up the shutdown.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::commerce::source::{
    Captured, Cursors, OrderFilter, ReadOrder, Source, SourceError, SourceFuture, SourceInfo, SourceWarning,
};
use crate::commerce::stores::ShopStoreView;
use orderfeed_model::order::OrderId;

/// A source that waits for nothing after `stop`.
pub struct StoppableSource {
    inner: Arc<dyn Source>,
    stop: CancellationToken,
}

impl StoppableSource {
    pub fn new(inner: Arc<dyn Source>, stop: CancellationToken) -> Self {
        Self { inner, stop }
    }

    /// Returns `call` with the error `Stopped` as its result once the daemon stops. A dropped call changed nothing: the
    /// source only reads, except for clearing its log, which is repeated.
    fn until_stop<'a, T: Send + 'a>(&'a self, call: SourceFuture<'a, T>) -> SourceFuture<'a, T> {
        Box::pin(async move {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => Err(SourceError::Stopped),
                done = call => done,
            }
        })
    }
}

impl Source for StoppableSource {
    fn describe(&self) -> SourceFuture<'_, SourceInfo> {
        self.until_stop(self.inner.describe())
    }

    fn warnings(&self) -> SourceFuture<'_, Vec<SourceWarning>> {
        self.until_stop(self.inner.warnings())
    }

    fn requests_per_minute(&self) -> Option<u64> {
        self.inner.requests_per_minute()
    }

    fn initial_cursors(&self) -> SourceFuture<'_, Cursors> {
        self.until_stop(self.inner.initial_cursors())
    }

    fn changes<'a>(&'a self, cursors: &'a Cursors, limit: usize) -> SourceFuture<'a, Captured> {
        self.until_stop(self.inner.changes(cursors, limit))
    }

    fn acknowledge<'a>(&'a self, cursors: &'a Cursors) -> SourceFuture<'a, ()> {
        self.until_stop(self.inner.acknowledge(cursors))
    }

    fn read_orders<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        self.until_stop(self.inner.read_orders(ids))
    }

    fn read_changed<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        self.until_stop(self.inner.read_changed(ids))
    }

    fn read_history<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        self.until_stop(self.inner.read_history(ids))
    }

    fn order_ids<'a>(
        &'a self,
        filter: &'a OrderFilter,
        below: Option<OrderId>,
        limit: usize,
    ) -> SourceFuture<'a, Vec<OrderId>> {
        self.until_stop(self.inner.order_ids(filter, below, limit))
    }

    fn id_range<'a>(&'a self, filter: &'a OrderFilter) -> SourceFuture<'a, Option<(OrderId, OrderId)>> {
        self.until_stop(self.inner.id_range(filter))
    }

    fn count_orders<'a>(&'a self, filter: &'a OrderFilter) -> SourceFuture<'a, u64> {
        self.until_stop(self.inner.count_orders(filter))
    }

    fn find_by_number<'a>(&'a self, number: &'a str) -> SourceFuture<'a, Vec<OrderId>> {
        self.until_stop(self.inner.find_by_number(number))
    }

    fn store_views(&self) -> SourceFuture<'_, Vec<ShopStoreView>> {
        self.until_stop(self.inner.store_views())
    }

    fn deleted<'a>(&'a self, missing: &'a [OrderId]) -> SourceFuture<'a, Vec<OrderId>> {
        self.until_stop(self.inner.deleted(missing))
    }
}
