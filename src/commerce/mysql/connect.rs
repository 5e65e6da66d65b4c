//! Connections: the pool, encryption, what every session is told, time limits.
//!
//! Every wait has an end: connecting, waiting for a free connection, and each statement with its rows. A statement that
//! ran out of time leaves a connection in an unknown state behind a network that may be a black hole, so the whole pool
//! is replaced then; its successor connects afresh.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{
    Conn, DriverError, Error, Opts, OptsBuilder, Params, Pool, PoolConstraints, PoolOpts, SslOpts,
};
use secrecy::ExposeSecret;

use crate::commerce::mysql::error::Place;
use crate::commerce::read::cells::{Cell, Row};
use crate::commerce::settings::{MysqlSettings, TlsMode};
use crate::commerce::source::SourceError;

/// What every session is told, in one statement. UTC, because TIMESTAMP columns follow the session's zone. No ANSI
/// quotes and other modes that would change what our SQL means. MariaDB turns long lists of ids into a temporary table,
/// which is slower than the index that we want; only MariaDB reads the last comment.
const SESSION: &str = "SET time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES', character_set_results = utf8mb4, \
     character_set_client = utf8mb4, character_set_connection = utf8mb4, net_write_timeout = 60, autocommit = 1 \
     /*M!100313 , in_predicate_conversion_threshold = 0 */";
/// Reads only, all from one snapshot a transaction. A trigger installation asks for more explicitly.
const READ_ONLY: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Makes sessions. Its `Debug` says only where to: the driver's options hold the password in the clear.
pub(crate) struct Connector {
    settings: MysqlSettings,
    opts: Opts,
    place: Place,
    pool: Mutex<Option<Pool>>,
    without_tls: AtomicBool,
}

