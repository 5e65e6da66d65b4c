//! The shop's database: a pool of reading connections, and the statements of the lists.

pub(crate) mod kinds;
pub(crate) mod lists;
pub(crate) mod row;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, params_from_iter};

use crate::search::sql::Condition;
use crate::shop::lists::List;
use crate::shop::row::Row;

/// Longest wait for a writer of the shop.
const BUSY: Duration = Duration::from_secs(10);

/// The file of a shop. Statements of one request do not share a snapshot, as in Commerce.
#[derive(Debug)]
pub(crate) struct Shop {
    path: PathBuf,
    tables: HashSet<String>,
    idle: Mutex<Vec<Connection>>,
}

/// Rows of one table by the id of their owner.
pub(crate) type ByOwner = HashMap<i64, Vec<Row>>;

impl Shop {
    /// Opens a shop, which must have Commerce's tables.
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = connect(path)?;
        let tables = connection
            .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<HashSet<String>>>()?;
        connection.query_row("SELECT count(*) FROM sales_order WHERE 0", [], |_| Ok(()))?;
        Ok(Self {
            path: path.to_owned(),
            tables,
            idle: Mutex::new(vec![connection]),
        })
    }

    /// Calls `read` with a connection of the pool.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Reading<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let pooled = idle().pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => connect(&self.path)?,
        };
        let result = read(&Reading {
            connection: &connection,
            tables: &self.tables,
        });
        idle().push(connection);
        result
    }

    /// Executes statements in one transaction.
    pub(crate) fn write(&self, statements: &[String]) -> rusqlite::Result<()> {
        let mut connection = Connection::open(&self.path)?;
        connection.busy_timeout(BUSY)?;
        connection.execute_batch("PRAGMA foreign_keys = ON")?;
        let transaction = connection.transaction()?;
        for statement in statements {
            transaction.execute_batch(statement)?;
        }
        transaction.commit()
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// A connection while a request reads.
pub(crate) struct Reading<'a> {
    connection: &'a Connection,
    tables: &'a HashSet<String>,
}

impl Reading<'_> {
    /// Counts the rows of a list.
    pub(crate) fn count(&self, list: List, condition: &Condition) -> rusqlite::Result<u64> {
        if !self.tables.contains(list.table()) {
            return Ok(0);
        }
        let sql = format!("SELECT COUNT(*) FROM {} WHERE {}", list.table(), condition.sql);
        let count: i64 = self
            .connection
            .prepare_cached(&sql)?
            .query_row(params_from_iter(&condition.parameters), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Returns a page of a list.
    pub(crate) fn page(
        &self,
        list: List,
        condition: &Condition,
        order_by: &str,
        limit: Option<u64>,
        offset: u64,
    ) -> rusqlite::Result<Vec<Row>> {
        if !self.tables.contains(list.table()) {
            return Ok(Vec::new());
        }
        let limit = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        let sql = format!(
            "SELECT * FROM {} WHERE {} ORDER BY {order_by} LIMIT {limit} OFFSET {offset}",
            list.table(),
            condition.sql
        );
        self.rows(&sql, &condition.parameters)
    }

    /// Returns the rows of a table that belong to these owners, in the order of their ids.
    pub(crate) fn owned(&self, table: &str, owner: &str, ids: &[i64]) -> rusqlite::Result<ByOwner> {
        let mut owned = ByOwner::new();
        if ids.is_empty() || !self.tables.contains(table) {
            return Ok(owned);
        }
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        let sql =
            format!("SELECT * FROM {table} WHERE {owner} IN (SELECT value FROM json_each(?1)) ORDER BY 1");
        let list = Value::Text(format!("[{}]", ids.join(",")));
        for row in self.rows(&sql, &[list])? {
            owned
                .entry(row.int(owner).unwrap_or_default())
                .or_default()
                .push(row);
        }
        Ok(owned)
    }

    /// Returns all rows of a small table.
    pub(crate) fn all(&self, table: &str) -> rusqlite::Result<Vec<Row>> {
        self.rows(&format!("SELECT * FROM {table} ORDER BY 1"), &[])
    }

    fn rows(&self, sql: &str, parameters: &[Value]) -> rusqlite::Result<Vec<Row>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let names = Arc::new(names);
        let mut rows = statement.query(params_from_iter(parameters))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let cells: rusqlite::Result<Vec<Value>> = (0..names.len()).map(|index| row.get(index)).collect();
            found.push(Row::new(Arc::clone(&names), cells?));
        }
        Ok(found)
    }
}
