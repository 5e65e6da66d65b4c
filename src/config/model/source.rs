//! Where orders come from.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::config::values::{Choice, HumanDuration};

/// `[source]`. Only the table that `kind` names is in force; the other keeps its defaults.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Which of the sources is used.
    pub kind: SourceKind,
    /// `[source.mysql]`.
    pub mysql: MysqlSource,
    /// `[source.sqlite]`.
    pub sqlite: SqliteSource,
}

/// Which source is used. `rest` is reserved and refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SourceKind {
    /// MySQL 8 or MariaDB with the Commerce schema.
    #[default]
    Mysql,
    /// A SQLite file with the Commerce tables.
    Sqlite,
}

/// `[source.mysql]`. `url` is given as its parts.
#[derive(Clone, Debug)]
pub struct MysqlSource {
    /// Host name or address. Empty only where the source is another one.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// A Unix socket (`?socket=/path` in the url) to use instead of host and port.
    pub socket: Option<PathBuf>,
    /// Account.
    pub user: String,
    /// The account's password; none means a login without one.
    pub password: Option<SecretString>,
    /// Schema that holds the Commerce tables.
    pub database: String,
    /// What every table name starts with, often nothing.
    pub table_prefix: String,
    /// How changes are noticed.
    pub capture: Capture,
    /// Pause between two looks for changes.
    pub poll_interval: HumanDuration,
    /// How far behind its cursor a poll reads again, for transactions that commit late.
    pub poll_overlap: HumanDuration,
    /// Pause between two comparisons of the open returns, whose table does not say when a row changed.
    pub returns_interval: HumanDuration,
    /// Longest wait for a connection.
    pub connect_timeout: HumanDuration,
    /// Most connections open at once.
    pub max_connections: u32,
    /// `[source.mysql.tls]`.
    pub tls: MysqlTls,
}

/// How changes in MySQL are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Capture {
    /// By reading indexed `updated_at`/`created_at`/id columns; needs SELECT only.
    #[default]
    Poll,
    /// By reading the instance's own `sales_order_data_exporter_v2_cl`.
    Changelog,
    /// By triggers that `orderfeed source triggers install` put in place.
    Triggers,
}

/// `[source.mysql.tls]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MysqlTls {
    /// Whether the connection is encrypted.
    pub mode: TlsMode,
    /// PEM file with the certificate authorities to trust; none means the built-in ones.
    pub ca_file: Option<PathBuf>,
}

/// Whether the connection to MySQL is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// Never.
    Disabled,
    /// Where the server offers it; the certificate is verified only where `ca_file` is given.
    #[default]
    Preferred,
    /// Always, and the server's certificate is verified; a server that does not offer it is refused.
    Required,
}

/// `[source.sqlite]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteSource {
    /// The file; a relative path starts at the configuration file's directory.
    pub path: PathBuf,
    /// Pause between two looks for changes.
    pub poll_interval: HumanDuration,
}

impl Default for MysqlSource {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 3306,
            socket: None,
            user: String::new(),
            password: None,
            database: String::new(),
            table_prefix: String::new(),
            capture: Capture::default(),
            poll_interval: HumanDuration::from_secs(2),
            poll_overlap: HumanDuration::from_secs(120),
            returns_interval: HumanDuration::from_secs(60),
            connect_timeout: HumanDuration::from_secs(5),
            max_connections: 4,
            tls: MysqlTls::default(),
        }
    }
}

impl Default for SqliteSource {
    fn default() -> Self {
        Self {
            path: PathBuf::from("commerce.db"),
            poll_interval: HumanDuration::from_millis(200),
        }
    }
}

impl Choice for SourceKind {
    const NAMES: &'static [(&'static str, Self)] = &[("mysql", Self::Mysql), ("sqlite", Self::Sqlite)];
}

impl Choice for Capture {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("poll", Self::Poll),
        ("changelog", Self::Changelog),
        ("triggers", Self::Triggers),
    ];
}

impl Choice for TlsMode {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("disabled", Self::Disabled),
        ("preferred", Self::Preferred),
        ("required", Self::Required),
    ];
}
