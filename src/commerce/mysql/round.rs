//! One call of capture: the looks at each table, the gaps in a log, the stored cursors.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::commerce::changes::watched::{CHANGELOG, LOG, TIMED, WatchedTable};
use crate::commerce::changes::window::{Mark, OverlapWindow, SeenRow, WINDOW_ROWS, WindowCursor};
use crate::commerce::mysql::connect::{MysqlConnector, MysqlSession};
use crate::commerce::mysql::inspect::Inspected;
use crate::commerce::mysql::returns::OpenReturns;
use crate::commerce::read::cells;
use crate::commerce::read::cells::SourceRow;
use crate::commerce::source::{Captured, Change, ChangeOp, Cursors, SourceError};
use orderfeed_model::clock::UtcMillis;

/// The cursor that says when something was last found.
const SEEN: &str = "seen";
/// How many keys before the newest one may still be uncommitted when a table is first watched.
const UNCOMMITTED_KEYS: i64 = 50;
/// What is remembered between calls.
#[derive(Debug)]
pub(super) struct CaptureMemory {
    overlap: Duration,
    started: Instant,
    returned: Option<Cursors>,
    answers: u64,
    windows: BTreeMap<&'static str, OverlapWindow>,
    returns: OpenReturns,
    /// Up to which number our log was cleared.
    pub(super) cleared: i64,
}

impl CaptureMemory {
    pub(super) fn new(overlap: Duration) -> Self {
        Self {
            overlap,
            started: Instant::now(),
            returned: None,
            // Another process's numbers must not look like ours.
            answers: fastrand::u64(..1 << 48),
            windows: BTreeMap::new(),
            returns: OpenReturns::default(),
            cleared: 0,
        }
    }
}

impl CaptureMemory {
    /// Begins a call with these cursors. If they are not those last returned, the caller did not keep what it was told.
    /// A call that fails or is dropped half-way counts as not returned.
    fn resume(&mut self, cursors: &Cursors) {
        if self.returned.take().as_ref() != Some(cursors) {
            self.windows.clear();
            self.returns = OpenReturns::default();
        }
    }
}

/// One call's work.
pub(super) struct CaptureRound<'a> {
    session: MysqlSession<'a>,
    watch: &'a mut CaptureMemory,
    prefix: &'a str,
    now: i64,
    share: usize,
    cursors: Cursors,
    changes: Vec<Change>,
    more: bool,
}

impl<'a> CaptureRound<'a> {
    /// Begins a call: asks the database what time it is, and takes up what is remembered.
    pub(super) async fn begin(
        connector: &'a MysqlConnector,
        mut session: MysqlSession<'a>,
        watch: &'a mut CaptureMemory,
        cursors: Cursors,
        share: usize,
    ) -> Result<Self, SourceError> {
        watch.resume(&cursors);
        let mut now = None;
        session
            .rows("SELECT UTC_TIMESTAMP()", |row| {
                if let cells::CellRef::Text(text) = row.cell(0) {
                    now = cells::moment(text).map(|moment| moment.0.div_euclid(1000));
                }
            })
            .await?;
        let database = connector.database();
        let now = now.ok_or_else(|| database.unavailable("it does not say what time it is"))?;
        Ok(Self {
            session,
            watch,
            prefix: &database.prefix,
            now,
            share,
            cursors,
            changes: Vec::new(),
            more: false,
        })
    }

    /// The cursors from which these tables are watched from now on.
    pub(super) async fn starting_cursors(mut self, watched: &[WatchedTable]) -> Result<Cursors, SourceError> {
        for watched in watched {
            let span = self.beginning(watched).await?;
            self.cursors.0.insert(watched.table.to_owned(), span.to_string());
        }
        self.note_seen();
        Ok(self.cursors)
    }

    /// What was found, and remembers that it was given out.
    pub(super) fn finish(mut self) -> Captured {
        if !self.changes.is_empty() {
            self.note_seen();
        }
        self.watch.returned = Some(self.cursors.clone());
        Captured {
            changes: self.changes,
            cursors: self.cursors,
            more: self.more,
        }
    }

