//! Connections: the pool, session settings. Connecting and waiting for a free connection have a limit, and
//! sessions have those of statements.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mysql_async::{Conn, DriverError, Error, OptsBuilder, Pool, PoolConstraints, PoolOpts};
use secrecy::ExposeSecret;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use crate::commerce::examination::Protection;
use crate::commerce::mysql::budget::ConnectionBudget;
use crate::commerce::mysql::certificate;
use crate::commerce::mysql::encryption::Encryption;
use crate::commerce::mysql::error::{self, DatabaseInfo};
use crate::commerce::source::SourceError;
use crate::config::MysqlConfig;

/// The settings of every session, in one statement. UTC, because TIMESTAMP columns follow the session's time zone. No
/// ANSI quotes or other modes that would change the meaning of the SQL. MariaDB turns long lists of ids into a temporary
/// table, which is slower than the index; only MariaDB reads the last comment.
const SESSION: &str = "SET time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES', character_set_results = utf8mb4, \
     character_set_client = utf8mb4, character_set_connection = utf8mb4, net_write_timeout = 60, autocommit = 1 \
     /*M!100313 , in_predicate_conversion_threshold = 0 */";
/// Read-only transactions, each from one snapshot. Installing triggers sets another mode explicitly.
const READ_ONLY: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// The longest wait for a connection that other work uses.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// Pause before another attempt, after the server refused a connection beyond the account's limit.
const REFUSAL_PAUSE: Duration = Duration::from_millis(100);

/// A pool of connections to one database. Its `Debug` shows only the address, because the settings may hold a password.
pub(crate) struct MysqlConnector {
    settings: MysqlConfig,
    database: DatabaseInfo,
    pool: Mutex<Option<Pool>>,
    encryption: Encryption,
    budget: ConnectionBudget,
}

impl MysqlConnector {
    /// Creates the pool, without connecting.
    pub(crate) fn new(settings: MysqlConfig) -> Result<Self, SourceError> {
        let url = &settings.url;
        let address = match &url.socket {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", url.host, url.port),
        };
        let database = DatabaseInfo {
            user: url.user.clone(),
            address,
            database: url.database.clone(),
            prefix: settings.table_prefix.to_string(),
            max_connections: settings.max_connections,
        };
        Ok(Self {
            encryption: Encryption::new(&settings)?,
            budget: ConnectionBudget::new(settings.max_connections),
            settings,
            database,
            pool: Mutex::new(None),
        })
    }

    pub(crate) fn database(&self) -> &DatabaseInfo {
        &self.database
    }

    /// Returns the number of connections that may be open at once.
    pub(crate) fn size(&self) -> usize {
        self.budget.size()
    }

    pub(crate) fn protection(&self) -> Protection {
        self.encryption.protection()
    }

    /// Opens a connection for a read-only session. The permit must outlive it.
    pub(super) async fn connection(&self) -> Result<(Conn, SemaphorePermit<'_>), SourceError> {
        let mut deadline = None;
        loop {
            let permit = tokio::time::timeout(LONGEST_WAIT, self.budget.permit()).await;
            let Ok(Some(permit)) = permit else {
                let cause = format!("no free connection within {LONGEST_WAIT:?}");
                return Err(self.database.unavailable(&cause));
            };
            let cause = match self.open().await {
                Ok(conn) => {
                    return Ok((conn, permit));
                }
                Err(cause) => cause,
            };
            let now = Instant::now();
            let deadline = *deadline.get_or_insert(now + self.settings.connect_timeout.get());
            if !is_beyond_limit(&cause) || now >= deadline {
                return Err(self.with_issuer(self.explain(&cause), &cause).await);
            }
            if self.budget.lower(permit) {
                self.log_lowered(&cause);
            }
            tokio::time::sleep(REFUSAL_PAUSE).await;
        }
    }

    fn log_lowered(&self, cause: &Error) {
        tracing::warn!(
            log_code = "OF03-06",
            connections = self.budget.size(),
            max_connections = self.settings.max_connections,
            error = %cause,
            remedy = "raise MAX_USER_CONNECTIONS of the account at the server, or lower source.mysql.max_connections",
            "The account may open fewer connections than source.mysql.max_connections; capture and backfills share those \
             that it may open"
        );
    }

