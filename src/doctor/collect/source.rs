//! Facts about the source.

use std::time::Duration;

use tokio::time::timeout;

use crate::commerce::examination::Examination;
use crate::commerce::mysql::MysqlSource;
use crate::commerce::rest::RestSource;
use crate::commerce::source::{Cursors, SourceError};
use crate::commerce::sqlite::examine;
use crate::config::{Config, SourceKind};
use crate::doctor::collect::detached::detached;
use orderfeed_model::clock::{Clock, UtcMillis};

const LIMIT: Duration = Duration::from_secs(8);
/// A dozen requests, one after the other, of a shop that may take seconds for each.
const REST_LIMIT: Duration = Duration::from_secs(30);

/// Returns the time limit of the examination.
pub(super) fn limit(kind: SourceKind) -> Duration {
    match kind {
        SourceKind::Mysql | SourceKind::Sqlite => LIMIT,
        SourceKind::Rest => REST_LIMIT,
    }
}

#[derive(Debug, Default)]
pub(super) struct SourceAnswer {
    /// The examination, or message and remedy; `None` after the time limit.
    pub(super) examined: Option<Result<Examination, (String, String)>>,
    /// The source's clock minus the machine's, in milliseconds.
    pub(super) skew_ms: Option<i64>,
}

pub(super) async fn collect(config: &Config, clock: &Clock, cursors: Cursors) -> SourceAnswer {
    let before = clock.now();
    let limit = limit(config.source.kind);
    let examined = match config.source.kind {
        SourceKind::Mysql => timeout(limit, mysql(config, &cursors)).await.ok(),
        SourceKind::Sqlite => {
            let path = config.source.sqlite.path.clone();
            // SQLite blocks its thread.
            detached(limit, move || examine::examine(&path, &cursors)).await
        }
        SourceKind::Rest => timeout(limit, Box::pin(rest(config, &cursors))).await.ok(),
    };
    let time = match &examined {
        Some(Ok(found)) => found.database_time,
        _ => None,
    };
    SourceAnswer {
        skew_ms: time.map(|theirs| skew_ms(theirs, before, clock.now())),
        examined: examined
            .map(|examined| examined.map_err(|error| error.message_and_remedy(config.source.kind))),
    }
}

/// Returns the smallest difference possible if the source read its clock between `before` and `after`.
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

async fn rest(config: &Config, cursors: &Cursors) -> Result<Examination, SourceError> {
    RestSource::new(config)?.examine(cursors).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_the_answer_took_is_no_skew() {
        let skew = |theirs| skew_ms(UtcMillis(theirs), UtcMillis(1_000), UtcMillis(9_000));
        assert_eq!(
            [skew(400), skew(1_000), skew(9_000), skew(12_000)],
            [-600, 0, 0, 3_000]
        );
    }
}
