//! Creates the configured source. Connects to nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::commerce::mysql::MysqlSource;
use crate::commerce::rest::RestSource;
use crate::commerce::source::{Source, SourceError};
use crate::commerce::sqlite::SqliteSource;
use crate::config::{Config, SourceKind};

pub fn source(config: &Config) -> Result<(Arc<dyn Source>, Duration), SourceError> {
    match config.source.kind {
        SourceKind::Mysql => {
            let mysql = &config.source.mysql;
            let source = MysqlSource::new(mysql.clone())?;
            Ok((Arc::new(source), mysql.poll_interval.get()))
        }
        SourceKind::Sqlite => {
            let sqlite = &config.source.sqlite;
            let source = SqliteSource::open(&sqlite.path)?;
            Ok((Arc::new(source), sqlite.poll_interval.get()))
        }
        SourceKind::Rest => {
            let source = RestSource::new(config)?;
            Ok((Arc::new(source), RestSource::interval(&config.source.rest)))
        }
    }
}
