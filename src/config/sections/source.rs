//! `[source]`: the system that orders are read from.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::config::fields::{Below, DurationIn, FilePath, Int, OrEmpty, Parse, Secret, SecretUrl, table};
use crate::config::reader::ConfigReader;
use crate::config::sections::rest::RestConfig;
use crate::config::values::{HumanDuration, MysqlUrl, TablePrefix, choices};

table! {
    /// `[source]`. Only the table that `kind` names is in force.
    #[derive(Clone, Debug)]
    pub struct SourceConfig {
        pub kind: SourceKind = Parse(str::parse),
        pub mysql: MysqlConfig = Below,
        pub sqlite: SqliteConfig = Below,
        pub rest: RestConfig = Below,
    }
}

choices! {
    /// The kind of source.
    #[derive(Default)]
    pub enum SourceKind {
        #[default]
        /// MySQL 8 or MariaDB with the Commerce schema.
        Mysql = "mysql",
        /// A SQLite file with the Commerce tables.
        Sqlite = "sqlite",
        /// The REST API of a shop.
        Rest = "rest",
    }
}

table! {
    /// `[source.mysql]`: a Commerce database in MySQL or MariaDB.
    #[derive(Clone, Debug)]
    pub struct MysqlConfig {
        /// Empty only where the source is another one.
        pub url: MysqlUrl = SecretUrl(str::parse),
        /// The account's password, also if it was given in the URL. `None` means a login without one.
        pub password: Option<SecretString> = Secret,
        pub table_prefix: TablePrefix = OrEmpty(str::parse),
        pub capture: CaptureMode = Parse(str::parse),
        pub poll_interval: HumanDuration = DurationIn("10ms", "1h"),
        /// The longest time that a transaction may take to commit and still be noticed by polling.
        pub poll_overlap: HumanDuration = DurationIn("0s", "1d"),
        pub returns_interval: HumanDuration = DurationIn("5s", "1d"),
        pub connect_timeout: HumanDuration = DurationIn("100ms", "5m"),
        pub max_connections: usize = Int(1, 100),
        pub tls: MysqlTls = Below,
    }
}

choices! {
    /// The way changes in a MySQL or MariaDB database are captured. `docs/SOURCE.md` compares the three.
    pub enum CaptureMode {
        /// Polls `updated_at` and growing keys. Needs SELECT only.
        Poll = "poll",
        /// Reads the instance's own `sales_order_data_exporter_v2_cl`.
        Changelog = "changelog",
        /// Reads the log that orderfeed's triggers write; `orderfeed source triggers install` creates them.
        Triggers = "triggers",
    }
}

table! {
    /// `[source.mysql.tls]`: encryption of the connection to the database.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct MysqlTls {
        pub mode: TlsMode = Parse(str::parse),
        /// Certificate authorities to trust instead of the built-in ones.
        pub ca_file: Option<PathBuf> = FilePath,
    }
}

choices! {
    /// Encryption of the connection to MySQL.
    pub enum TlsMode {
        Disabled = "disabled",
        /// Always, except on this host with a server that does not offer it. The certificate is verified only where `ca_file` is
        /// set, as in MySQL's own client.
        Preferred = "preferred",
        /// Always, with a certificate of an authority of `ca_file`, for any host.
        VerifyCa = "verify-ca",
        /// Always, with a verified certificate. A server that does not offer it is refused.
        Required = "required",
    }
}

table! {
    /// `[source.sqlite]`: a file with the Commerce tables.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SqliteConfig {
        pub path: PathBuf = FilePath,
        pub poll_interval: HumanDuration = DurationIn("10ms", "1h"),
    }
}

impl MysqlTls {
    /// Returns the mode that applies: a CA file makes no sense without a verified certificate.
    pub fn mode_in_force(&self) -> TlsMode {
        match (self.mode, &self.ca_file) {
            (TlsMode::Preferred, Some(_)) => TlsMode::Required,
            (mode, _) => mode,
        }
    }
}

impl SourceConfig {
    pub(super) fn check(&self, reader: &mut ConfigReader<'_>) {
        let url = "source.mysql.url";
        // A misspelt kind may have meant the other source.
        if self.kind == SourceKind::Mysql && !reader.is_refused("source.kind") && reader.text(url).is_none() {
            let expected = format!("the address of the Commerce database, {}", MysqlUrl::FORM);
            reader.missing(url, &expected);
        }
        if self.kind == SourceKind::Rest {
            self.rest.check(reader);
        }
        let tls = &self.mysql.tls;
        if tls.mode == TlsMode::Disabled && tls.ca_file.is_some() {
            let message =
                "is given although source.mysql.tls.mode = \"disabled\"; remove it, or set \"required\"";
            reader.problem("source.mysql.tls.ca_file", message);
        }
        if tls.mode == TlsMode::VerifyCa && tls.ca_file.is_none() {
            // A public authority gives a certificate to anyone, so that without a name it proves nothing.
            let expected = "the PEM file of the authority that source.mysql.tls.mode = \"verify-ca\" trusts";
            reader.missing("source.mysql.tls.ca_file", expected);
        }
    }
}
