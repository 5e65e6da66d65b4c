//! Orders from a MySQL 8 or MariaDB database with the Commerce schema, read through an account that needs no other right.
//!
//! | module | content |
//! |---|---|
//! | [`connect`] | pool, sessions, time limits |
//! | [`encryption`] | TLS, and when plain text is allowed |
//! | [`budget`] | the number of connections that may be open |
//! | [`error`] | server errors as sentences with remedies |
//! | [`inspect`] | the tables and columns of a database |
//! | [`capture`] | changed orders, in three capture modes |
//! | [`round`], [`gaps`], [`memory`] | one call of capture: its passes, its cursors, the state between calls |
//! | [`returns`] | open returns, which have no time of change |
//! | [`triggers`], [`installer`] | installation, removal and comparison of orderfeed's triggers; the rights that it needs |
//! | [`examine`] | the checks of `doctor` |

mod budget;
mod capture;
mod connect;
mod encryption;
mod error;
mod examine;
mod gaps;
mod inspect;
mod installer;
mod memory;
mod returns;
mod round;
mod triggers;

use std::sync::{Arc, Mutex, PoisonError};

use mysql_async::Params;

use crate::commerce::mysql::connect::{MysqlConnector, MysqlSession};
use crate::commerce::mysql::inspect::Inspected;
use crate::commerce::mysql::memory::CaptureMemory;
use crate::commerce::read::assemble::{Assembly, MAX_BYTES};
use crate::commerce::read::cells;
use crate::commerce::read::queries::Queries;
use crate::commerce::read::tables::SourceTable;
use crate::commerce::source::{
    Captured, Cursors, OrderFilter, ReadOrder, Source, SourceError, SourceFuture, SourceInfo, SourceWarning,
};
use crate::config::MysqlConfig;
use orderfeed_model::order::OrderId;

/// A page of history with more orders is read in two halves, on two connections.
const HALVED: usize = 50;
/// Number of connections that a page of history leaves for capture and live changes.
const SPARE_CONNECTIONS: usize = 2;

/// A MySQL or MariaDB database as a [`Source`].
#[derive(Debug)]
pub struct MysqlSource {
    settings: MysqlConfig,
    pub(in crate::commerce::mysql) connector: MysqlConnector,
    /// The schema as last inspected; dropped after an error, because a table or column may be gone.
    inspected: Mutex<Option<Arc<Inspected>>>,
    /// The state of capture between calls. Locked during a whole call, so that calls do not overlap.
    memory: tokio::sync::Mutex<CaptureMemory>,
}

impl MysqlSource {
    /// Creates the source, without connecting.
    ///
    /// # Errors
    /// `Misconfigured` if the CA file cannot be read.
    pub fn new(settings: MysqlConfig) -> Result<Self, SourceError> {
        let connector = MysqlConnector::new(settings.clone())?;
        let memory = tokio::sync::Mutex::new(CaptureMemory::new(settings.poll_overlap.get()));
        Ok(Self {
            settings,
            connector,
            inspected: Mutex::new(None),
            memory,
        })
    }

    async fn read(&self, ids: &[OrderId], budget: usize) -> Result<Vec<ReadOrder>, SourceError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut session = self.connector.session().await?;
        let inspected = self.inspected(&mut session).await?;
        // One snapshot for all tables: an invoice must not appear without the order's new state.
        session
            .execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            .await?;
        let mut assembly = Assembly::new(ids, budget);
        let queries = &inspected.queries;
        session
            .rows(&queries.scopes(), |row| assembly.add_scope(row))
            .await?;
        // Parents precede their rows in ALL, so the owners of each table are known by then.
        for &table in SourceTable::ALL {
            if assembly.is_full() {
                break;
            }
            if let Some(statement) = queries.rows_of(table, &assembly.owners(table)) {
                session
                    .rows(&statement.sql, |row| assembly.add(table, row))
                    .await?;
            }
        }
        if let Some(statement) = queries.return_labels(&assembly.return_items()) {
            session
                .rows(&statement.sql, |row| assembly.add_label(row))
                .await?;
        }
        session.execute("COMMIT").await?;
        assembly.finish()
    }

    /// Reads orders in two halves over two connections: the server works on one while the rows of the other are decoded.
    async fn read_in_halves(&self, ids: &[OrderId]) -> Result<Vec<ReadOrder>, SourceError> {
        // With few connections, capture and live changes would wait for the second half.
        if ids.len() <= HALVED || self.connector.size() < SPARE_CONNECTIONS + 2 {
            return self.read(ids, MAX_BYTES).await;
        }
        let (newer, older) = ids.split_at(ids.len() / 2);
        let half = MAX_BYTES / 2;
        let (mut orders, mut rest) = futures_util::try_join!(self.read(newer, half), self.read(older, half))?;
        orders.append(&mut rest);
        Ok(orders)
    }

    async fn ids(
        &self,
        filter: &OrderFilter,
        below: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<OrderId>, SourceError> {
        let ids = |queries: &Queries, filter: &OrderFilter, stores: Option<&[i64]>| {
            queries.order_ids(filter, stores, below, limit)
        };
        self.numbers(filter, ids).await
    }

    async fn range(&self, filter: &OrderFilter) -> Result<Option<(OrderId, OrderId)>, SourceError> {
        let ends = self.numbers(filter, Queries::id_range).await?;
        // Without orders both rows are NULL.
        Ok(ends.first().copied().zip(ends.last().copied()))
    }

    async fn count(&self, filter: &OrderFilter) -> Result<u64, SourceError> {
        let counted = self.numbers(filter, Queries::count_orders).await?;
        Ok(counted.first().copied().unwrap_or_default().unsigned_abs())
    }

    /// Executes the statement that `sql` returns for the store views of `filter`, and returns its first column.
    async fn numbers(
        &self,
        filter: &OrderFilter,
        sql: impl FnOnce(&Queries, &OrderFilter, Option<&[i64]>) -> String + Send,
    ) -> Result<Vec<i64>, SourceError> {
        let mut session = self.connector.session().await?;
        let inspected = self.inspected(&mut session).await?;
        let stores = self.store_views(&mut session, &inspected, filter).await?;
        let sql = sql(&inspected.queries, filter, stores.as_deref());
        let mut numbers = Vec::new();
        session.rows(&sql, |row| numbers.extend(first(&row))).await?;
        Ok(numbers)
    }

    async fn find(&self, number: &str) -> Result<Vec<OrderId>, SourceError> {
        let mut session = self.connector.session().await?;
        let inspected = self.inspected(&mut session).await?;
        let mut ids = Vec::new();
        // A parameter, because the number is text from an operator.
        let params = Params::from((number,));
        session
            .rows_with(&inspected.queries.by_number(), params, |row| {
                ids.extend(first(&row))
            })
            .await?;
        Ok(ids)
    }

    async fn store_views(
        &self,
        session: &mut MysqlSession<'_>,
        inspected: &Inspected,
        filter: &OrderFilter,
    ) -> Result<Option<Vec<i64>>, SourceError> {
        let Some(website) = &filter.website else {
            return Ok(None);
        };
        let mut stores = Vec::new();
        let params = Params::from((website.as_str(),));
        session
            .rows_with(&inspected.queries.store_views(), params, |row| {
                stores.extend(first(&row))
            })
            .await?;
        Ok(Some(stores))
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
}

/// Returns the first column as a whole number.
fn first(row: &impl cells::SourceRow) -> Option<i64> {
    cells::integer(row.cell(0))
}