    /// The three looks at one table, after making sure that its position still means something.
    pub(super) async fn scan(&mut self, watched: &WatchedTable) -> Result<(), SourceError> {
        if !watched.timed {
            self.look_for_gap(watched).await?;
        }
        if !self.watch.windows.contains_key(watched.table) {
            let span = self.position(watched).await?;
            self.watch
                .windows
                .insert(watched.table, OverlapWindow::new(self.watch.overlap, span));
        }
        // Taken out while it is in use: a call that fails half-way starts again from the stored position.
        let Some(mut window) = self.watch.windows.remove(watched.table) else {
            return Ok(());
        };
        if window.meet_clock(self.now) {
            tracing::warn!(
                log_code = "OF03-03",
                table = watched.table,
                database_time = UtcMillis::from_secs(self.now).sql(),
                "the database's clock went back behind what was read from it (a failover, or a clock that was set); \
                 capture reads the last minutes again"
            );
        }
        self.look(watched, &mut window).await?;
        self.cursors
            .0
            .insert(watched.table.to_owned(), window.span().to_string());
        self.watch.windows.insert(watched.table, window);
        Ok(())
    }

    async fn look(&mut self, watched: &WatchedTable, window: &mut OverlapWindow) -> Result<(), SourceError> {
        let until = watched.timed.then_some(Mark {
            at: Some(self.now),
            id: i64::MAX,
        });
        let rows = self
            .fetch(watched, window.span().front, until, self.share)
            .await?;
        window.advance(&rows, &mut self.changes);
        if rows.len() == self.share {
            self.more = true;
            return Ok(());
        }
        if !window.is_blind() && !self.look_back(watched, window).await? {
            return Ok(());
        }
        let Some(horizon) = window.horizon(self.watch.started.elapsed(), self.now) else {
            return Ok(());
        };
        if !window.rechecks() {
            window.settle(&[], false, horizon, &mut self.changes);
            return Ok(());
        }
        let rows = self
            .fetch(watched, window.span().tail, Some(horizon), self.share)
            .await?;
        let full = rows.len() == self.share;
        self.more |= full;
        window.settle(&rows, full, horizon, &mut self.changes);
        Ok(())
    }

    /// The look through the open window; `false` if it was not due or not finished, and the tail must wait.
    async fn look_back(
        &mut self,
        watched: &WatchedTable,
        window: &mut OverlapWindow,
    ) -> Result<bool, SourceError> {
        if !window.look_is_due(self.watch.started.elapsed()) {
            return Ok(false);
        }
        let rows = self
            .fetch(watched, window.span().tail, None, WINDOW_ROWS + 1)
            .await?;
        let more = window.look_back(&rows, self.share, &mut self.changes);
        self.more |= more;
        Ok(!more)
    }

