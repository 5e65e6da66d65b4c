//! Orders from an embedded SQLite database with the Commerce tables: the demo's shop, and tests.
//!
//! Changes come from our own triggers, which are installed when the database is opened. SQLite has one writer, so the
//! log's numbers are given in the order of commits and nothing ever appears behind the cursor: no overlap is needed.
//! `PRAGMA data_version` says whether anybody else committed since the last look, so looking every few milliseconds at
//! a shop where nothing happens costs next to nothing.

pub mod examine;
mod rows;
mod thread;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::commerce::changes::triggers::{ExistingTrigger, TriggerReport, TriggerSet};
use crate::commerce::changes::watched::{LOG, OWN_LOG};
use crate::commerce::changes::window::Mark;
use crate::commerce::fingerprint;
use crate::commerce::read::assemble::Assembly;
use crate::commerce::read::cells;
use crate::commerce::read::cells::SourceRow;
use crate::commerce::read::queries::{Queries, ReadStatement, SqlDialect};
use crate::commerce::read::schema::Schema;
use crate::commerce::read::tables::SourceTable;
use crate::commerce::source::{
    Captured, Change, Cursors, OrderFilter, ReadOrder, Source, SourceError, SourceFuture, SourceInfo,
};
use crate::commerce::sqlite::rows::{for_each, numbers};
use crate::commerce::sqlite::thread::{SqliteThread, explain};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// How many rows of the log one transaction deletes, so that the shop never waits long.
const DELETED_AT_ONCE: usize = 5_000;

/// An embedded database as a [`Source`].
#[derive(Debug)]
pub struct SqliteSource {
    /// For capture and live changes; backfills have a connection of their own.
    thread: SqliteThread,
    history: SqliteThread,
    shop: Arc<ShopSchema>,
    /// The cursors at which the log was last found empty, and the database's `data_version` then.
    idle: Mutex<Option<(Cursors, i64)>>,
}

/// What is known of the database.
#[derive(Debug)]
struct ShopSchema {
    schema: Schema,
    queries: Queries,
    triggers: TriggerSet,
}

impl SqliteSource {
    /// Opens the database, which must hold the Commerce tables, and installs the triggers. Blocks for a moment.
    ///
    /// # Errors
    /// `Misconfigured` if there is no such database or a table is missing, `Unavailable` if it stays locked.
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

