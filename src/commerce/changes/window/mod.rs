//! Finding changed rows without missing those that commit late. Pure: no SQL, no clock.
//!
//! A table is read in the order of a [`Mark`]: `(updated_at, key)`, or just the key where rows are only added. A row gets
//! its mark when it is written, but becomes visible only when its transaction commits, so rows may still appear before the
//! newest row that was read (the **front**). Therefore a second position, the **tail**, follows the front at a distance of
//! the overlap:
//!
//! ```text
//!  settled │        open window         │  not read yet  │ in the future
//! ─────────┼────────────────────────────┼────────────────┼──────────────▶ mark
//!         tail                        front             now
//! ```
//!
//! Each call reads one range of the table, a [`Pass`]:
//!
//! - **Window**, as a rule: all rows after the tail are compared with those reported before. New rows, late commits, and
//!   rows from the future are reported at once. The front moves to the last row that is not in the future, so that a row
//!   from the future (a writer whose clock is ahead) cannot move it past rows that are still to come.
//! - **Front**, while there is a backlog: a page of the rows after the front that are not in the future.
//! - **Tail**, while the window holds too many rows to compare: a page of the rows that leave it.
//!
//! A row that leaves the window is reported once more as `Recheck`, because a second commit may have the same mark as the
//! first.
//!
//! The tail passes a mark only when the front passed it an overlap ago *by our own monotonic clock*, so that a replica that
//! lags does not shorten the window; and it stays an overlap behind the database's time, so that a clock that is set back
//! by less finds the window open. Front and tail are the stored cursor. The reported rows are kept in memory only, at most
//! [`WINDOW_ROWS`]: after a restart, or when the caller did not store the last result, the whole window is reported again,
//! which costs a comparison of hashes and loses nothing. With more rows in the window than that, only the tail finds late
//! commits, an overlap later.

mod mark;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::commerce::changes::window::mark::micros;
use crate::commerce::source::{Change, ChangeOp};
use orderfeed_model::order::OrderId;

pub(crate) use crate::commerce::changes::window::mark::{Mark, WindowCursor};

/// Maximum number of reported rows that are kept per table; about 40 bytes each.
pub(crate) const WINDOW_ROWS: usize = 20_000;
/// Number of earlier front positions that are kept, spread over the overlap.
const CHECKPOINTS: u32 = 32;
/// Number of window passes per overlap. There is at least one per second, and each reads the whole window.
const WINDOW_PASSES: u32 = 30;

/// A row that was read because it is new or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenRow {
    pub(crate) mark: Mark,
    /// The order that the row belongs to; `None` if it no longer exists.
    pub(crate) order: Option<OrderId>,
    pub(crate) table: &'static str,
    pub(crate) op: ChangeOp,
}

impl SeenRow {
    /// Returns the change of the row's order, if it still exists.
    pub(crate) fn change(&self, op: ChangeOp) -> Option<Change> {
        self.order.map(|order| Change {
            order,
            table: self.table,
            op,
        })
    }
}

/// The purpose of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    Window,
    Front,
    /// Up to this mark.
    Tail(Mark),
}

/// The rows that a call reads from one table: those after a mark, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowRange {
    pub(crate) pass: Pass,
    pub(crate) after: Mark,
    pub(crate) limit: usize,
}

/// The rows of a range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowPage<'a> {
    pub(crate) rows: &'a [SeenRow],
    /// Number of rows that the database returned. More than `rows` if some could not be understood.
    pub(crate) returned: usize,
}

/// The time of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallTime {
    /// Our own monotonic time.
    pub(crate) elapsed: Duration,
    /// The database's time, in microseconds since the epoch.
    pub(crate) now: i64,
}

/// A page that does not move the position, so that the same rows would be read for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stuck {
    pub(crate) position: Mark,
    pub(crate) returned: usize,
}

/// The capture state of one table between calls.
#[derive(Debug)]
pub(crate) struct OverlapWindow {
    overlap: Duration,
    cursor: WindowCursor,
    /// The rows reported since they entered the window: key and `updated_at`.
    reported: HashMap<i64, Option<i64>>,
    /// Earlier positions of the front, with the monotonic time of each.
    passed: VecDeque<(Duration, Mark)>,
    /// The end of the range in which reported rows were too many to keep.
    overflowed_until: Option<Mark>,
    last_window_pass: Option<Duration>,
    /// True until the front has caught up with the table.
    behind: bool,
    /// The end of a pass over the tail that is due.
    leaving: Option<Mark>,
}

