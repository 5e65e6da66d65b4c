//! Orders from the REST API of a shop whose database cannot be reached: Adobe Commerce on cloud infrastructure, and Adobe
//! Commerce as a Cloud Service.
//!
//! | module | content |
//! |---|---|
//! | [`request`] | signed, paced requests, and the meaning of answers |
//! | [`list`], [`fields`] | the lists, and the fields that are requested of each |
//! | [`map`] | orders and documents as rows of the tables that they come from |
//! | [`read`] | whole orders, and the ids of the history |
//! | [`capture`] | changed orders |
//! | [`journal`] | hints from the journal of I/O Events |
//! | [`describe`], [`examine`] | what is found at a start; the checks of `doctor` |
//! | [`failure`] | failures of requests as errors of the source |
//!
//! There is no snapshot: an order is read before its documents, and again if it changed meanwhile. The shop loads each order
//! with a dozen statements, so the number of orders at once adapts to its answers. One order that makes a page fail is
//! isolated, and reported as unreadable.

mod capture;
mod describe;
pub mod examine;
mod failure;
mod fields;
mod journal;
mod list;
mod map;
mod read;
mod request;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::commerce::rest::capture::memory::CaptureMemory;
use crate::commerce::rest::journal::client::JournalClient;
use crate::commerce::rest::read::stores::Lookups;
use crate::commerce::rest::read::suspicions::Suspicions;
use crate::commerce::rest::read::window::{ReadAhead, WindowSize};
use crate::commerce::rest::request::client::RestClient;
use crate::commerce::rest::request::pace::Lane;
use crate::commerce::source::{
    Captured, Cursors, OrderFilter, ReadOrder, Source, SourceError, SourceFuture, SourceInfo, SourceWarning,
};
use crate::commerce::stores::ShopStoreView;
use crate::config::{Config, RestConfig};
use orderfeed_model::order::OrderId;

/// The REST API of a shop as a [`Source`].
#[derive(Debug)]
pub struct RestSource {
    settings: RestConfig,
    client: RestClient,
    journal: Option<JournalClient>,
    /// The state of capture between calls. Locked during a whole call, so that calls do not overlap.
    memory: tokio::sync::Mutex<CaptureMemory>,
    lookups: Lookups,
    window: Mutex<WindowSize>,
    ahead: ReadAhead,
    suspicions: Suspicions,
    /// Orders that make every page fail that holds them.
    poisoned: Mutex<BTreeSet<OrderId>>,
    /// The failure of the last reading of the journal.
    journal_failure: Mutex<Option<String>>,
    /// False if the edition has no returns; `None` before they were requested.
    has_returns: Mutex<Option<bool>>,
}

impl RestSource {
    /// Creates the source, without connecting.
    ///
    /// # Errors
    /// `Misconfigured` if the address is missing or the CA file cannot be read.
    pub fn new(config: &Config) -> Result<Self, SourceError> {
        let settings = config.source.rest.clone();
        Ok(Self {
            client: RestClient::new(config)?,
            journal: JournalClient::new(config)?,
            memory: tokio::sync::Mutex::new(CaptureMemory::new(settings.poll_overlap.get())),
            lookups: Lookups::default(),
            window: Mutex::new(WindowSize::new(settings.page_size)),
            ahead: ReadAhead::default(),
            suspicions: Suspicions::default(),
            poisoned: Mutex::default(),
            journal_failure: Mutex::default(),
            has_returns: Mutex::default(),
            settings,
        })
    }

    /// Returns the pause between two calls of capture: the journal is read more often than the lists.
    pub fn interval(config: &RestConfig) -> Duration {
        let poll = config.poll_interval.get();
        match config.journal.url {
            Some(_) => poll.min(config.journal.interval.get()),
            None => poll,
        }
    }
}

/// Locks a value that no panic can leave half changed.
fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source for RestSource {
    fn describe(&self) -> SourceFuture<'_, SourceInfo> {
        Box::pin(self.describe_now())
    }

    fn initial_cursors(&self) -> SourceFuture<'_, Cursors> {
        Box::pin(self.start())
    }

    fn changes<'a>(&'a self, cursors: &'a Cursors, limit: usize) -> SourceFuture<'a, Captured> {
        Box::pin(self.capture(cursors, limit))
    }

    fn warnings(&self) -> SourceFuture<'_, Vec<SourceWarning>> {
        let failure = locked(&self.journal_failure).clone();
        let warnings = failure.map(|why| SourceWarning::Journal { why });
        Box::pin(std::future::ready(Ok(warnings.into_iter().collect())))
    }

    fn requests_per_minute(&self) -> Option<u64> {
        self.client.counts.per_minute()
    }

    fn acknowledge<'a>(&'a self, _cursors: &'a Cursors) -> SourceFuture<'a, ()> {
        // The lists keep their rows.
        Box::pin(std::future::ready(Ok(())))
    }

    fn read_orders<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        Box::pin(self.read(ids, Lane::Live))
    }

    fn read_history<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        Box::pin(self.read(ids, Lane::History))
    }

    fn order_ids<'a>(
        &'a self,
        filter: &'a OrderFilter,
        below: Option<OrderId>,
        limit: usize,
    ) -> SourceFuture<'a, Vec<OrderId>> {
        Box::pin(self.ids(filter, below, limit))
    }

    fn id_range<'a>(&'a self, filter: &'a OrderFilter) -> SourceFuture<'a, Option<(OrderId, OrderId)>> {
        Box::pin(self.range(filter))
    }

    fn count_orders<'a>(&'a self, filter: &'a OrderFilter) -> SourceFuture<'a, u64> {
        Box::pin(self.count(filter))
    }

    fn find_by_number<'a>(&'a self, number: &'a str) -> SourceFuture<'a, Vec<OrderId>> {
        Box::pin(self.find(number))
    }

    fn deleted<'a>(&'a self, missing: &'a [OrderId]) -> SourceFuture<'a, Vec<OrderId>> {
        Box::pin(self.proven_deleted(missing))
    }

    fn store_views(&self) -> SourceFuture<'_, Vec<ShopStoreView>> {
        Box::pin(async move {
            let tree = self.lookups.read_tree(&self.client, Lane::Live).await?;
            Ok(tree.described())
        })
    }
}

#[cfg(test)]
mod tests;
