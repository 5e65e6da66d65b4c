//! A connection in use: every statement has two time limits.
//!
//! The server ends a statement at its limit, so that a slow or locked table costs it no more than that, and the connection
//! stays usable. A server, proxy or network that no longer answers cannot do that, so the wait ends here a little later.
//! That leaves the connection in an unknown state, and packets of the others may be lost as well: the whole pool is
//! replaced then, and the new one opens new connections.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Params};
use tokio::sync::SemaphorePermit;

use crate::commerce::mysql::connect::MysqlConnector;
use crate::commerce::read::cells::{CellRef, SourceRow};
use crate::commerce::source::SourceError;

/// The longest time for a statement that has no limit of its own, reading its rows included.
const STATEMENT_LIMIT: Duration = Duration::from_secs(120);
/// Time after the server's limit at which the connection is given up.
const GRACE: Duration = Duration::from_secs(2);
/// Errors of a statement that the server ended: its time limit in MariaDB and MySQL, and the limit of a wait for a lock.
const TOO_SLOW: [u16; 3] = [1969, 3024, 1205];

/// A connection in use, with time limits and translated errors.
pub(crate) struct MysqlSession<'a> {
    connector: &'a MysqlConnector,
    conn: Conn,
    // After the connection, which must be free before another session may open one.
    _permit: SemaphorePermit<'a>,
}

impl MysqlConnector {
    /// Opens a read-only session.
    pub(crate) async fn session(&self) -> Result<MysqlSession<'_>, SourceError> {
        let (conn, permit) = self.connection().await?;
        Ok(MysqlSession {
            connector: self,
            conn,
            _permit: permit,
        })
    }
}

impl MysqlSession<'_> {
    /// Executes a statement and passes every row to `take`.
    pub(crate) async fn rows(
        &mut self,
        sql: &str,
        take: impl FnMut(MysqlRow) + Send,
    ) -> Result<(), SourceError> {
        self.rows_within(STATEMENT_LIMIT, sql, take).await
    }

    /// Executes a statement with a time limit of its own.
    ///
    /// # Errors
    /// `TooSlow` at the limit.
    pub(crate) async fn rows_within(
        &mut self,
        limit: Duration,
        sql: &str,
        mut take: impl FnMut(MysqlRow) + Send,
    ) -> Result<(), SourceError> {
        let (conn, sql) = (&mut self.conn, limited(sql, limit));
        let done = within(limit, async {
            conn.query_iter(&*sql)
                .await?
                .for_each_and_drop(|row| take(MysqlRow(row)))
                .await
        });
        let done = done.await;
        self.translate(done, limit)
    }

    /// Executes a statement with parameters, by the binary protocol: for text that must not be part of the statement.
    pub(crate) async fn rows_with(
        &mut self,
        sql: &str,
        params: Params,
        mut take: impl FnMut(MysqlRow) + Send,
    ) -> Result<(), SourceError> {
        let (conn, sql) = (&mut self.conn, limited(sql, STATEMENT_LIMIT));
        let done = within(STATEMENT_LIMIT, async {
            conn.exec_iter(&*sql, params)
                .await?
                .for_each_and_drop(|row| take(MysqlRow(row)))
                .await
        });
        let done = done.await;
        self.translate(done, STATEMENT_LIMIT)
    }

    /// Executes a statement, drops its rows, and returns the number of rows that it changed.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<u64, SourceError> {
        let (conn, sql) = (&mut self.conn, limited(sql, STATEMENT_LIMIT));
        let done = within(STATEMENT_LIMIT, async { conn.query_drop(&*sql).await }).await;
        self.translate(done, STATEMENT_LIMIT)?;
        Ok(self.conn.affected_rows())
    }

    /// Executes a statement and returns the server's error code if it refuses it, else `None`.
    pub(crate) async fn refusal(&mut self, sql: &str) -> Result<Option<u16>, SourceError> {
        let (conn, sql) = (&mut self.conn, limited(sql, STATEMENT_LIMIT));
        match within(STATEMENT_LIMIT, async { conn.query_drop(&*sql).await }).await {
            Err(QueryFailure::Database(Error::Server(refusal))) if !TOO_SLOW.contains(&refusal.code) => {
                Ok(Some(refusal.code))
            }
            done => self.translate(done, STATEMENT_LIMIT).map(|()| None),
        }
    }

    /// Returns the error that the database cannot be used now.
    pub(crate) fn unavailable(&self, cause: &str) -> SourceError {
        self.connector.database().unavailable(cause)
    }

    fn translate(&self, done: Result<(), QueryFailure>, limit: Duration) -> Result<(), SourceError> {
        let database = self.connector.database();
        let too_slow = || SourceError::TooSlow {
            message: format!(
                "the database {} at {} ended a statement that took longer than {limit:?} (a locked table, or an overloaded \
                 server)",
                database.database, database.address
            ),
        };
        match done {
            Ok(()) => Ok(()),
            Err(QueryFailure::Database(Error::Server(cause))) if TOO_SLOW.contains(&cause.code) => {
                Err(too_slow())
            }
            Err(QueryFailure::Database(cause)) => Err(self.connector.explain(&cause)),
            Err(QueryFailure::NoAnswer) => {
                // The other connections of the pool may hang behind the same network.
                self.connector.renew();
                Err(database.unavailable(&format!("no answer within {:?}", limit + GRACE)))
            }
        }
    }
}

