//! Asking the source.

use std::time::Duration;

use tokio::time::timeout;

use crate::commerce::examination::Examination;
use crate::commerce::mysql::MysqlSource;
use crate::commerce::source::{Cursors, SourceError};
use crate::commerce::sqlite::examine;
use crate::config::{Config, SourceKind};
use crate::doctor::collect::detached::detached;
use orderfeed_model::clock::{Clock, UtcMillis};

/// For all questions together.
pub(super) const LIMIT: Duration = Duration::from_secs(8);

/// What it said.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// `None` if it did not answer in time; else what it said, or message and remedy.
    pub(super) result: Option<Result<Examination, (String, String)>>,
    /// Its clock minus ours, in milliseconds.
    pub(super) skew_ms: Option<i64>,
}

pub(super) async fn look(config: &Config, clock: &Clock, cursors: Cursors) -> Answer {
    let before = clock.now();
    let examined = match config.source.kind {
        SourceKind::Mysql => timeout(LIMIT, mysql(config, &cursors)).await.ok(),
        SourceKind::Sqlite => {
            let path = config.source.sqlite.path.clone();
            detached(LIMIT, move || examine::examine(&path, &cursors)).await
        }
    };
    let time = match &examined {
        Some(Ok(found)) => found.database_time,
        _ => None,
    };
    Answer {
        skew_ms: time.map(|theirs| skew_ms(theirs, before, clock.now())),
        result: examined.map(|examined| examined.map_err(|error| explained(error, config.source.kind))),
    }
}

/// The time was told somewhere between the two moments.
fn skew_ms(theirs: UtcMillis, before: UtcMillis, after: UtcMillis) -> i64 {
    let (early, late) = (theirs.millis_since(before), theirs.millis_since(after));
    match (early < 0, late > 0) {
        (true, _) => early,
        (false, true) => late,
        (false, false) => 0,
    }
}

async fn mysql(config: &Config, cursors: &Cursors) -> Result<Examination, SourceError> {
    MysqlSource::new(config.source.mysql.clone())?
        .examine(cursors)
        .await
}

fn explained(error: SourceError, kind: SourceKind) -> (String, String) {
    match error {
        SourceError::Misconfigured { message, remedy } => (message, remedy),
        error @ SourceError::BadCursor { .. } => (
            error.to_string(),
            "restore a backup of the store, or start with a new one".to_owned(),
        ),
        SourceError::Unavailable { message } => {
            let remedy = match kind {
                SourceKind::Mysql => {
                    "is the database server up (`systemctl status mariadb`, or mysql)? check host and port in \
                     source.mysql.url, and firewalls in between; the daemon goes on by itself once it answers"
                }
                SourceKind::Sqlite => "check source.sqlite.path and who else uses the file",
            };
            (message, remedy.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_the_source_took_is_no_difference() {
        let skew = |theirs| skew_ms(UtcMillis(theirs), UtcMillis(1_000), UtcMillis(9_000));
        assert_eq!(
            [skew(400), skew(1_000), skew(9_000), skew(12_000)],
            [-600, 0, 0, 3_000]
        );
    }
}
