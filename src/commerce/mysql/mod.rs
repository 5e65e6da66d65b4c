//! Orders from a MySQL 8 or MariaDB database with the Commerce schema, read through an account that needs no other right.
//!
//! | module | content |
//! |---|---|
//! | [`connect`], [`session`] | pool; statements with time limits |
//! | [`encryption`], [`certificate`] | TLS, and when plain text is allowed; the issuer of a refused certificate |
//! | [`budget`] | the number of connections that may be open |
//! | [`error`] | server errors as sentences with remedies |
//! | [`inspect`] | the tables and columns of a database |
//! | [`capture`] | changed orders, in three capture modes |
//! | [`orders`], [`unreadable`] | whole orders by id, and the ids of a range of the history |
//! | [`store_views`] | the shop's store views |
//! | [`triggers`], [`installer`] | installation, removal and comparison of orderfeed's triggers; the rights that it needs |
//! | [`examine`] | the checks of `doctor` |

mod budget;
mod capture;
mod certificate;
mod connect;
mod encryption;
mod error;
mod examine;
mod inspect;
mod installer;
mod orders;
mod session;
mod store_views;
mod triggers;
mod unreadable;

use std::sync::{Arc, Mutex, PoisonError};

use crate::commerce::mysql::capture::memory::CaptureMemory;
use crate::commerce::mysql::connect::MysqlConnector;
use crate::commerce::mysql::inspect::Inspected;
use crate::commerce::mysql::session::MysqlSession;
use crate::commerce::mysql::unreadable::UnreadableTables;
use crate::commerce::read::assemble::MAX_BYTES;
use crate::commerce::source::{
    Captured, Cursors, OrderFilter, ReadOrder, Source, SourceError, SourceFuture, SourceInfo, SourceWarning,
};
use crate::commerce::stores::ShopStoreView;
use crate::config::MysqlConfig;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// Number of connections that a page of history leaves for capture and live changes.
const SPARE_CONNECTIONS: usize = 2;

/// A MySQL or MariaDB database as a [`Source`].
#[derive(Debug)]
pub struct MysqlSource {
    settings: MysqlConfig,
    pub(in crate::commerce::mysql) connector: Arc<MysqlConnector>,
    /// The schema as last inspected; dropped after an error, because a table or column may be gone.
    inspected: Mutex<Option<Arc<Inspected>>>,
    /// The state of capture between calls. Locked during a whole call, so that calls do not overlap.
    memory: tokio::sync::Mutex<CaptureMemory>,
    /// The tables that did not answer in time a moment ago.
    unreadable: UnreadableTables,
    /// The lowest order id that was found for a time of creation, so that each page of a backfill need not look for it.
    lowest: Mutex<Option<(UtcMillis, OrderId)>>,
}

impl MysqlSource {
    /// Creates the source, without connecting.
    ///
    /// # Errors
    /// `Misconfigured` if the CA file cannot be read.
    pub fn new(settings: MysqlConfig) -> Result<Self, SourceError> {
        let connector = Arc::new(MysqlConnector::new(settings.clone())?);
        let memory = tokio::sync::Mutex::new(CaptureMemory::new(settings.poll_overlap.get()));
        Ok(Self {
            settings,
            connector,
            inspected: Mutex::new(None),
            memory,
            unreadable: UnreadableTables::default(),
            lowest: Mutex::new(None),
        })
    }

    /// Returns the schema, which is inspected once.
    async fn inspected(&self, session: &mut MysqlSession<'_>) -> Result<Arc<Inspected>, SourceError> {
        let known = self
            .inspected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match known {
            Some(inspected) => Ok(inspected),
            None => self.inspect(session).await,
        }
    }

    async fn inspect(&self, session: &mut MysqlSession<'_>) -> Result<Arc<Inspected>, SourceError> {
        let inspected = Arc::new(inspect::inspect(session, &self.settings).await?);
        *self.inspected.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&inspected));
        Ok(inspected)
    }

    async fn describe_now(&self) -> Result<SourceInfo, SourceError> {
        let mut session = self.connector.session().await?;
        let inspected = self.inspect(&mut session).await?;
        let mut info = inspect::identify(&mut session, &inspected).await?;
        info.notes
            .extend(self.capture_notes(&mut session, &inspected).await?);
        Ok(info)
    }

    /// Drops the inspected schema after an error: an upgrade of Commerce may have changed it.
    fn forget_schema_on<T>(&self, done: Result<T, SourceError>) -> Result<T, SourceError> {
        if done
            .as_ref()
            .is_err_and(|error| !matches!(error, SourceError::TooLarge { .. }))
        {
            self.inspected
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
        }
        done
    }
}

impl Source for MysqlSource {
    fn describe(&self) -> SourceFuture<'_, SourceInfo> {
        Box::pin(async move { self.forget_schema_on(self.describe_now().await) })
    }

    fn initial_cursors(&self) -> SourceFuture<'_, Cursors> {
        Box::pin(async move { self.forget_schema_on(self.start().await) })
    }

    fn changes<'a>(&'a self, cursors: &'a Cursors, limit: usize) -> SourceFuture<'a, Captured> {
        Box::pin(async move { self.forget_schema_on(self.capture(cursors, limit).await) })
    }

    fn acknowledge<'a>(&'a self, cursors: &'a Cursors) -> SourceFuture<'a, ()> {
        Box::pin(async move { self.forget_schema_on(self.clear_log(cursors).await) })
    }

    fn warnings(&self) -> SourceFuture<'_, Vec<SourceWarning>> {
        Box::pin(async move { self.forget_schema_on(self.current_warnings().await) })
    }

    fn read_orders<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        Box::pin(async move { self.forget_schema_on(self.read(ids, MAX_BYTES).await) })
    }

    fn read_changed<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        Box::pin(async move { self.forget_schema_on(self.read_partly(ids).await) })
    }

    fn read_history<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        Box::pin(async move { self.forget_schema_on(self.read_in_halves(ids).await) })
    }

    fn order_ids<'a>(
        &'a self,
        filter: &'a OrderFilter,
        below: Option<OrderId>,
        limit: usize,
    ) -> SourceFuture<'a, Vec<OrderId>> {
        Box::pin(async move { self.forget_schema_on(self.ids(filter, below, limit).await) })
    }

    fn id_range<'a>(&'a self, filter: &'a OrderFilter) -> SourceFuture<'a, Option<(OrderId, OrderId)>> {
        Box::pin(async move { self.forget_schema_on(self.range(filter).await) })
    }

    fn count_orders<'a>(&'a self, filter: &'a OrderFilter) -> SourceFuture<'a, u64> {
        Box::pin(async move { self.forget_schema_on(self.count(filter).await) })
    }

    fn find_by_number<'a>(&'a self, number: &'a str) -> SourceFuture<'a, Vec<OrderId>> {
        Box::pin(async move { self.forget_schema_on(self.find(number).await) })
    }

    fn store_views(&self) -> SourceFuture<'_, Vec<ShopStoreView>> {
        Box::pin(async move { self.forget_schema_on(self.list_store_views().await) })
    }
}
