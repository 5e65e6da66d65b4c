//! One call of capture: the passes over each table, and the cursors to store.

use std::time::Duration;

use crate::commerce::changes::watched::WatchedTable;
use crate::commerce::changes::window::{Mark, OverlapWindow, SeenRow, WINDOW_ROWS};
use crate::commerce::mysql::connect::{MysqlConnector, MysqlSession};
use crate::commerce::mysql::inspect::Inspected;
use crate::commerce::mysql::memory::CaptureMemory;
use crate::commerce::mysql::returns::OpenReturns;
use crate::commerce::read::cells;
use crate::commerce::read::cells::SourceRow;
use crate::commerce::source::{Captured, Change, Cursors, SourceError};
use orderfeed_model::clock::UtcMillis;

/// The work of one call.
pub(super) struct CaptureRound<'a> {
    pub(super) session: MysqlSession<'a>,
    pub(super) memory: &'a mut CaptureMemory,
    pub(super) prefix: &'a str,
    /// The database's time, in seconds.
    pub(super) now: i64,
    /// Maximum number of rows that one statement reads.
    pub(super) share: usize,
    pub(super) cursors: Cursors,
    pub(super) changes: Vec<Change>,
    pub(super) more: bool,
}

impl<'a> CaptureRound<'a> {
    /// Starts a call: reads the database's time, and compares `cursors` with those last returned.
    pub(super) async fn begin(
        connector: &'a MysqlConnector,
        mut session: MysqlSession<'a>,
        memory: &'a mut CaptureMemory,
        cursors: Cursors,
        share: usize,
    ) -> Result<Self, SourceError> {
        memory.resume(&cursors);
        let mut now = None;
        session
            .rows("SELECT UTC_TIMESTAMP()", |row| now = cells::seconds(row.cell(0)))
            .await?;
        let database = connector.database();
        let now = now.ok_or_else(|| database.unavailable("its time cannot be read"))?;
        Ok(Self {
            session,
            memory,
            prefix: &database.prefix,
            now,
            share,
            cursors,
            changes: Vec::new(),
            more: false,
        })
    }

    /// Returns the cursors of tables that are watched from now on.
    pub(super) async fn starting_cursors(mut self, tables: &[WatchedTable]) -> Result<Cursors, SourceError> {
        for watched in tables {
            let cursor = self.initial_cursor(watched).await?;
            self.store_cursor(watched, cursor);
        }
        self.record_seen();
        Ok(self.cursors)
    }

    /// Returns the result of the call, and remembers its cursors.
    pub(super) fn finish(mut self) -> Captured {
        if !self.changes.is_empty() {
            self.record_seen();
        }
        self.memory.last_returned = Some(self.cursors.clone());
        Captured {
            changes: self.changes,
            cursors: self.cursors,
            more: self.more,
        }
    }

    /// Makes the three passes over one table, after checking that its cursor is still valid.
    pub(super) async fn scan(&mut self, watched: &WatchedTable) -> Result<(), SourceError> {
        if !watched.timed {
            self.detect_gap(watched).await?;
        }
        // Taken out while it is in use: a call that fails half-way starts again from the stored cursor.
        let mut window = match self.memory.windows.remove(watched.table) {
            Some(window) => window,
            None => OverlapWindow::new(self.memory.overlap, self.stored_cursor(watched).await?),
        };
        if window.apply_clock(self.now) {
            tracing::warn!(
                log_code = "OF03-03",
                table = watched.table,
                database_time = UtcMillis::from_secs(self.now).sql(),
                "the database's clock went back to before the newest rows read (a failover, or the clock was set); capture \
                 reads the last minutes again"
            );
        }
        self.passes(watched, &mut window).await?;
        self.store_cursor(watched, window.cursor());
        self.memory.windows.insert(watched.table, window);
        Ok(())
    }

    async fn passes(
        &mut self,
        watched: &WatchedTable,
        window: &mut OverlapWindow,
    ) -> Result<(), SourceError> {
        let until = watched.timed.then_some(Mark::end_of(self.now));
        let front = window.cursor().front;
        let rows = self.fetch(watched, front, until, self.share).await?;
        window.advance(&rows, &mut self.changes);
        if rows.len() == self.share {
            // A backlog: the window is read once the front has caught up.
            self.more = true;
            return Ok(());
        }
        if !window.is_overflowed() && !self.window_pass(watched, window).await? {
            return Ok(());
        }
        let Some(horizon) = window.horizon(self.memory.started.elapsed(), self.now) else {
            return Ok(());
        };
        if !window.rechecks() {
            window.settle(&[], false, horizon, &mut self.changes);
            return Ok(());
        }
        let tail = window.cursor().tail;
        let rows = self.fetch(watched, tail, Some(horizon), self.share).await?;
        let full = rows.len() == self.share;
        self.more |= full;
        window.settle(&rows, full, horizon, &mut self.changes);
        Ok(())
    }

    /// Reports late commits. Returns false if the pass was not due or not finished, so that the tail must not move.
    async fn window_pass(
        &mut self,
        watched: &WatchedTable,
        window: &mut OverlapWindow,
    ) -> Result<bool, SourceError> {
        if !window.start_window_pass(self.memory.started.elapsed()) {
            return Ok(false);
        }
        let tail = window.cursor().tail;
        let rows = self.fetch(watched, tail, None, WINDOW_ROWS + 1).await?;
        let more = window.report_late(&rows, self.share, &mut self.changes);
        self.more |= more;
        Ok(!more)
    }

    /// Reads the rows after `after`, up to `until`, in order.
    pub(super) async fn fetch(
        &mut self,
        watched: &WatchedTable,
        after: Mark,
        until: Option<Mark>,
        limit: usize,
    ) -> Result<Vec<SeenRow>, SourceError> {
        let mut rows = Vec::new();
        let sql = watched.select(self.prefix, after, until, limit);
        self.session
            .rows(&sql, |row| rows.extend(watched.seen_row(&row)))
            .await?;
        Ok(rows)
    }

    /// Compares the open returns with those of the last comparison, if it is due.
    pub(super) async fn scan_returns(
        &mut self,
        inspected: &Inspected,
        interval: Duration,
    ) -> Result<(), SourceError> {
        let returns = &mut self.memory.returns;
        if !returns.is_due(&inspected.schema, interval) {
            return Ok(());
        }
        let mut rows = Vec::new();
        let sql = OpenReturns::select(self.prefix, &inspected.schema);
        self.session
            .rows(&sql, |row| rows.extend(OpenReturns::open_return(&row)))
            .await?;
        self.more |= returns.compare(rows, self.share, &mut self.changes);
        Ok(())
    }
}
