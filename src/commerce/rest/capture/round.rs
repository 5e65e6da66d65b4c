//! One call of capture: the lists that are due, and the cursors to store.

use std::collections::BTreeSet;

use tokio::time::Instant;

use crate::commerce::changes::log_clock_went_back;
use crate::commerce::changes::window::{CallTime, Mark, OverlapWindow, RowPage, RowRange, WindowCursor};
use crate::commerce::read::cells::moment_micros;
use crate::commerce::rest::capture::lists::{ListRows, is_timed};
use crate::commerce::rest::capture::memory::CaptureMemory;
use crate::commerce::rest::failure::source_error;
use crate::commerce::rest::list::List;
use crate::commerce::rest::read::ids::LEFT_OUT;
use crate::commerce::rest::request::answer::Failure;
use crate::commerce::rest::{RestSource, locked};
use crate::commerce::source::{Captured, Change, ChangeOp, Cursors, LateCause, LateTable, SourceError};
use crate::config::RestConfig;
use orderfeed_model::clock::UtcMillis;

/// The cursor that holds the time at which something was last found, and a number that grows with each such result.
const SEEN: &str = "seen";
/// Number of keys before the newest one that may still be uncommitted when a list is first watched.
const UNCOMMITTED_KEYS: i64 = 50;

/// The state of one call.
pub(in crate::commerce::rest) struct CaptureRound<'a> {
    pub(super) source: &'a RestSource,
    pub(in crate::commerce::rest) memory: &'a mut CaptureMemory,
    /// Maximum number of changes per list.
    pub(super) share: usize,
    pub(in crate::commerce::rest) cursors: Cursors,
    pub(in crate::commerce::rest) changes: Vec<Change>,
    pub(super) more: bool,
    pub(super) late: Vec<LateTable>,
}

impl<'a> CaptureRound<'a> {
    /// Starts a call: compares `cursors` with those last returned.
    pub(super) fn begin(
        source: &'a RestSource,
        memory: &'a mut CaptureMemory,
        cursors: Cursors,
        share: usize,
    ) -> Self {
        memory.resume(&cursors);
        Self {
            source,
            memory,
            share,
            cursors,
            changes: Vec::new(),
            more: false,
            late: Vec::new(),
        }
    }

    /// Makes the next call read every list and the tracks, whatever is due.
    pub(in crate::commerce::rest) fn read_everything_next(&mut self) {
        self.memory.lists_due = None;
        self.memory.tracks.due = None;
    }