    /// Compares the triggers with those that there should be.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn check_triggers(&self) -> Result<TriggerReport, SourceError> {
        let shop = Arc::clone(&self.shop);
        self.thread
            .run(move |connection| Ok(shop.triggers.compare(&found(connection)?, true)))
            .await
    }

    async fn capture(&self, cursors: &Cursors, limit: usize) -> Result<Captured, SourceError> {
        let position = position(cursors)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let idle_version = idle.filter(|(at, _)| at == cursors).map(|(_, version)| version);
        let (version, rows) = self
            .thread
            .run(move |connection| {
                // Before the rows: a commit in between is then looked for once more, not passed over.
                let version = connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
                if idle_version == Some(version) {
                    return Ok((version, Vec::new()));
                }
                log_rows(connection, position, limit.max(1)).map(|rows| (version, rows))
            })
            .await?;
        let mut captured = Captured {
            cursors: cursors.clone(),
            more: rows.len() >= limit.max(1),
            ..Captured::default()
        };
        if let Some((last, _)) = rows.last() {
            captured.cursors.0.insert(LOG.to_owned(), last.to_string());
        }
        captured.changes = rows.into_iter().map(|(_, change)| change).collect();
        if !captured.more {
            *self.idle.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((captured.cursors.clone(), version));
        }
        Ok(captured)
    }

    async fn clear_log(&self, cursors: &Cursors) -> Result<(), SourceError> {
        let position = position(cursors)?;
        loop {
            let sql = format!(
                "DELETE FROM `{LOG}` WHERE `version_id` IN \
                 (SELECT `version_id` FROM `{LOG}` WHERE `version_id` <= {position} ORDER BY `version_id` LIMIT {DELETED_AT_ONCE})"
            );
            // AUTOINCREMENT keeps the numbers growing though the table may be empty.
            let deleted = self
                .thread
                .run(move |connection| connection.execute(&sql, []))
                .await?;
            if deleted < DELETED_AT_ONCE {
                return Ok(());
            }
        }
    }

    async fn read(&self, thread: &SqliteThread, ids: &[OrderId]) -> Result<Vec<ReadOrder>, SourceError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let (shop, assembly) = (Arc::clone(&self.shop), Assembly::new(ids));
        thread
            .run(move |connection| read(&connection.transaction()?, &shop.queries, assembly))
            .await
    }

    async fn ids(
        &self,
        filter: &OrderFilter,
        below: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<OrderId>, SourceError> {
        let (shop, filter) = (Arc::clone(&self.shop), filter.clone());
        self.history
            .run(move |connection| {
                let stores = stores(connection, &shop.queries, &filter)?;
                numbers(
                    connection,
                    &shop.queries.order_ids(&filter, stores.as_deref(), below, limit),
                    None,
                )
            })
            .await
    }

    async fn range(&self, filter: &OrderFilter) -> Result<Option<(OrderId, OrderId)>, SourceError> {
        let (shop, filter) = (Arc::clone(&self.shop), filter.clone());
        self.thread
            .run(move |connection| {
                let stores = stores(connection, &shop.queries, &filter)?;
                let ends = numbers(
                    connection,
                    &shop.queries.id_range(&filter, stores.as_deref()),
                    None,
                )?;
                Ok(ends.first().copied().zip(ends.last().copied()))
            })
            .await
    }

    async fn count(&self, filter: &OrderFilter) -> Result<u64, SourceError> {
        let (shop, filter) = (Arc::clone(&self.shop), filter.clone());
        self.history
            .run(move |connection| {
                let stores = stores(connection, &shop.queries, &filter)?;
                let counted = numbers(
                    connection,
                    &shop.queries.count_orders(&filter, stores.as_deref()),
                    None,
                )?;
                Ok(counted.first().copied().unwrap_or_default().unsigned_abs())
            })
            .await
    }

    async fn find(&self, number: &str) -> Result<Vec<OrderId>, SourceError> {
        let (shop, number) = (Arc::clone(&self.shop), number.to_owned());
        self.thread
            .run(move |connection| numbers(connection, &shop.queries.by_number(), Some(&number)))
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

    async fn start(&self) -> Result<Cursors, SourceError> {
        let newest: Option<i64> = self
            .thread
            .run(|connection| {
                let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
                connection.query_row(sql, [LOG], |row| row.get(0)).optional()
            })
            .await?;
        Ok(Cursors(
            [(LOG.to_owned(), newest.unwrap_or_default().to_string())].into(),
        ))
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
}

/// The last row of the log that was captured. Without a cursor, the log is read from its start: it holds nothing but
/// what was not captured yet.
fn position(cursors: &Cursors) -> Result<i64, SourceError> {
    let Some(text) = cursors.0.get(LOG) else {
        return Ok(0);
    };
    text.parse().map_err(|_| SourceError::BadCursor {
        name: LOG.to_owned(),
        value: text.clone(),
    })
}

fn schema(connection: &Connection) -> rusqlite::Result<Schema> {
    let mut schema = Schema::default();
    let sql =
        "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'";
    for_each(connection, sql, None, |row| {
        if let (Some(table), Some(column)) = (cells::text(row.cell(0)), cells::text(row.cell(1))) {
            schema.add_column(&table, &column);
        }
    })?;
    Ok(schema)
}

/// Creates what is missing and replaces what was altered, all or nothing.
fn install(connection: &mut Connection, set: &TriggerSet) -> rusqlite::Result<()> {
    let report = set.compare(&found(connection)?, true);
    let log_exists = connection.table_exists(None, LOG)?;
    if log_exists && report.is_complete() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute_batch(&set.create_log())?;
    for trigger in set.triggers() {
        if report.missing.contains(&trigger.name) || report.altered.contains(&trigger.name) {
            transaction.execute_batch(&format!(
                "DROP TRIGGER IF EXISTS `{}`; {}",
                trigger.name, trigger.create
            ))?;
        }
    }
    transaction.commit()
}

fn found(connection: &Connection) -> rusqlite::Result<Vec<ExistingTrigger>> {
    let mut found = Vec::new();
    let sql = "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger'";
    for_each(connection, sql, None, |row| {
        let text = |index| cells::text(row.cell(index)).unwrap_or_default();
        found.push(ExistingTrigger {
            name: text(0),
            table: text(1),
            body: text(2),
        });
    })?;
    Ok(found)
}

fn log_rows(connection: &Connection, position: i64, limit: usize) -> rusqlite::Result<Vec<(i64, Change)>> {
    let mut rows = Vec::new();
    let sql = OWN_LOG.select("", Mark::of_key(position), None, limit);
    for_each(connection, &sql, None, |row| {
        if let Some(seen) = OWN_LOG.seen_row(row) {
            let change = seen.order.map(|order| Change {
                order,
                table: seen.table,
                op: seen.op,
            });
            rows.extend(change.map(|change| (seen.mark.id, change)));
        }
    })?;
    Ok(rows)
}

/// All from the snapshot that the transaction's first statement takes.
fn read(
    snapshot: &Transaction<'_>,
    queries: &Queries,
    mut assembly: Assembly,
) -> rusqlite::Result<Vec<ReadOrder>> {
    for_each(snapshot, &queries.scopes(), None, |row| assembly.add_scope(row))?;
    for &table in SourceTable::ALL {
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
    Ok(assembly.finish())
}

fn oldest(connection: &Connection, queries: &Queries) -> rusqlite::Result<Vec<String>> {
    let mut oldest = Vec::new();
    for_each(
        connection,
        &queries.oldest_orders(fingerprint::ANCHORS),
        None,
        |row| {
            let columns = (0..4).map(|index| cells::text(row.cell(index)).unwrap_or_default());
            oldest.push(columns.collect::<Vec<_>>().join("|"));
        },
    )?;
    Ok(oldest)
}

fn stores(
    connection: &Connection,
    queries: &Queries,
    filter: &OrderFilter,
) -> rusqlite::Result<Option<Vec<i64>>> {
    let Some(website) = &filter.website else {
        return Ok(None);
    };
    numbers(connection, &queries.store_views(), Some(website)).map(Some)
}

#[cfg(test)]
mod tests;
