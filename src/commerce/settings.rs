//! What a source is told at its start: plain values, already validated by whoever read the configuration.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// How changes are noticed in a MySQL or MariaDB database. `docs/SOURCE.md` weighs them against each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capture {
    /// Reads `updated_at` and growing keys. Needs nothing but SELECT.
    #[default]
    Poll,
    /// Reads the instance's own `sales_order_data_exporter_v2_cl`.
    Changelog,
    /// Reads the log that our own triggers write; see [`crate::commerce::changes::triggers`].
    Triggers,
}

/// Whether the connection to the database is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    Disabled,
    /// If the server offers it. Without a CA file the certificate is not verified, as in MySQL's own client.
    #[default]
    Preferred,
    /// Always, with a certificate that the CA file (or, without one, the web's roots) vouches for.
    Required,
}

/// How to reach a MySQL or MariaDB database with the Commerce schema. Its `Debug` leaves the URL out: it may hold a
/// password.
#[derive(Clone)]
pub struct MysqlSettings {
    /// `mysql://user@host:port/database`, optionally `?socket=/path`.
    pub url: String,
    /// The account's password; wins over one in the URL.
    pub password: Option<SecretString>,
    /// What every table name starts with, often nothing. Letters, digits and underscores.
    pub table_prefix: String,
    /// How changes are noticed.
    pub capture: Capture,
    /// How late a transaction may commit and still be noticed by itself.
    pub poll_overlap: Duration,
    /// How often polling compares the open returns, which have no time of change.
    pub returns_interval: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long one statement may take, reading its rows included.
    pub read_timeout: Duration,
    /// Encryption.
    pub tls: TlsMode,
    /// PEM file with the certificates that the server's is verified against.
    pub ca_file: Option<PathBuf>,
    /// The most connections at a time, at least 1.
    pub max_connections: usize,
}

impl MysqlSettings {
    /// The documented defaults for `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            table_prefix: String::new(),
            capture: Capture::default(),
            poll_overlap: Duration::from_secs(120),
            returns_interval: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(60),
            tls: TlsMode::default(),
            ca_file: None,
            max_connections: 4,
        }
    }
}

impl fmt::Debug for MysqlSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlSettings")
            .field("table_prefix", &self.table_prefix)
            .field("capture", &self.capture)
            .field("poll_overlap", &self.poll_overlap)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// Where the embedded store is.
#[derive(Clone, Debug)]
pub struct SqliteSettings {
    /// The database file with the Commerce tables.
    pub path: PathBuf,
}