    pub(super) fn settings(&self) -> &'a RestConfig {
        &self.source.settings
    }

    /// Returns true if the lists are due, and reserves the next time: calls may follow each other faster, for the journal.
    pub(super) fn takes_lists(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.memory.lists_due.is_none_or(|due| due <= now);
        if is_due {
            self.memory.lists_due = Some(now + self.settings().poll_interval.get());
        }
        is_due
    }

    /// Sets the cursors of lists that are watched from now on.
    pub(super) async fn set_starting_cursors(&mut self, lists: &[List]) -> Result<(), SourceError> {
        for &list in lists {
            let cursor = self.initial_cursor(list).await?;
            self.store_cursor(list, cursor);
        }
        Ok(())
    }

    /// Returns the cursors of a source that is watched from now on.
    pub(super) fn finish_start(mut self) -> Cursors {
        self.record_seen();
        self.cursors
    }

    /// Returns the result of the call, and remembers its cursors.
    pub(super) fn finish(mut self) -> Captured {
        if !self.changes.is_empty() {
            self.record_seen();
        }
        if self.more {
            self.memory.lists_due = None;
        }
        self.memory.results.returned(&self.cursors);
        Captured {
            changes: self.changes,
            cursors: self.cursors,
            more: self.more,
            late: self.late,
        }
    }

    /// Reads every list once. One that does not answer in time delays no other.
    pub(super) async fn scan(&mut self, lists: &[List]) -> Result<(), SourceError> {
        for &list in lists {
            let range = self.next_range(list).await?;
            let left_out = self.left_out(list);
            let now = self.source.client.now();
            match self.source.list_rows(list, range, &left_out, now).await {
                Ok(found) => self.apply(list, range, found, now).await?,
                Err(Failure::TooSlow { .. }) => self.late.push(late(list, LateCause::Slow)),
                Err(Failure::Poisoned { reason }) => {
                    self.late.push(late(list, LateCause::Unreadable(reason)));
                }
                Err(failure) => return Err(source_error(failure)),
            }
        }
        Ok(())
    }

    async fn next_range(&mut self, list: List) -> Result<RowRange, SourceError> {
        if !self.memory.windows.contains_key(&list) {
            let cursor = self.stored_cursor(list).await?;
            let window = OverlapWindow::new(self.memory.overlap, cursor);
            self.memory.windows.insert(list, window);
        }
        let elapsed = self.memory.started.elapsed();
        let window = self.memory.windows.get(&list);
        let share = self.share;
        window
            .map(|window| window.next_range(elapsed, share))
            .ok_or_else(|| SourceError::Unavailable {
                message: "capture lost the position of a list".to_owned(),
            })
    }

    /// Returns the rows that requests leave out: the newest ones, which are the most likely to change.
    fn left_out(&self, list: List) -> Vec<i64> {
        let newest = |ids: &BTreeSet<i64>| ids.iter().rev().take(LEFT_OUT).copied().collect();
        match list {
            List::Orders => newest(&locked(&self.source.poisoned)),
            _ => self.memory.unreadable.get(&list).map(newest).unwrap_or_default(),
        }
    }

    /// Applies the rows of a list, after checking that its cursor is still valid.
    async fn apply(
        &mut self,
        list: List,
        range: RowRange,
        found: ListRows,
        now: UtcMillis,
    ) -> Result<(), SourceError> {
        self.record_unreadable(list, &found.unreadable);
        if !is_timed(list) && self.detect_gap(list, &found).await? {
            self.more = true;
            return Ok(());
        }
        let time = CallTime {
            elapsed: self.memory.started.elapsed(),
            now: now.0 * 1000,
        };
        let table = list.table().spec().table;
        let Some(window) = self.memory.windows.get_mut(&list) else {
            return Ok(());
        };
        if window.apply_clock(time.now) {
            log_clock_went_back(table, &now.sql());
            self.more = true;
        } else {
            let page = RowPage {
                rows: &found.rows,
                returned: found.returned,
            };
            match window.apply(range, page, time, self.share, &mut self.changes) {
                Ok(more) => self.more |= more,
                Err(stuck) => self.late.push(late(
                    list,
                    LateCause::Unreadable(format!(
                        "{} rows after {} do not move the position, so that no later change is seen",
                        stuck.returned, stuck.position
                    )),
                )),
            }
        }
        let cursor = window.cursor();
        self.store_cursor(list, cursor);
        Ok(())
    }

    /// Reports orders that make every page fail, and leaves rows out of the next pages.
    fn record_unreadable(&mut self, list: List, unreadable: &[i64]) {
        if list == List::Orders {
            locked(&self.source.poisoned).extend(unreadable);
            self.changes.extend(unreadable.iter().map(|&order| Change {
                order,
                table: list.table().spec().table,
                op: ChangeOp::Upsert,
            }));
            return;
        }
        let known = self.memory.unreadable.entry(list).or_default();
        known.extend(unreadable);
        if let Some(id) = known.first() {
            let why = format!("the shop fails on {} {id}, which is left out", list.path());
            self.late.push(late(list, LateCause::Unreadable(why)));
        }
    }

    /// Detects that the ids of a list start again below the cursor: a shop that was restored from an older copy. Returns true if
    /// the cursor moved.
    async fn detect_gap(&mut self, list: List, found: &ListRows) -> Result<bool, SourceError> {
        let front = self.stored_cursor(list).await?.front.id;
        // The row at the front is read again with those after it. While one is there, nothing is missing.
        if front == 0 || found.rows.iter().any(|row| row.mark.id >= front) {
            return Ok(false);
        }
        let left_out = self.left_out(list);
        let newest = match self.source.newest_key(list, &left_out).await {
            Ok(newest) => newest,
            // Unknown: the newest row may be one that makes every page fail.
            Err(failure) if failure.of_a_part().is_some() => return Ok(false),
            Err(failure) => return Err(source_error(failure)),
        };
        // A row that is left out may be the one at the front.
        if newest >= front || left_out.contains(&front) {
            return Ok(false);
        }
        let table = list.table().spec().table;
        self.cursors.record_gap(self.source.client.now(), table);
        tracing::warn!(
            log_code = "OF03-04",
            table,
            position = front,
            newest,
            "the newest row is older than the stored position (rows were deleted, or the database was restored or is a \
             replica that lags); capture continues from the newest row; run `orderfeed indexer:reindex` once the \
             database is complete"
        );
        self.memory.windows.remove(&list);
        self.store_cursor(list, WindowCursor::at(Mark::of_key(newest)));
        Ok(true)
    }

    fn store_cursor(&mut self, list: List, cursor: WindowCursor) {
        let name = list.table().spec().table.to_owned();
        self.cursors.0.insert(name, cursor.to_string());
    }

    /// Returns the stored cursor of a list, or the initial one if it was not watched before.
    async fn stored_cursor(&mut self, list: List) -> Result<WindowCursor, SourceError> {
        let name = list.table().spec().table;
        let Some(text) = self.cursors.0.get(name) else {
            return self.initial_cursor(list).await;
        };
        WindowCursor::parse(text, is_timed(list)).ok_or_else(|| SourceError::BadCursor {
            name: name.to_owned(),
            value: text.clone(),
        })
    }

    /// Returns the cursor of a list that is watched from now on. Changes since something was last found are included.
    async fn initial_cursor(&mut self, list: List) -> Result<WindowCursor, SourceError> {
        if is_timed(list) {
            return Ok(WindowCursor::at(self.overlap_before_seen()));
        }
        let newest = self.source.newest_key(list, &[]).await.map_err(source_error)?;
        Ok(WindowCursor {
            front: Mark::of_key(newest),
            // Ids are assigned before the commit, so rows below the newest may still appear.
            tail: Mark::of_key((newest - UNCOMMITTED_KEYS).max(0)),
        })
    }

    /// Returns the mark an overlap before something was last found, or before now.
    fn overlap_before_seen(&self) -> Mark {
        let overlap = i64::try_from(self.memory.overlap.as_micros()).unwrap_or(i64::MAX / 4);
        let now = self.source.client.now().0 * 1000;
        let seen = self.cursors.0.get(SEEN).and_then(|text| text.split_once('/'));
        let seen = seen.and_then(|(at, _)| moment_micros(at.as_bytes()));
        // `seen` may be in the future if the clock was set back since.
        let from = seen.unwrap_or(now).min(now);
        Mark {
            at: Some(from.saturating_sub(overlap)),
            id: 0,
        }
    }

    /// Stores the shop's time as the time at which something was last found.
    fn record_seen(&mut self) {
        let seen = self.memory.results.stamp(self.source.client.now());
        self.cursors.0.insert(SEEN.to_owned(), seen);
    }

    /// Records that a comparison did not end in time or failed.
    pub(super) fn failed_comparison(&mut self, list: List, failure: Failure) -> Result<(), SourceError> {
        let cause = match failure {
            Failure::TooSlow { .. } => LateCause::Slow,
            Failure::Poisoned { reason } => LateCause::Unreadable(reason),
            failure => return Err(source_error(failure)),
        };
        self.late.push(late(list, cause));
        Ok(())
    }
}

fn late(list: List, cause: LateCause) -> LateTable {
    LateTable {
        table: list.table().spec().table,
        cause,
    }
}