impl Connector {
    /// Checks the settings; connects to nothing yet.
    pub(crate) fn new(settings: MysqlSettings) -> Result<Self, SourceError> {
        let opts = Opts::from_url(&settings.url).map_err(|cause| wrong_url(&cause))?;
        let (Some(database), Some(user)) = (opts.db_name(), opts.user()) else {
            return Err(SourceError::Misconfigured {
                message: "source.mysql.url names no database or no user".into(),
                remedy: "write it as mysql://user@host:3306/database".into(),
            });
        };
        if !settings
            .table_prefix
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            return Err(SourceError::Misconfigured {
                message: format!(
                    "source.mysql.table_prefix = {:?} is not a prefix of table names",
                    settings.table_prefix
                ),
                remedy: "use letters, digits and underscores, as in the instance's app/etc/env.php".into(),
            });
        }
        if let Some(file) = &settings.ca_file {
            std::fs::File::open(file).map_err(|cause| SourceError::Misconfigured {
                message: format!(
                    "source.mysql.ca_file = {:?} cannot be read: {cause}",
                    file.display().to_string()
                ),
                remedy: "name the PEM file with the authority's certificate, readable by this account".into(),
            })?;
        }
        let address = match opts.socket() {
            Some(socket) => socket.to_owned(),
            None => format!("{}:{}", opts.ip_or_hostname(), opts.tcp_port()),
        };
        let place = Place {
            user: user.to_owned(),
            address,
            database: database.to_owned(),
            prefix: settings.table_prefix.clone(),
        };
        let without_tls = AtomicBool::new(settings.tls == TlsMode::Disabled);
        Ok(Self {
            settings,
            opts,
            place,
            pool: Mutex::new(None),
            without_tls,
        })
    }

    /// Names for messages.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// A session that only reads.
    pub(crate) async fn session(&self) -> Result<Session<'_>, SourceError> {
        let conn = match self.connect().await {
            Err(Error::Driver(DriverError::NoClientSslFlagFromServer))
                if self.settings.tls == TlsMode::Preferred =>
            {
                self.without_tls.store(true, Ordering::Relaxed);
                self.renew();
                self.connect().await
            }
            other => other,
        };
        let conn = conn.map_err(|cause| self.place.explain(&cause))?;
        Ok(Session {
            connector: self,
            conn,
        })
    }

    async fn connect(&self) -> Result<Conn, Error> {
        let pool = self.pool();
        match tokio::time::timeout(self.settings.connect_timeout, pool.get_conn()).await {
            Ok(done) => done,
            Err(_) => {
                self.renew();
                let limit = self.settings.connect_timeout;
                Err(std::io::Error::new(
                    std::io::ErrorKind::TimedOut,
                    format!("no connection within {limit:?}"),
                )
                .into())
            }
        }
    }

    fn pool(&self) -> Pool {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.get_or_insert_with(|| Pool::new(self.options())).clone()
    }

    /// The next session comes from a new pool; the old one goes when its last connection does.
    fn renew(&self) {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn options(&self) -> OptsBuilder {
        let constraints = PoolConstraints::new(0, self.settings.max_connections.max(1)).unwrap_or_default();
        let pool = PoolOpts::new()
            .with_constraints(constraints)
            .with_inactive_connection_ttl(Duration::from_secs(60));
        let builder = OptsBuilder::from_opts(self.opts.clone())
            // Asking for a host must not end at a socket, where the server may know the account under another name.
            .prefer_socket(false)
            .pool_opts(pool)
            .tcp_keepalive(Some(Duration::from_secs(30)))
            .setup(vec![READ_ONLY, SESSION])
            .ssl_opts(self.tls());
        match &self.settings.password {
            Some(password) => builder.pass(Some(password.expose_secret())),
            None => builder,
        }
    }

    fn tls(&self) -> Option<SslOpts> {
        if self.without_tls.load(Ordering::Relaxed) || self.opts.socket().is_some() {
            return None;
        }
        // Whoever came first chose the same provider, or one that serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let opts = SslOpts::default();
        Some(match &self.settings.ca_file {
            Some(file) => opts
                .with_root_certs(vec![file.clone().into()])
                .with_disable_built_in_roots(true),
            None if self.settings.tls == TlsMode::Preferred => opts
                .with_danger_accept_invalid_certs(true)
                .with_danger_skip_domain_validation(true),
            None => opts,
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A connection in use, with time limits and our errors.
pub(crate) struct Session<'a> {
    connector: &'a Connector,
    conn: Conn,
}

impl Session<'_> {
    /// Gives every row of a statement to `take`.
    pub(crate) async fn rows(
        &mut self,
        sql: &str,
        mut take: impl FnMut(MysqlRow) + Send,
    ) -> Result<(), SourceError> {
        let limit = self.connector.settings.read_timeout;
        let conn = &mut self.conn;
        let done = limited(limit, async {
            conn.query_iter(sql)
                .await?
                .for_each_and_drop(|row| take(MysqlRow(row)))
                .await
        });
        let done = done.await;
        self.judge(done)
    }

    /// The same with parameters, by the binary protocol: for text that must not stand in the statement.
    pub(crate) async fn rows_with(
        &mut self,
        sql: &str,
        params: Params,
        mut take: impl FnMut(MysqlRow) + Send,
    ) -> Result<(), SourceError> {
        let limit = self.connector.settings.read_timeout;
        let conn = &mut self.conn;
        let done = limited(limit, async {
            conn.exec_iter(sql, params)
                .await?
                .for_each_and_drop(|row| take(MysqlRow(row)))
                .await
        });
        let done = done.await;
        self.judge(done)
    }

    /// Executes a statement whose rows, if any, do not matter; returns how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &str) -> Result<u64, SourceError> {
        let limit = self.connector.settings.read_timeout;
        let conn = &mut self.conn;
        let done = limited(limit, async { conn.query_drop(sql).await }).await;
        self.judge(done)?;
        Ok(self.conn.affected_rows())
    }

    /// Whether the server takes a statement: `None`, or the number of its error.
    pub(crate) async fn refusal(&mut self, sql: &str) -> Result<Option<u16>, SourceError> {
        let limit = self.connector.settings.read_timeout;
        let conn = &mut self.conn;
        match limited(limit, async { conn.query_drop(sql).await }).await {
            Err(Failed::Database(Error::Server(refusal))) => Ok(Some(refusal.code)),
            done => self.judge(done).map(|()| None),
        }
    }

    fn judge(&self, done: Result<(), Failed>) -> Result<(), SourceError> {
        match done {
            Ok(()) => Ok(()),
            Err(Failed::Database(cause)) => Err(self.connector.place.explain(&cause)),
            Err(Failed::OutOfTime(limit)) => {
                self.connector.renew();
                Err(self
                    .connector
                    .place
                    .unavailable(&format!("no answer within {limit:?}")))
            }
        }
    }
}

enum Failed {
    Database(Error),
    OutOfTime(Duration),
}

async fn limited(limit: Duration, work: impl Future<Output = Result<(), Error>>) -> Result<(), Failed> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(Failed::Database),
        Err(_) => Err(Failed::OutOfTime(limit)),
    }
}

