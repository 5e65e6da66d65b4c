//! Capture from the triggers' log.
//!
//! SQLite has one writer, so the log's versions are assigned in the order of commits and nothing ever appears before the
//! cursor: no overlap is needed. `PRAGMA data_version` changes when another connection commits, so that polling an idle
//! shop every few milliseconds costs next to nothing.

use std::sync::PoisonError;

use rusqlite::{Connection, OptionalExtension};

use crate::commerce::changes::watched::{LOG, OWN_LOG, RangeEnd, RowSelection};
use crate::commerce::changes::window::Mark;
use crate::commerce::read::schema::Schema;
use crate::commerce::source::{Captured, Change, Cursors, SourceError};
use crate::commerce::sqlite::SqliteSource;
use crate::commerce::sqlite::rows::for_each;

/// Maximum number of log rows that one transaction deletes, so that the shop never waits long.
const DELETED_AT_ONCE: usize = 5_000;

impl SqliteSource {
    pub(super) async fn start(&self) -> Result<Cursors, SourceError> {
        let newest = self.thread.run(|connection| newest_version(connection)).await?;
        Ok(Cursors([(LOG.to_owned(), newest.to_string())].into()))
    }

    pub(super) async fn capture(&self, cursors: &Cursors, limit: usize) -> Result<Captured, SourceError> {
        let position = position(cursors)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let idle_version = idle.filter(|(at, _)| at == cursors).map(|(_, version)| version);
        let (version, rows) = self
            .thread
            .run(move |connection| {
                // Before the rows: a commit in between is then searched for once more rather than missed.
                let version = connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
                // No other connection committed since the log was found empty.
                if idle_version == Some(version) {
                    return Ok((version, Vec::new()));
                }
                log_rows(connection, position, limit.max(1)).map(|rows| (version, rows))
            })
            .await?;
        let mut captured = Captured {
            cursors: cursors.clone(),
            more: rows.len() >= limit.max(1),
            ..Captured::default()
        };
        if let Some((last, _)) = rows.last() {
            captured.cursors.0.insert(LOG.to_owned(), last.to_string());
        }
        captured.changes = rows.into_iter().map(|(_, change)| change).collect();
        // Only after the whole log was read does an unchanged version mean that it is empty.
        if !captured.more {
            *self.idle.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((captured.cursors.clone(), version));
        }
        Ok(captured)
    }

    pub(super) async fn clear_log(&self, cursors: &Cursors) -> Result<(), SourceError> {
        let position = position(cursors)?;
        loop {
            let sql = format!(
                "DELETE FROM `{LOG}` WHERE `version_id` IN \
                 (SELECT `version_id` FROM `{LOG}` WHERE `version_id` <= {position} ORDER BY `version_id` LIMIT {DELETED_AT_ONCE})"
            );
            // AUTOINCREMENT lets the versions grow even if the table is empty in between.
            let deleted = self
                .thread
                .run(move |connection| connection.execute(&sql, []))
                .await?;
            if deleted < DELETED_AT_ONCE {
                return Ok(());
            }
        }
    }
}

/// Returns the version of the last captured log row. Without a cursor it is 0: the log holds nothing but changes that were
/// not captured yet.
pub(super) fn position(cursors: &Cursors) -> Result<i64, SourceError> {
    let Some(text) = cursors.0.get(LOG) else {
        return Ok(0);
    };
    text.parse().map_err(|_| SourceError::BadCursor {
        name: LOG.to_owned(),
        value: text.clone(),
    })
}

/// Returns the highest version that the log ever assigned: its rows are deleted once they are captured.
pub(super) fn newest_version(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
    let newest = connection.query_row(sql, [LOG], |row| row.get(0)).optional()?;
    Ok(newest.unwrap_or_default())
}

fn log_rows(connection: &Connection, position: i64, limit: usize) -> rusqlite::Result<Vec<(i64, Change)>> {
    let mut rows = Vec::new();
    let selection = RowSelection {
        after: Mark::of_key(position),
        until: RangeEnd::Open,
        limit,
    };
    let sql = OWN_LOG.select("", &Schema::default(), selection, 0);
    for_each(connection, &sql, None, |row| {
        if let Some(seen) = OWN_LOG.seen_row(row) {
            rows.extend(seen.change(seen.op).map(|change| (seen.mark.id, change)));
        }
    })?;
    Ok(rows)
}
