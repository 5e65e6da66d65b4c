//! The cursors of one call: the start of each table, and what is read again after a gap.
//!
//! The instance's changelog and the triggers' log can lose rows before they are read (cleaned, emptied, recreated), and a
//! whole database can be replaced by an older copy. Both are detected before a table is read: the rows that follow its
//! cursor are gone, or its keys start again below the cursor.

use crate::commerce::changes::watched::{CHANGELOG, LOG, TIMED, WatchedTable};
use crate::commerce::changes::window::{Mark, SeenRow, WindowCursor};
use crate::commerce::mysql::capture::fetch::fetch;
use crate::commerce::mysql::capture::round::{CaptureRound, SHARED_LIMIT};
use crate::commerce::read::cells;
use crate::commerce::read::cells::{SourceRow, moment_micros};
use crate::commerce::source::{ChangeOp, SourceError};
use orderfeed_model::clock::UtcMillis;

/// The cursor that holds the time at which something was last found, and a number that grows with each such result.
const SEEN: &str = "seen";
/// Number of keys before the newest one that may still be uncommitted when a table is first watched.
const UNCOMMITTED_KEYS: i64 = 50;

impl CaptureRound<'_> {
    pub(super) fn store_cursor(&mut self, watched: &WatchedTable, cursor: WindowCursor) {
        let text = cursor.to_string();
        self.cursors.0.insert(watched.table.to_owned(), text);
    }

    /// Returns the stored cursor of a table, or the initial one if it was not watched before, or read in another order
    /// (another capture mode, a new index).
    pub(super) async fn stored_cursor(
        &mut self,
        watched: &WatchedTable,
    ) -> Result<WindowCursor, SourceError> {
        let Some(text) = self.cursors.0.get(watched.table) else {
            return self.initial_cursor(watched).await;
        };
        if let Some(cursor) = WindowCursor::parse(text, watched.timed) {
            return Ok(cursor);
        }
        if WindowCursor::parse(text, !watched.timed).is_some() {
            return self.initial_cursor(watched).await;
        }
        Err(SourceError::BadCursor {
            name: watched.table.to_owned(),
            value: text.clone(),
        })
    }

    /// Returns the cursor of a table that is watched from now on. Changes since something was last found are included.
    pub(super) async fn initial_cursor(
        &mut self,
        watched: &WatchedTable,
    ) -> Result<WindowCursor, SourceError> {
        self.learn_time().await?;
        if watched.timed {
            return Ok(WindowCursor::at(self.overlap_before_seen()));
        }
        if watched.table == LOG {
            // The log holds nothing but changes that were not captured yet.
            return Ok(WindowCursor::at(Mark::of_key(0)));
        }
        if watched.table == CHANGELOG && self.seen().is_some() {
            self.start_catch_up();
        }
        let (newest, _) = self.key_range(watched).await?;
        let newest = newest.unwrap_or_default();
        Ok(WindowCursor {
            front: Mark::of_key(newest),
            // Keys are assigned before the commit, so rows below the newest may still appear.
            tail: Mark::of_key((newest - UNCOMMITTED_KEYS).max(0)),
        })
    }

    /// Reads the database's time, unless this call did so before.
    async fn learn_time(&mut self) -> Result<(), SourceError> {
        if self.now == 0 {
            let schema = &self.inspected.schema;
            self.now = fetch(&mut self.session, self.prefix, schema, &[], SHARED_LIMIT)
                .await?
                .now;
        }
        Ok(())
    }

    /// Detects that the rows after the cursor are gone, or that a table's keys start again below it: a log that was cleaned,
    /// emptied or recreated, or a database that was restored from an older copy. Returns true if the cursor moved, so that
    /// `rows`, which were read after the old one, do not count.
    pub(super) async fn detect_gap(
        &mut self,
        watched: &WatchedTable,
        rows: &[SeenRow],
    ) -> Result<bool, SourceError> {
        let front = self.stored_cursor(watched).await?.front.id;
        // The row at the front is read again with those after it. While it is there, nothing is missing.
        let next = rows.iter().map(|row| row.mark.id).find(|id| *id >= front);
        if front == 0 || next.is_some_and(|id| watched.table != CHANGELOG || id <= front + 1) {
            return Ok(false);
        }
        let (newest, oldest) = self.key_range(watched).await?;
        let newest = newest.unwrap_or_default();
        // The log is cleared only by capture itself, up to the tail; a missing start means nothing there.
        let cleaned = watched.table == CHANGELOG && oldest.is_some_and(|oldest| oldest > front + 1);
        if !(newest < front || cleaned) {
            return Ok(false);
        }
        self.cursors
            .record_gap(UtcMillis(self.now.div_euclid(1000)), watched.table);
        if !matches!(watched.table, CHANGELOG | LOG) {
            tracing::warn!(
                log_code = "OF03-04",
                table = watched.table,
                position = front,
                newest,
                "the newest row is older than the stored position (rows were deleted, or the database was restored or is a \
                 replica that lags); capture continues from the newest row; run `orderfeed indexer:reindex` once the \
                 database is complete"
            );
            self.restart_at(watched, newest);
            return Ok(true);
        }
        tracing::warn!(
            log_code = "OF03-05",
            table = watched.table,
            position = front,
            oldest,
            newest,
            "the changelog no longer holds the rows after the stored position (it was cleaned, emptied or recreated); \
             capture reads the orders that changed since by their updated_at; run `orderfeed indexer:reindex` to find \
             changes of only an item, address or payment too"
        );
        self.start_catch_up();
        // The changelog was recreated: its versions start again from 1.
        if newest < front {
            self.restart_at(watched, 0);
        }
        Ok(newest < front)
    }

    fn restart_at(&mut self, watched: &WatchedTable, key: i64) {
        self.memory.windows.remove(watched.table);
        self.store_cursor(watched, WindowCursor::at(Mark::of_key(key)));
    }

    /// Returns the highest and the lowest key of a table.
    async fn key_range(&mut self, watched: &WatchedTable) -> Result<(Option<i64>, Option<i64>), SourceError> {
        let mut range = (None, None);
        let sql = watched.select_ends(self.prefix);
        self.session
            .rows_within(SHARED_LIMIT, &sql, |row| {
                range = (cells::integer(row.cell(0)), cells::integer(row.cell(1)))
            })
            .await?;
        Ok(range)
    }

    /// Starts to read by `updated_at` what was changed since something was last found. The cursors of the timed tables,
    /// which a capture by log has only meanwhile, keep the progress.
    fn start_catch_up(&mut self) {
        let start = WindowCursor::at(self.overlap_before_seen()).to_string();
        for watched in &TIMED {
            let cursors = &mut self.cursors.0;
            cursors
                .entry(watched.table.to_owned())
                // A catch-up in progress continues from where it is.
                .or_insert_with(|| start.clone());
        }
    }

    /// Continues to read by `updated_at` after a gap. The cursor of a table is removed once it is read to the end.
    pub(super) async fn catch_up(&mut self) -> Result<(), SourceError> {
        for watched in &TIMED {
            let stored = self.cursors.0.remove(watched.table);
            let Some(cursor) = stored.and_then(|text| WindowCursor::parse(&text, true)) else {
                continue;
            };
            let rows = self.page(watched, cursor.front).await?;
            self.changes
                .extend(rows.iter().filter_map(|row| row.change(ChangeOp::Recheck)));
            if let Some(last) = rows.last().filter(|_| rows.len() == self.share) {
                self.more = true;
                self.store_cursor(watched, WindowCursor::at(last.mark));
            }
        }
        Ok(())
    }

    /// Stores the database's time as the time at which something was last found.
    pub(super) fn record_seen(&mut self) {
        let seen = self.memory.results.stamp(UtcMillis(self.now.div_euclid(1000)));
        self.cursors.0.insert(SEEN.to_owned(), seen);
    }

    fn seen(&self) -> Option<i64> {
        let (at, _) = self.cursors.0.get(SEEN)?.split_once('/')?;
        moment_micros(at.as_bytes())
    }

    /// Returns the mark an overlap before something was last found, or before now.
    fn overlap_before_seen(&self) -> Mark {
        let overlap = i64::try_from(self.memory.overlap.as_micros()).unwrap_or(i64::MAX / 4);
        // `seen` may be in the future if the clock was set back since.
        let from = self.seen().unwrap_or(self.now).min(self.now);
        Mark {
            at: Some(from.saturating_sub(overlap)),
            id: 0,
        }
    }
}