    /// Opens a connection. A server that offers no encryption, or requires it again, is asked a second time.
    async fn open(&self) -> Result<Conn, Error> {
        if self.encryption.retry_if_due() {
            self.renew();
        }
        match self.connect().await {
            Err(Error::Driver(DriverError::NoClientSslFlagFromServer)) if self.encryption.fall_back() => {
                self.renew();
                self.connect().await
            }
            // The server or the account may require encryption by now.
            Err(refused @ Error::Server(_)) if !is_beyond_limit(&refused) && self.encryption.retry() => {
                self.renew();
                match self.connect().await {
                    Err(Error::Driver(DriverError::NoClientSslFlagFromServer)) => {
                        self.encryption.fall_back();
                        self.renew();
                        Err(refused)
                    }
                    other => other,
                }
            }
            other => other,
        }
    }

    async fn connect(&self) -> Result<Conn, Error> {
        let pool = self.pool();
        let limit = self.settings.connect_timeout.get();
        match tokio::time::timeout(limit, pool.get_conn()).await {
            Ok(done) => done,
            Err(_) => {
                self.renew();
                Err(std::io::Error::new(
                    std::io::ErrorKind::TimedOut,
                    format!("no connection within {limit:?}"),
                )
                .into())
            }
        }
    }

    /// Translates an error of the driver, and prepares the next connection.
    pub(crate) fn explain(&self, cause: &Error) -> SourceError {
        let was_plain = self.encryption.is_plain();
        // After a restart the server may offer encryption; and the CA file may have been replaced.
        let is_lost = matches!(cause, Error::Io(_));
        if is_lost && (self.encryption.retry() || self.encryption.options().is_some()) {
            self.renew();
        }
        self.database.explain(cause, was_plain)
    }

    /// Adds the issuer of a certificate that is not trusted, and the authorities that are.
    async fn with_issuer(&self, mut error: SourceError, cause: &Error) -> SourceError {
        if let SourceError::Misconfigured { message, .. } = &mut error
            && error::refused_certificate(cause).is_some_and(error::is_about_the_issuer)
            && let Some(issuer) = certificate::issuer(&self.settings.url.host, self.settings.url.port).await
        {
            let trusted = match &self.settings.tls.ca_file {
                Some(file) => format!("authorities in source.mysql.tls.ca_file {}", file.display()),
                None => "public authorities".to_owned(),
            };
            message.push_str(&format!(
                "; the certificate was issued by \"{issuer}\", trusted are the {trusted}"
            ));
        }
        error
    }

    fn pool(&self) -> Pool {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.get_or_insert_with(|| Pool::new(self.options())).clone()
    }

    /// Drops the pool, so that the next session gets a new one. Sessions in use keep the old one until they end.
    pub(crate) fn renew(&self) {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn options(&self) -> OptsBuilder {
        let constraints = PoolConstraints::new(0, self.settings.max_connections.max(1)).unwrap_or_default();
        let pool = PoolOpts::new()
            .with_constraints(constraints)
            // A reset costs three more statements per use, and the settings of a session stay as they are.
            .with_reset_connection(false)
            .with_inactive_connection_ttl(Duration::from_secs(60));
        let url = &self.settings.url;
        let builder = OptsBuilder::default()
            .ip_or_hostname(&url.host)
            .tcp_port(url.port)
            .socket(url.socket.as_ref().map(|path| path.display().to_string()))
            .user(Some(&url.user))
            .db_name(Some(&url.database))
            // The driver would prefer a socket on the same host, where the server may hold another account of that name.
            .prefer_socket(false)
            .pool_opts(pool)
            .tcp_keepalive(Some(Duration::from_secs(30)))
            .setup(vec![READ_ONLY, SESSION])
            .ssl_opts(self.encryption.options());
        match &self.settings.password {
            Some(password) => builder.pass(Some(password.expose_secret())),
            None => builder,
        }
    }
}

/// Returns true if the server refused a connection because the account has too many of them.
fn is_beyond_limit(error: &Error) -> bool {
    matches!(error, Error::Server(refusal) if error::is_beyond_limit(refusal))
}

impl fmt::Debug for MysqlConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}
