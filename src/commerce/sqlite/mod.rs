//! Orders from an embedded SQLite database with the Commerce tables: the demo's shop, and tests.
//!
//! Changes come from orderfeed's triggers, which are installed when the database is opened.

mod capture;
pub mod examine;
mod inspect;
mod rows;
mod thread;

use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::Transaction;

use crate::commerce::changes::triggers::{TriggerReport, TriggerSet};
use crate::commerce::fingerprint;
use crate::commerce::read::assemble::{Assembly, MAX_BYTES};
use crate::commerce::read::queries::{Queries, ReadStatement, SqlDialect};
use crate::commerce::read::schema::Schema;
use crate::commerce::read::tables::SourceTable;
use crate::commerce::source::{
    Captured, Cursors, OrderFilter, ReadOrder, Source, SourceError, SourceFuture, SourceInfo,
};
use crate::commerce::sqlite::inspect::{existing_triggers, install, oldest, schema};
use crate::commerce::sqlite::rows::{for_each, numbers};
use crate::commerce::sqlite::thread::{SqliteThread, explain};
use crate::commerce::stores::{self, ShopSettings, ShopStoreView};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// An embedded database as a [`Source`].
#[derive(Debug)]
pub struct SqliteSource {
    /// The connection for capture and live changes.
    thread: SqliteThread,
    /// The connection for backfills.
    history: SqliteThread,
    shop: Arc<ShopSchema>,
    /// The cursors at which the log was last found empty, with the database's `data_version` at that time.
    idle: Mutex<Option<(Cursors, i64)>>,
}

/// The inspected database, its statements and its triggers.
#[derive(Debug)]
struct ShopSchema {
    schema: Schema,
    queries: Queries,
    triggers: TriggerSet,
}

impl SqliteSource {
    /// Opens the database, which must hold the Commerce tables, and installs the triggers. Blocks.
    ///
    /// # Errors
    /// `Misconfigured` if the file is no Commerce database, `Unavailable` if it stays locked.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let shop = {
            let mut connection = thread::open(path)?;
            let schema = schema(&connection).map_err(|cause| explain(&cause))?;
            if let [missing, ..] = schema.missing_core()[..] {
                return Err(SourceError::Misconfigured {
                    message: format!("the embedded store {} has no table {missing}", path.display()),
                    remedy: "check source.sqlite.path: this is not a Commerce database".into(),
                });
            }
            let queries = Queries::new(SqlDialect::Sqlite, "", &schema);
            let triggers = TriggerSet::new(SqlDialect::Sqlite, "", &schema);
            // Before the first read, so that no change falls between history and capture.
            install(&mut connection, &triggers).map_err(|cause| explain(&cause))?;
            Arc::new(ShopSchema {
                schema,
                queries,
                triggers,
            })
        };
        Ok(Self {
            thread: SqliteThread::start(path)?,
            history: SqliteThread::start(path)?,
            shop,
            idle: Mutex::new(None),
        })
    }

    /// Compares the database's triggers with those that it needs.
    pub async fn check_triggers(&self) -> Result<TriggerReport, SourceError> {
        let shop = Arc::clone(&self.shop);
        self.thread
            .run(move |connection| Ok(shop.triggers.compare(&existing_triggers(connection)?, true)))
            .await
    }

    async fn read(&self, thread: &SqliteThread, ids: &[OrderId]) -> Result<Vec<ReadOrder>, SourceError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (shop, assembly) = (Arc::clone(&self.shop), Assembly::new(ids, MAX_BYTES));
        thread
            .run(move |connection| read(&connection.transaction()?, &shop.queries, assembly))
            .await?
            .finish()
    }

    async fn ids(
        &self,
        filter: &OrderFilter,
        below: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<OrderId>, SourceError> {
        self.numbers(&self.history, filter, move |queries, filter, stores| {
            queries.order_ids(filter, stores, below, limit)
        })
        .await
    }

    async fn range(&self, filter: &OrderFilter) -> Result<Option<(OrderId, OrderId)>, SourceError> {
        let ends = self.numbers(&self.thread, filter, Queries::id_range).await?;
        // Without orders both rows are NULL.
        Ok(ends.first().copied().zip(ends.last().copied()))
    }

    async fn count(&self, filter: &OrderFilter) -> Result<u64, SourceError> {
        let counted = self.numbers(&self.history, filter, Queries::count_orders).await?;
        Ok(counted.first().copied().unwrap_or_default().unsigned_abs())
    }

    /// Executes the statement that `sql` returns for the store views of `filter`, and returns its first column.
    async fn numbers(
        &self,
        thread: &SqliteThread,
        filter: &OrderFilter,
        sql: impl FnOnce(&Queries, &OrderFilter, Option<&[i64]>) -> String + Send + 'static,
    ) -> Result<Vec<i64>, SourceError> {
        let (shop, filter) = (Arc::clone(&self.shop), filter.clone());
        thread
            .run(move |connection| {
                let website = filter.website.as_deref();
                let stores = website
                    .map(|website| numbers(connection, &shop.queries.store_views(), Some(website)))
                    .transpose()?;
                let sql = sql(&shop.queries, &filter, stores.as_deref());
                numbers(connection, &sql, None)
            })
            .await
    }

    async fn find(&self, number: &str) -> Result<Vec<OrderId>, SourceError> {
        let (shop, number) = (Arc::clone(&self.shop), number.to_owned());
        self.thread
            .run(move |connection| numbers(connection, &shop.queries.by_number(), Some(&number)))
            .await
    }

    async fn list_store_views(&self) -> Result<Vec<ShopStoreView>, SourceError> {
        let shop = Arc::clone(&self.shop);
        self.thread
            .run(move |connection| {
                let (mut views, mut settings) = (Vec::new(), ShopSettings::default());
                for_each(connection, &shop.queries.described_store_views(), None, |row| {
                    views.extend(stores::view_of(row))
                })?;
                // A file of an earlier version has no such table.
                if connection.table_exists(None, "core_config_data")? {
                    for_each(connection, &shop.queries.store_settings(), None, |row| {
                        settings.add_row(row)
                    })?;
                }
                views.iter_mut().for_each(|view| settings.complete(view));
                Ok(views)
            })
            .await
    }

    async fn describe_now(&self) -> Result<SourceInfo, SourceError> {
        let shop = Arc::clone(&self.shop);
        self.thread
            .run(move |connection| {
                let now: String = connection.query_row("SELECT CURRENT_TIMESTAMP", [], |row| row.get(0))?;
                Ok(SourceInfo {
                    product: format!("SQLite {}", rusqlite::version()),
                    fingerprint: fingerprint::fingerprint(&oldest(connection, &shop.queries)?),
                    database_time: UtcMillis::parse_sql(&now).unwrap_or_default(),
                    notes: shop.schema.notes(),
                })
            })
            .await
    }
}