impl OverlapWindow {
    /// Starts at a stored cursor, with nothing reported.
    pub(crate) fn new(overlap: Duration, cursor: WindowCursor) -> Self {
        Self {
            overlap,
            cursor,
            reported: HashMap::new(),
            passed: VecDeque::new(),
            overflowed_until: None,
            last_window_pass: None,
            behind: true,
            leaving: None,
        }
    }

    pub(crate) fn cursor(&self) -> WindowCursor {
        self.cursor
    }

    /// Applies the database's time. If it went back far behind the front, front and tail move back too, and newer rows are
    /// reported again. Returns true in that case.
    pub(crate) fn apply_clock(&mut self, now: i64) -> bool {
        let overlap = micros(self.overlap);
        if self
            .cursor
            .front
            .at
            .is_none_or(|front| front <= now + overlap / 2)
        {
            return false;
        }
        let back = Mark {
            at: Some(now - overlap),
            id: 0,
        };
        *self = Self::new(
            self.overlap,
            WindowCursor {
                front: back,
                tail: self.cursor.tail.min(back),
            },
        );
        true
    }

    /// Returns what to read next. `share` is the maximum number of rows of a page.
    pub(crate) fn next_range(&self, elapsed: Duration, share: usize) -> RowRange {
        let interval = (self.overlap / WINDOW_PASSES).min(Duration::from_secs(1));
        let is_due = self
            .last_window_pass
            .is_none_or(|at| elapsed.saturating_sub(at) >= interval);
        let (pass, after, limit) = match self.leaving {
            Some(horizon) => (Pass::Tail(horizon), self.cursor.tail, share),
            None if self.behind || self.overflowed_until.is_some() || !is_due => {
                (Pass::Front, self.cursor.front.inclusive(), share)
            }
            // Two more: the row at the tail, and one by which too many are noticed.
            None => (Pass::Window, self.cursor.tail.inclusive(), WINDOW_ROWS + 2),
        };
        // A key's own row is read again, and a page must have another one.
        let limit = limit.max(2);
        RowRange { pass, after, limit }
    }

    /// Applies the rows of `range`, which was returned by [`OverlapWindow::next_range`] and not applied yet. Reports at most
    /// about `share` changes. Returns true if another read would return more at once.
    ///
    /// # Errors
    /// [`Stuck`] if a full page does not move the position.
    pub(crate) fn apply(
        &mut self,
        range: RowRange,
        page: RowPage<'_>,
        time: CallTime,
        share: usize,
        changes: &mut Vec<Change>,
    ) -> Result<bool, Stuck> {
        let full = page.returned >= range.limit;
        match range.pass {
            Pass::Front => {
                let before = self.cursor.front;
                let rows = page.rows.iter().filter(|row| row.mark > before);
                self.advance(rows, time.now, usize::MAX, changes);
                self.check_progress(page, full, before)?;
                if full {
                    // A backlog: the window is read once the front has caught up.
                    self.behind = true;
                    return Ok(true);
                }
                let caught_up = std::mem::take(&mut self.behind);
                let settles = self.overflowed_until.is_some() && self.settle_without_rows(time);
                Ok(caught_up || settles)
            }
            Pass::Window => {
                self.check_progress(page, false, self.cursor.front)?;
                self.last_window_pass = Some(time.elapsed);
                // Comparing a truncated list would report some rows again and again and others never.
                if full || page.rows.len() > WINDOW_ROWS + 1 {
                    self.overflow();
                    return Ok(true);
                }
                let tail = self.cursor.tail;
                let rows = page.rows.iter().filter(|row| row.mark > tail);
                if self.advance(rows, time.now, share, changes) {
                    self.behind = true;
                    return Ok(true);
                }
                Ok(self.settle_from_window(page.rows, time, share, changes))
            }
            Pass::Tail(horizon) => {
                let before = self.cursor.tail;
                self.settle(page.rows, full, horizon, changes);
                self.leaving = full.then_some(horizon);
                if full && self.cursor.tail == before {
                    return Err(Stuck {
                        position: before,
                        returned: page.returned,
                    });
                }
                Ok(full)
            }
        }
    }

    /// Returns an error if a page that has rows has none that can be followed.
    fn check_progress(&self, page: RowPage<'_>, full: bool, before: Mark) -> Result<(), Stuck> {
        let unreadable = page.returned > 0 && page.rows.is_empty();
        if unreadable || (full && self.cursor.front == before) {
            return Err(Stuck {
                position: before,
                returned: page.returned,
            });
        }
        Ok(())
    }