/// A row as the driver gives it.
pub(crate) struct MysqlRow(mysql_async::Row);

impl Row for MysqlRow {
    fn cell(&self, index: usize) -> Cell<'_> {
        use mysql_async::Value;
        match self.0.as_ref(index) {
            Some(Value::Bytes(text)) => Cell::Text(text),
            Some(Value::Int(value)) => Cell::Int(*value),
            // Ids are at most `bigint unsigned`; the upper half is beyond any table.
            Some(Value::UInt(value)) => i64::try_from(*value).map_or(Cell::Null, Cell::Int),
            Some(Value::Float(value)) => Cell::Real(f64::from(*value)),
            Some(Value::Double(value)) => Cell::Real(*value),
            // The text protocol sends moments as text; nothing here reads one by the binary protocol.
            Some(Value::Date(..) | Value::Time(..) | Value::NULL) | None => Cell::Null,
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

fn wrong_url(cause: &mysql_async::UrlError) -> SourceError {
    use mysql_async::UrlError;
    // The URL may hold a password, so the message never repeats it.
    let what = match cause {
        UrlError::UnsupportedScheme { .. } => "does not start with mysql://".to_owned(),
        UrlError::UnknownParameter { param } | UrlError::InvalidParamValue { param, .. } => {
            format!("has a parameter that is not understood: {param}")
        }
        _ => "cannot be understood".to_owned(),
    };
    SourceError::Misconfigured {
        message: format!("source.mysql.url {what}"),
        remedy: "write it as mysql://user@host:3306/database".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_url_is_refused_without_being_repeated() {
        for url in [
            "mysql://feed:s3cret@db",
            "postgres://feed:s3cret@db/shop",
            "mysql://feed:s3cret@db/shop?x=1",
            "s3cret",
        ] {
            let error = Connector::new(MysqlSettings::new(url)).unwrap_err();
            assert!(matches!(error, SourceError::Misconfigured { .. }), "{error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn nothing_that_is_printed_for_a_debugger_holds_the_password() {
        let settings = MysqlSettings {
            password: Some("s3cret".to_owned().into()),
            ..MysqlSettings::new("mysql://feed:s3cret@db/shop")
        };
        let text = format!("{settings:?} {:?}", Connector::new(settings.clone()).unwrap());
        assert!(!text.contains("s3cret") && text.contains("shop"), "{text}");
    }

    #[test]
    fn a_prefix_that_would_be_sql_is_refused() {
        let settings = MysqlSettings {
            table_prefix: "x`; --".into(),
            ..MysqlSettings::new("mysql://f@db/shop")
        };
        assert!(
            Connector::new(settings)
                .unwrap_err()
                .to_string()
                .contains("table_prefix")
        );
    }
}
