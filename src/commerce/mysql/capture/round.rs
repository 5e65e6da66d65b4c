//! One call of capture: the reads of all tables, and the cursors to store.

use std::sync::Arc;
use std::time::Duration;

use crate::commerce::changes::log_clock_went_back;
use crate::commerce::changes::watched::{RangeEnd, RowSelection, WatchedTable};
use crate::commerce::changes::window::{
    CallTime, Mark, OverlapWindow, RowPage, SeenRow, Stuck, WindowCursor,
};
use crate::commerce::mysql::capture::fetch::{TableRead, TableRows, fetch};
use crate::commerce::mysql::capture::memory::CaptureMemory;
use crate::commerce::mysql::capture::returns;
use crate::commerce::mysql::connect::MysqlConnector;
use crate::commerce::mysql::inspect::Inspected;
use crate::commerce::mysql::session::MysqlSession;
use crate::commerce::source::{Captured, Change, Cursors, LateCause, LateTable, SourceError};
use orderfeed_model::clock::UtcMillis;

/// The longest time for the statement that reads all tables, and for that of one table.
pub(super) const SHARED_LIMIT: Duration = Duration::from_secs(3);
const ALONE_LIMIT: Duration = Duration::from_secs(1);
/// Pause after a page of the open returns that did not end in time.
const RETURNS_PAUSE: Duration = Duration::from_secs(30);

/// The work of one call.
pub(super) struct CaptureRound<'a> {
    pub(super) connector: &'a Arc<MysqlConnector>,
    pub(super) session: MysqlSession<'a>,
    pub(super) inspected: &'a Arc<Inspected>,
    pub(super) memory: &'a mut CaptureMemory,
    pub(super) prefix: &'a str,
    /// The database's time, in microseconds; 0 before it is known.
    pub(super) now: i64,
    /// Maximum number of rows of a page.
    pub(super) share: usize,
    pub(super) cursors: Cursors,
    pub(super) changes: Vec<Change>,
    pub(super) more: bool,
    pub(super) late: Vec<LateTable>,
}

impl<'a> CaptureRound<'a> {
    /// Starts a call: compares `cursors` with those last returned.
    pub(super) fn begin(
        connector: &'a Arc<MysqlConnector>,
        session: MysqlSession<'a>,
        inspected: &'a Arc<Inspected>,
        memory: &'a mut CaptureMemory,
        cursors: Cursors,
        share: usize,
    ) -> Self {
        memory.resume(&cursors);
        Self {
            connector,
            session,
            inspected,
            memory,
            prefix: &connector.database().prefix,
            now: 0,
            share,
            cursors,
            changes: Vec::new(),
            more: false,
            late: Vec::new(),
        }
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
        self.memory.results.returned(&self.cursors);
        Captured {
            changes: self.changes,
            cursors: self.cursors,
            more: self.more,
            late: self.late,
        }
    }

    /// Reads every table once: all in one statement, except those that are slow. `slow_reads` is the number of connections
    /// for these.
    pub(super) async fn scan(
        &mut self,
        tables: &[WatchedTable],
        slow_reads: usize,
    ) -> Result<(), SourceError> {
        let mut reads = Vec::new();
        for watched in tables {
            if !self.memory.slow.contains(watched.table) {
                reads.push(self.next_read(watched).await?);
            }
        }
        match self.fetch(&reads, SHARED_LIMIT).await {
            Ok(found) => {
                for (read, found) in reads.into_iter().zip(found) {
                    self.apply(read, found).await?;
                }
            }
            Err(SourceError::TooSlow { .. }) => self.scan_one_by_one(reads).await?,
            Err(error) => return Err(error),
        }
        self.scan_slow(tables, slow_reads).await
    }