    /// Reports the rows that were not reported yet, in order, and moves the front over those that are not in the future.
    /// Returns true if it stopped at `limit` changes.
    fn advance<'a>(
        &mut self,
        rows: impl Iterator<Item = &'a SeenRow>,
        now: i64,
        limit: usize,
        changes: &mut Vec<Change>,
    ) -> bool {
        let before = changes.len();
        for row in rows {
            if changes.len() - before >= limit {
                return true;
            }
            self.report(row, changes);
            if row.mark.at.is_none_or(|at| at <= now) {
                self.cursor.front = self.cursor.front.max(row.mark);
            }
        }
        false
    }

    /// Moves the tail after a front pass, where nothing has to be reported again. Returns true if a pass over the tail is due.
    fn settle_without_rows(&mut self, time: CallTime) -> bool {
        let Some(horizon) = self.horizon(time) else {
            return false;
        };
        if self.rechecks() {
            self.leaving = Some(horizon);
            return true;
        }
        self.settle(&[], false, horizon, &mut Vec::new());
        false
    }

    /// Moves the tail after a window pass. Returns true if there are more rows to report.
    fn settle_from_window(
        &mut self,
        rows: &[SeenRow],
        time: CallTime,
        share: usize,
        changes: &mut Vec<Change>,
    ) -> bool {
        let Some(horizon) = self.horizon(time) else {
            return false;
        };
        let tail = self.cursor.tail;
        let leaving: Vec<_> = rows
            .iter()
            .filter(|row| self.rechecks() && row.mark > tail && row.mark <= horizon)
            .copied()
            .collect();
        let full = leaving.len() > share;
        self.settle(&leaving[..leaving.len().min(share)], full, horizon, changes);
        self.leaving = full.then_some(horizon);
        full
    }

    /// Returns the mark up to which the tail may move; `None` if it stays.
    fn horizon(&mut self, time: CallTime) -> Option<Mark> {
        self.remember_front(time.elapsed);
        let mut settled = None;
        while let Some(&(at, mark)) = self.passed.front() {
            // Both clocks must agree that an overlap has passed.
            if at + self.overlap > time.elapsed || !self.is_old(mark, time.now) {
                break;
            }
            settled = Some(mark);
            self.passed.pop_front();
        }
        settled.filter(|mark| *mark > self.cursor.tail)
    }

    /// Returns true if the rows that leave the window must be reported again.
    fn rechecks(&self) -> bool {
        self.cursor.tail.at.is_some()
            || self
                .overflowed_until
                .is_some_and(|until| self.cursor.tail < until)
    }

    /// Reports the rows between tail and `horizon`, in order, and moves the tail. `full` if there are more rows.
    fn settle(&mut self, rows: &[SeenRow], full: bool, horizon: Mark, changes: &mut Vec<Change>) {
        changes.extend(rows.iter().filter_map(|row| row.change(ChangeOp::Recheck)));
        self.cursor.tail = match rows.last() {
            // The next pass continues from the last row.
            Some(last) if full => self.cursor.tail.max(last.mark),
            None if full => self.cursor.tail,
            _ => horizon,
        };
        let tail = self.cursor.tail;
        // Rows at or before the tail are never compared again.
        self.reported.retain(|id, at| Mark { at: *at, id: *id } > tail);
        self.overflowed_until = self.overflowed_until.filter(|until| tail < *until);
    }

    fn report(&mut self, row: &SeenRow, changes: &mut Vec<Change>) {
        // The same mark again is the same commit, or one at the same time, which is reported when it leaves the window.
        if self.reported.insert(row.mark.id, row.mark.at) == Some(row.mark.at) {
            return;
        }
        if self.reported.len() > WINDOW_ROWS {
            self.overflow();
        }
        changes.extend(row.change(row.op));
    }

    /// Forgets the reported rows, which are too many: up to the front, only the tail pass finds late commits.
    fn overflow(&mut self) {
        self.reported.clear();
        self.overflowed_until = self.overflowed_until.max(Some(self.cursor.front));
    }

    fn remember_front(&mut self, elapsed: Duration) {
        let front = self.cursor.front;
        let newest = self.passed.back().copied();
        // A position per call would be thousands; a few, spread over the overlap, move the tail as well.
        if newest.is_none_or(|(at, mark)| mark < front && at + self.overlap / CHECKPOINTS <= elapsed) {
            self.passed.push_back((elapsed, front));
        }
    }

    fn is_old(&self, mark: Mark, now: i64) -> bool {
        mark.at.is_none_or(|at| at <= now - micros(self.overlap))
    }
}

#[cfg(test)]
mod tests;