    async fn fetch(
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

    /// The stored position. A table that was not watched before (another way of capture, a new index) starts from when
    /// something was last found.
    async fn position(&mut self, watched: &WatchedTable) -> Result<WindowCursor, SourceError> {
        let Some(text) = self.cursors.0.get(watched.table) else {
            return self.beginning(watched).await;
        };
        if let Some(span) = WindowCursor::parse(text, watched.timed) {
            return Ok(span);
        }
        if WindowCursor::parse(text, !watched.timed).is_some() {
            return self.beginning(watched).await;
        }
        Err(SourceError::BadCursor {
            name: watched.table.to_owned(),
            value: text.clone(),
        })
    }

    async fn beginning(&mut self, watched: &WatchedTable) -> Result<WindowCursor, SourceError> {
        if watched.timed {
            let start = self.before_seen();
            return Ok(WindowCursor {
                front: start,
                tail: start,
            });
        }
        if watched.table == LOG {
            return Ok(WindowCursor {
                front: Mark::of_key(0),
                tail: Mark::of_key(0),
            });
        }
        if watched.table == CHANGELOG && self.seen().is_some() {
            self.start_catch_up();
        }
        let (newest, _) = self.ends(watched).await?;
        let newest = newest.unwrap_or_default();
        Ok(WindowCursor {
            front: Mark::of_key(newest),
            tail: Mark::of_key((newest - UNCOMMITTED_KEYS).max(0)),
        })
    }

    /// Notices that rows are gone which were to be read next, or that a table's keys start again below our position: a
    /// log that was cleaned, emptied or recreated, or a whole database that was restored from an older copy.
    async fn look_for_gap(&mut self, watched: &WatchedTable) -> Result<(), SourceError> {
        let front = self.position(watched).await?.front.id;
        let (newest, oldest) = self.ends(watched).await?;
        let newest = newest.unwrap_or_default();
        let cleaned = watched.table == CHANGELOG && oldest.is_some_and(|oldest| oldest > front + 1);
        if front == 0 || !(newest < front || cleaned) {
            return Ok(());
        }
        if !matches!(watched.table, CHANGELOG | LOG) {
            tracing::warn!(
                log_code = "OF03-04",
                table = watched.table,
                position = front,
                newest,
                "the newest row is older than what was read before (rows were deleted, or the database was restored or is \
                 a replica that lags); capture goes on from the newest row"
            );
            self.go_on_from(watched, newest);
            return Ok(());
        }
        tracing::warn!(
            log_code = "OF03-05",
            table = watched.table,
            position = front,
            oldest,
            newest,
            "the changelog no longer holds the rows that come next (it was cleaned, emptied or recreated); capture reads \
             the orders that changed since by their updated_at; run `orderfeed indexer:reindex` to find changes of only \
             an item, address or payment too"
        );
        self.start_catch_up();
        if newest < front {
            self.go_on_from(watched, 0);
        }
        Ok(())
    }

    fn go_on_from(&mut self, watched: &WatchedTable, key: i64) {
        let position = Mark::of_key(key);
        self.watch.windows.remove(watched.table);
        self.cursors.0.insert(
            watched.table.to_owned(),
            WindowCursor {
                front: position,
                tail: position,
            }
            .to_string(),
        );
    }

    async fn ends(&mut self, watched: &WatchedTable) -> Result<(Option<i64>, Option<i64>), SourceError> {
        let mut ends = (None, None);
        let sql = watched.select_ends(self.prefix);
        self.session
            .rows(&sql, |row| {
                ends = (cells::integer(row.cell(0)), cells::integer(row.cell(1)))
            })
            .await?;
        Ok(ends)
    }

    fn start_catch_up(&mut self) {
        let start = self.before_seen();
        for watched in &TIMED {
            let span = WindowCursor {
                front: start,
                tail: start,
            };
            self.cursors
                .0
                .entry(watched.table.to_owned())
                .or_insert_with(|| span.to_string());
        }
    }

    /// Goes on reading by `updated_at` what a gap may have swallowed; a table's cursor goes when it is through.
    pub(super) async fn catch_up(&mut self) -> Result<(), SourceError> {
        for watched in &TIMED {
            let Some(text) = self.cursors.0.remove(watched.table) else {
                continue;
            };
            let Some(mut span) = WindowCursor::parse(&text, true) else {
                continue;
            };
            let until = Mark {
                at: Some(self.now),
                id: i64::MAX,
            };
            let rows = self.fetch(watched, span.front, Some(until), self.share).await?;
            let recheck = |row: &SeenRow| {
                row.order.map(|order| Change {
                    order,
                    table: row.table,
                    op: ChangeOp::Recheck,
                })
            };
            self.changes.extend(rows.iter().filter_map(recheck));
            if let Some(last) = rows.last().filter(|_| rows.len() == self.share) {
                self.more = true;
                span = WindowCursor {
                    front: last.mark,
                    tail: last.mark,
                };
                self.cursors.0.insert(watched.table.to_owned(), span.to_string());
            }
        }
        Ok(())
    }

    pub(super) async fn scan_returns(
        &mut self,
        inspected: &Inspected,
        interval: Duration,
    ) -> Result<(), SourceError> {
        let returns = &mut self.watch.returns;
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

    fn note_seen(&mut self) {
        self.watch.answers += 1;
        let seen = format!("{}/{}", UtcMillis::from_secs(self.now).sql(), self.watch.answers);
        self.cursors.0.insert(SEEN.to_owned(), seen);
    }

    fn seen(&self) -> Option<i64> {
        let (at, _) = self.cursors.0.get(SEEN)?.split_once('/')?;
        Some(UtcMillis::parse_sql(at)?.0.div_euclid(1000))
    }

    /// An overlap before something was last found, or before now.
    fn before_seen(&self) -> Mark {
        let overlap = i64::try_from(self.watch.overlap.as_secs()).unwrap_or(i64::MAX);
        let from = self.seen().unwrap_or(self.now).min(self.now);
        Mark {
            at: Some(from.saturating_sub(overlap)),
            id: 0,
        }
    }
}
