//! Whole orders by id, and the ids of a range of the history.

use std::sync::PoisonError;
use std::time::Duration;

use mysql_async::Params;

use crate::commerce::mysql::inspect::Inspected;
use crate::commerce::mysql::session::MysqlSession;
use crate::commerce::mysql::{MysqlSource, SPARE_CONNECTIONS};
use crate::commerce::read::assemble::{Assembly, MAX_BYTES};
use crate::commerce::read::cells;
use crate::commerce::read::queries::Queries;
use crate::commerce::read::tables::SourceTable;
use crate::commerce::source::{LateTable, OrderFilter, ReadOrder, SourceError};
use orderfeed_model::order::OrderId;

/// A page of history with more orders is read in two halves, on two connections.
const HALVED: usize = 50;
/// The longest time for a statement that reads one table of a page of orders.
const TABLE_LIMIT: Duration = Duration::from_secs(60);
/// The longest time for a statement that an order can do without at first.
const RETURNS_LIMIT: Duration = Duration::from_secs(1);
/// The name under which the tables of labels are skipped.
const LABELS: &str = "eav_attribute";

impl MysqlSource {
    /// Records the tables that capture found to be slow.
    pub(super) fn record_slow(&self, late: &[LateTable]) {
        late.iter().for_each(|late| self.unreadable.add(late.table));
    }

    /// Reads orders whole, within a number of bytes.
    pub(super) async fn read(&self, ids: &[OrderId], budget: usize) -> Result<Vec<ReadOrder>, SourceError> {
        self.read_with(ids, budget, false).await
    }

    /// Reads orders, without their returns if the tables of these do not answer in time.
    pub(super) async fn read_partly(&self, ids: &[OrderId]) -> Result<Vec<ReadOrder>, SourceError> {
        self.read_with(ids, MAX_BYTES, true).await
    }

    async fn read_with(
        &self,
        ids: &[OrderId],
        budget: usize,
        partly: bool,
    ) -> Result<Vec<ReadOrder>, SourceError> {
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
        let (returns, others): (Vec<SourceTable>, Vec<SourceTable>) = SourceTable::ALL
            .iter()
            .copied()
            .partition(|table| table.is_of_returns());
        for table in others {
            read_table(&mut session, queries, &mut assembly, table, TABLE_LIMIT).await?;
        }
        // Last: they are read as a whole or not at all, because an event of a return names its items.
        let missing = match partly {
            false => {
                let read = read_returns(&mut session, queries, &mut assembly, &returns, TABLE_LIMIT);
                read.await.map_err(|(error, _)| error)?;
                None
            }
            true => {
                self.try_returns(&mut session, queries, &mut assembly, &returns)
                    .await?
            }
        };
        session.execute("COMMIT").await?;
        match missing {
            None => assembly.finish(),
            Some(table) => assembly.finish_without_returns(table),
        }
    }

    /// Reads the returns unless one of their tables does not answer in time; returns that table.
    async fn try_returns(
        &self,
        session: &mut MysqlSession<'_>,
        queries: &Queries,
        assembly: &mut Assembly,
        tables: &[SourceTable],
    ) -> Result<Option<&'static str>, SourceError> {
        let names = tables.iter().map(|table| table.spec().table).chain([LABELS]);
        let mut unreadable = names.filter(|table| self.unreadable.contains(table));
        if let Some(table) = unreadable.next() {
            return Ok(Some(table));
        }
        match read_returns(session, queries, assembly, tables, RETURNS_LIMIT).await {
            Ok(()) => Ok(None),
            Err((SourceError::TooSlow { .. }, table)) => {
                self.unreadable.add(table);
                Ok(Some(table))
            }
            Err((error, _)) => Err(error),
        }
    }

    /// Reads orders in two halves over two connections: the server works on one while the rows of the other are decoded.
    pub(super) async fn read_in_halves(&self, ids: &[OrderId]) -> Result<Vec<ReadOrder>, SourceError> {
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

    /// Returns a page of ids.
    pub(super) async fn ids(
        &self,
        filter: &OrderFilter,
        below: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<OrderId>, SourceError> {
        let bounded = OrderFilter {
            lowest: self.lowest_of(filter).await?,
            ..filter.clone()
        };
        let ids = |queries: &Queries, filter: &OrderFilter, stores: Option<&[i64]>| {
            queries.order_ids(filter, stores, below, limit)
        };
        self.numbers(&bounded, ids).await
    }

    /// Returns the lowest id in `filter`. Without it, the page after the oldest order of a filter by time of creation would
    /// search the rest of the history.
    async fn lowest_of(&self, filter: &OrderFilter) -> Result<Option<OrderId>, SourceError> {
        let (Some(from), None, None) = (filter.created_from, filter.lowest, filter.updated_from) else {
            return Ok(filter.lowest);
        };
        let known = *self.lowest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, lowest)) = known.filter(|(since, _)| *since == from) {
            return Ok(Some(lowest));
        }
        let since = OrderFilter {
            created_from: Some(from),
            ..OrderFilter::default()
        };
        let lowest = self.range(&since).await?.map(|(lowest, _)| lowest);
        *self.lowest.lock().unwrap_or_else(PoisonError::into_inner) = lowest.map(|lowest| (from, lowest));
        Ok(lowest)
    }

    pub(super) async fn range(
        &self,
        filter: &OrderFilter,
    ) -> Result<Option<(OrderId, OrderId)>, SourceError> {
        let ends = self.numbers(filter, Queries::id_range).await?;
        // Without orders both rows are NULL.
        Ok(ends.first().copied().zip(ends.last().copied()))
    }

    pub(super) async fn count(&self, filter: &OrderFilter) -> Result<u64, SourceError> {
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

    pub(super) async fn find(&self, number: &str) -> Result<Vec<OrderId>, SourceError> {
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
}

async fn read_table(
    session: &mut MysqlSession<'_>,
    queries: &Queries,
    assembly: &mut Assembly,
    table: SourceTable,
    limit: Duration,
) -> Result<(), SourceError> {
    if assembly.is_full() {
        return Ok(());
    }
    // Parents precede their rows in ALL, so the owners of each table are known by then.
    let Some(statement) = queries.rows_of(table, &assembly.owners(table)) else {
        return Ok(());
    };
    session
        .rows_within(limit, &statement.sql, |row| assembly.add(table, row))
        .await
}

/// Reads the returns with everything that belongs to them. An error comes with the table.
async fn read_returns(
    session: &mut MysqlSession<'_>,
    queries: &Queries,
    assembly: &mut Assembly,
    tables: &[SourceTable],
    limit: Duration,
) -> Result<(), (SourceError, &'static str)> {
    for table in tables {
        read_table(session, queries, assembly, *table, limit)
            .await
            .map_err(|error| (error, table.spec().table))?;
    }
    let Some(statement) = queries.return_labels(&assembly.return_items()) else {
        return Ok(());
    };
    session
        .rows_within(limit, &statement.sql, |row| assembly.add_label(row))
        .await
        .map_err(|error| (error, LABELS))
}

/// Returns the first column as a whole number.
fn first(row: &impl cells::SourceRow) -> Option<i64> {
    cells::integer(row.cell(0))
}