    /// Reads each table by itself, to find the one that is slow.
    async fn scan_one_by_one(&mut self, reads: Vec<TableRead>) -> Result<(), SourceError> {
        for read in reads {
            match self.fetch(&[read], ALONE_LIMIT).await {
                Ok(found) => {
                    for found in found {
                        self.apply(read, found).await?;
                    }
                }
                Err(SourceError::TooSlow { .. }) => self.memory.slow.add(read.watched.table),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Applies what was read of the slow tables, and starts to read those that are due.
    async fn scan_slow(&mut self, tables: &[WatchedTable], most: usize) -> Result<(), SourceError> {
        for watched in tables {
            let table = watched.table;
            if let Some(ended) = self.memory.slow.take_ended(table).await {
                match ended.result {
                    Ok(fetched) => {
                        self.now = fetched.now;
                        for found in fetched.tables {
                            self.apply(ended.read, found).await?;
                        }
                        if ended.took <= SHARED_LIMIT {
                            self.memory.slow.remove(table);
                        }
                    }
                    // It stays slow, and is read again after a pause.
                    Err(SourceError::TooSlow { .. } | SourceError::Unavailable { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            if self.memory.slow.is_due(table, most) {
                let read = self.next_read(watched).await?;
                self.memory
                    .slow
                    .read(Arc::clone(self.connector), Arc::clone(self.inspected), read);
            }
        }
        self.late.extend(self.memory.slow.tables().map(slow_table));
        Ok(())
    }

    async fn next_read(&mut self, watched: &WatchedTable) -> Result<TableRead, SourceError> {
        let (overlap, elapsed) = (self.memory.overlap, self.memory.started.elapsed());
        let cursor = match self.memory.windows.contains_key(watched.table) {
            true => WindowCursor::default(),
            false => self.stored_cursor(watched).await?,
        };
        let windows = self.memory.windows.entry(watched.table);
        let window = windows.or_insert_with(|| OverlapWindow::new(overlap, cursor));
        Ok(TableRead {
            watched: *watched,
            range: window.next_range(elapsed, self.share),
        })
    }

    async fn fetch(&mut self, reads: &[TableRead], limit: Duration) -> Result<Vec<TableRows>, SourceError> {
        let schema = &self.inspected.schema;
        let fetched = fetch(&mut self.session, self.prefix, schema, reads, limit).await?;
        self.now = fetched.now;
        Ok(fetched.tables)
    }

    /// Applies the rows of a table, after checking that its cursor is still valid.
    async fn apply(&mut self, read: TableRead, found: TableRows) -> Result<(), SourceError> {
        let watched = &read.watched;
        if !watched.timed && self.detect_gap(watched, &found.rows).await? {
            self.more = true;
            return Ok(());
        }
        let time = CallTime {
            elapsed: self.memory.started.elapsed(),
            now: self.now,
        };
        let Some(window) = self.memory.windows.get_mut(watched.table) else {
            return Ok(());
        };
        if window.apply_clock(time.now) {
            log_clock_went_back(watched.table, &UtcMillis(self.now.div_euclid(1000)).sql());
            self.more = true;
        } else {
            let page = RowPage {
                rows: &found.rows,
                returned: found.returned,
            };
            match window.apply(read.range, page, time, self.share, &mut self.changes) {
                Ok(more) => self.more |= more,
                Err(stuck) => self.late.push(stuck_table(watched, stuck)),
            }
        }
        let cursor = window.cursor();
        self.store_cursor(watched, cursor);
        Ok(())
    }

    /// Compares a page of the open returns, if it is due. Their tables may be slow, which delays nothing else.
    pub(super) async fn scan_returns(&mut self, interval: Duration) -> Result<(), SourceError> {
        let (memory, schema) = (&mut *self.memory, &self.inspected.schema);
        if !memory.returns.is_due(schema) || memory.slow.contains(returns::TABLE) {
            return Ok(());
        }
        let swept = memory
            .returns
            .sweep(&mut self.session, self.prefix, schema, interval, self.share)
            .await;
        match swept {
            Ok((changes, more)) => {
                self.changes.extend(changes);
                self.more |= more;
            }
            Err(SourceError::TooSlow { .. }) => {
                memory.returns.defer(RETURNS_PAUSE);
                self.late.push(slow_table(returns::TABLE));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads a page of the rows after `after` that are not in the future, in order.
    pub(super) async fn page(
        &mut self,
        watched: &WatchedTable,
        after: Mark,
    ) -> Result<Vec<SeenRow>, SourceError> {
        let selection = RowSelection {
            after,
            until: RangeEnd::Now,
            limit: self.share,
        };
        let sql = watched.select(self.prefix, &self.inspected.schema, selection, 0);
        let mut rows = Vec::new();
        self.session
            .rows_within(SHARED_LIMIT, &sql, |row| rows.extend(watched.seen_row(&row)))
            .await?;
        Ok(rows)
    }
}

fn slow_table(table: &'static str) -> LateTable {
    LateTable {
        table,
        cause: LateCause::Slow,
    }
}

fn stuck_table(watched: &WatchedTable, stuck: Stuck) -> LateTable {
    let (by, Stuck { position, returned }) = (if watched.timed { "updated_at" } else { watched.key }, stuck);
    LateTable {
        table: watched.table,
        cause: LateCause::Unreadable(format!(
            "{returned} rows after {position} in the order of {by} do not move the position, so that no later change is seen; \
             check the type of the column {by}"
        )),
    }
}
