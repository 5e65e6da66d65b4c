//! Creates the configured source. Connects to nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::commerce::mysql::MysqlSource;
use crate::commerce::settings::{self, MysqlSettings, SqliteSettings};
use crate::commerce::source::{Source, SourceError};
use crate::commerce::sqlite::SqliteSource;
use crate::config::{Capture, Config, SourceKind, TlsMode};

/// Time limit of one statement.
const READ_TIMEOUT: Duration = Duration::from_secs(120);

/// Returns the configured source and its poll interval.
///
/// # Errors
/// If a setting cannot be used, such as a CA file without a certificate.
pub fn source(config: &Config) -> Result<(Arc<dyn Source>, Duration), SourceError> {
    match config.source.kind {
        SourceKind::Mysql => {
            let source = MysqlSource::new(mysql_settings(config))?;
            Ok((Arc::new(source), config.source.mysql.poll_interval.get()))
        }
        SourceKind::Sqlite => {
            let sqlite = &config.source.sqlite;
            let source = SqliteSource::open(&SqliteSettings {
                path: sqlite.path.clone(),
            })?;
            Ok((Arc::new(source), sqlite.poll_interval.get()))
        }
    }
}

/// Returns the settings of the MySQL source.
pub fn mysql_settings(config: &Config) -> MysqlSettings {
    let mysql = &config.source.mysql;
    MysqlSettings {
        url: mysql_url(config),
        password: mysql.password.clone(),
        table_prefix: mysql.table_prefix.clone(),
        capture: match mysql.capture {
            Capture::Poll => settings::Capture::Poll,
            Capture::Changelog => settings::Capture::Changelog,
            Capture::Triggers => settings::Capture::Triggers,
        },
        poll_overlap: mysql.poll_overlap.get(),
        connect_timeout: mysql.connect_timeout.get(),
        read_timeout: READ_TIMEOUT,
        returns_interval: mysql.returns_interval.get(),
        tls: match mysql.tls.mode {
            TlsMode::Disabled => settings::TlsMode::Disabled,
            TlsMode::Preferred => settings::TlsMode::Preferred,
            TlsMode::Required => settings::TlsMode::Required,
        },
        ca_file: mysql.tls.ca_file.clone(),
        max_connections: mysql.max_connections as usize,
    }
}

fn mysql_url(config: &Config) -> String {
    let mysql = &config.source.mysql;
    let host = if mysql.host.is_empty() {
        "localhost"
    } else {
        &mysql.host
    };
    let mut url = format!(
        "mysql://{}@{host}:{}/{}",
        encoded(&mysql.user),
        mysql.port,
        encoded(&mysql.database)
    );
    if let Some(socket) = &mysql.socket {
        url.push_str("?socket=");
        url.push_str(&encoded(&socket.to_string_lossy()));
    }
    url
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}
