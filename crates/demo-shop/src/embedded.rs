//! The embedded shop: the sales tables in one SQLite file. This is the shop's database, which the daemon reads as its
//! source, and not the daemon's store.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, Value as SqliteValue, ValueRef};
use rusqlite::{Connection, ToSql, TransactionBehavior, params_from_iter};

use crate::sql::{Statement, Value};
use crate::tables::TABLES;
use crate::tables::schema;
use crate::tables::schema::{Dialect, Edition};

/// Longest wait of a write for a reader that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Size of the statement cache. Larger than the number of different statements in a history, so that each is parsed
/// once.
const STATEMENTS: usize = 128;

/// An error of the shop's file.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The file cannot be opened or is not a database.
    #[error("the embedded shop {path} cannot be opened: {cause}; choose another path or delete the file")]
    Open {
        path: PathBuf,
        #[source]
        cause: rusqlite::Error,
    },
    /// A statement of the shop failed.
    #[error("the embedded shop refused a statement ({cause}): {sql}")]
    Statement {
        #[source]
        cause: rusqlite::Error,
        /// The statement, without its parameters.
        sql: String,
    },
}

/// The file of a shop, open for writing.
#[derive(Debug)]
pub struct EmbeddedShop {
    conn: Connection,
}

impl EmbeddedShop {
    /// Opens the shop at `path`, and creates its tables if the file holds none.
    pub fn open(path: &Path) -> Result<Self, EmbeddedError> {
        let failed = |cause| EmbeddedError::Open {
            path: path.to_owned(),
            cause,
        };
        let conn = Connection::open(path).map_err(failed)?;
        conn.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        // Losing the last second in a power cut does not matter for a simulated shop, but speed does. The cache (up
        // to 64 MiB) holds the inner pages of a large shop's indexes.
        conn.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536",
        )
        .map_err(failed)?;
        for statement in schema::session_statements(Dialect::Sqlite) {
            conn.execute_batch(statement).map_err(failed)?;
        }
        let mut shop = Self { conn };
        if !shop.has_tables().map_err(failed)? {
            let create = schema::create_statements(Dialect::Sqlite, "", Edition::Full).into_iter();
            shop.commit(
                &create
                    .map(|sql| Statement { sql, params: vec![] })
                    .collect::<Vec<_>>(),
            )?;
        }
        Ok(shop)
    }

    /// Commits statements as one transaction.
    pub fn commit(&mut self, statements: &[Statement]) -> Result<(), EmbeddedError> {
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|cause| failed("BEGIN", cause))?;
        for statement in statements {
            tx.prepare_cached(&statement.sql)
                .and_then(|mut prepared| prepared.execute(params_from_iter(&statement.params)))
                .map_err(|cause| failed(&statement.sql, cause))?;
        }
        tx.commit().map_err(|cause| failed("COMMIT", cause))
    }

    /// Returns the first id that no table has used, from which a shop continues in an existing file. 1 in an empty
    /// file.
    pub fn next_free_id(&self) -> Result<i64, EmbeddedError> {
        let named = TABLES.iter().filter(|table| !table.name.starts_with("store"));
        let names: Vec<String> = named.map(|table| format!("'{}'", table.name)).collect();
        let sql = format!(
            "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name IN ({})",
            names.join(",")
        );
        self.conn
            .query_row(&sql, [], |row| row.get(0))
            .map_err(|cause| failed(&sql, cause))
    }

    /// Returns true if there are no store views yet.
    pub fn is_empty(&self) -> Result<bool, EmbeddedError> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM store)";
        self.conn
            .query_row(sql, [], |row| row.get(0))
            .map_err(|cause| failed(sql, cause))
    }

    fn has_tables(&self) -> rusqlite::Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sales_order')";
        self.conn.query_row(sql, [], |row| row.get(0))
    }
}

fn failed(sql: &str, cause: rusqlite::Error) -> EmbeddedError {
    EmbeddedError::Statement {
        cause,
        sql: sql.to_owned(),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(SqliteValue::Null),
            Self::Int(number) => ToSqlOutput::Owned(SqliteValue::Integer(*number)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}