enum QueryFailure {
    Database(Error),
    NoAnswer,
}

async fn within(limit: Duration, work: impl Future<Output = Result<(), Error>>) -> Result<(), QueryFailure> {
    match tokio::time::timeout(limit + GRACE, work).await {
        Ok(done) => done.map_err(QueryFailure::Database),
        Err(_) => Err(QueryFailure::NoAnswer),
    }
}

/// Adds the server's time limit to a SELECT. MariaDB executes the comment that MySQL skips, and MySQL reads the hint that
/// MariaDB skips.
fn limited(sql: &str, limit: Duration) -> Cow<'_, str> {
    match sql.strip_prefix("SELECT ") {
        Some(rest) => format!(
            "/*M!100100 SET STATEMENT max_statement_time={} FOR */ SELECT /*+ MAX_EXECUTION_TIME({}) */ {rest}",
            limit.as_secs_f64(),
            limit.as_millis()
        )
        .into(),
        None => sql.into(),
    }
}

/// A row of the driver.
pub(crate) struct MysqlRow(mysql_async::Row);

impl SourceRow for MysqlRow {
    fn cell(&self, index: usize) -> CellRef<'_> {
        use mysql_async::Value;
        match self.0.as_ref(index) {
            Some(Value::Bytes(text)) => CellRef::Text(text),
            Some(Value::Int(value)) => CellRef::Int(*value),
            // Ids are at most `bigint unsigned`, and no table reaches the upper half.
            Some(Value::UInt(value)) => i64::try_from(*value).map_or(CellRef::Null, CellRef::Int),
            Some(Value::Float(value)) => CellRef::Real(f64::from(*value)),
            Some(Value::Double(value)) => CellRef::Real(*value),
            // The text protocol sends dates and times as text; the statements with parameters select none.
            Some(Value::Date(..) | Value::Time(..) | Value::NULL) | None => CellRef::Null,
        }
    }

    fn take_text(&mut self, index: usize) -> Option<String> {
        match self.0.take::<mysql_async::Value, _>(index)? {
            mysql_async::Value::Bytes(bytes) => Some(match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(invalid) => String::from_utf8_lossy(invalid.as_bytes()).into_owned(),
            }),
            mysql_async::Value::Int(value) => Some(value.to_string()),
            mysql_async::Value::UInt(value) => Some(value.to_string()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_select_has_the_limit_of_either_server() {
        assert_eq!(
            limited("SELECT 1", Duration::from_millis(1500)),
            "/*M!100100 SET STATEMENT max_statement_time=1.5 FOR */ SELECT /*+ MAX_EXECUTION_TIME(1500) */ 1"
        );
        assert_eq!(limited("COMMIT", Duration::from_secs(1)), "COMMIT");
    }
}