impl Source for SqliteSource {
    fn describe(&self) -> SourceFuture<'_, SourceInfo> {
        Box::pin(self.describe_now())
    }

    fn initial_cursors(&self) -> SourceFuture<'_, Cursors> {
        Box::pin(self.start())
    }

    fn changes<'a>(&'a self, cursors: &'a Cursors, limit: usize) -> SourceFuture<'a, Captured> {
        Box::pin(self.capture(cursors, limit))
    }

    fn acknowledge<'a>(&'a self, cursors: &'a Cursors) -> SourceFuture<'a, ()> {
        Box::pin(self.clear_log(cursors))
    }

    fn read_orders<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        Box::pin(self.read(&self.thread, ids))
    }

    fn read_history<'a>(&'a self, ids: &'a [OrderId]) -> SourceFuture<'a, Vec<ReadOrder>> {
        Box::pin(self.read(&self.history, ids))
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

    fn store_views(&self) -> SourceFuture<'_, Vec<ShopStoreView>> {
        Box::pin(self.list_store_views())
    }
}

/// Reads whole orders, all from the snapshot that the transaction's first statement takes.
fn read(snapshot: &Transaction<'_>, queries: &Queries, mut assembly: Assembly) -> rusqlite::Result<Assembly> {
    for_each(snapshot, &queries.scopes(), None, |row| assembly.add_scope(row))?;
    for &table in SourceTable::ALL {
        if assembly.is_full() {
            break;
        }
        if let Some(ReadStatement { sql, parameter }) = queries.rows_of(table, &assembly.owners(table)) {
            for_each(snapshot, &sql, parameter.as_deref(), |row| {
                assembly.add(table, row)
            })?;
        }
    }
    if let Some(ReadStatement { sql, parameter }) = queries.return_labels(&assembly.return_items()) {
        for_each(snapshot, &sql, parameter.as_deref(), |row| {
            assembly.add_label(row)
        })?;
    }
    Ok(assembly)
}

#[cfg(test)]
mod tests;
