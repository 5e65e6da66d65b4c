//! Finding changed rows without missing those that commit late. Pure: no SQL, no clock.
//!
//! A table is read in the order of a [`Mark`]: `(updated_at, key)`, or just the key where rows are only added. A row gets
//! its mark when it is written, but becomes visible only when its transaction commits, so rows may still appear before the
//! newest row that was read (the **front**). Therefore a second position, the **tail**, follows the front at a distance of
//! the overlap. Each call makes three passes:
//!
//! ```text
//!  settled │        open window         │  not read yet  │ in the future
//! ─────────┼────────────────────────────┼────────────────┼──────────────▶ mark
//!         tail                        front             now
//! ```
//!
//! 1. **Front**: rows after the front that are not in the future are reported, and the front moves. A row from the future
//!    (a writer whose clock is ahead) therefore cannot move the front past rows that are still to come.
//! 2. **Window**: all rows after the tail are compared with those reported before. Late commits, and rows from the future,
//!    are reported at once.
//! 3. **Tail**: a row that leaves the window is reported once more as `Recheck` where its mark has whole seconds, because a
//!    second commit within the same second has the same mark as the first.
//!
//! The tail passes a mark only when the front passed it an overlap ago *by our own monotonic clock*, so that a replica that
//! lags does not shorten the window; and it stays an overlap behind the database's time, so that a clock that is set back
//! by less finds the window open. Front and tail are the stored cursor. The reported rows are kept in memory only, at most
//! [`WINDOW_ROWS`]: after a restart, or when the caller did not store the last result, the whole window is reported again,
//! which costs a comparison of hashes and loses nothing. With more rows in the window than that, only the tail finds late
//! commits, an overlap later.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::commerce::source::{Change, ChangeOp};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// Maximum number of reported rows that are kept per table; about 40 bytes each.
pub(crate) const WINDOW_ROWS: usize = 20_000;
/// Number of earlier front positions that are kept, spread over the overlap.
const CHECKPOINTS: u32 = 32;
/// Number of window passes per overlap. There is at least one per second, and each reads the whole window.
const WINDOW_PASSES: u32 = 30;

/// The position of a row in the order in which its table is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// `updated_at` in seconds since the epoch; `None` where the table is read by key alone.
    pub(crate) at: Option<i64>,
    pub(crate) id: i64,
}

/// The cursor of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WindowCursor {
    /// All rows up to here that were visible have been read.
    pub(crate) front: Mark,
    /// No row up to here can still appear.
    pub(crate) tail: Mark,
}

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
        }
    }

    pub(crate) fn cursor(&self) -> WindowCursor {
        self.cursor
    }

    /// Applies the database's time, in seconds. If it went back far behind the front, front and tail move back too, and newer
    /// rows are reported again. Returns true in that case.
    pub(crate) fn apply_clock(&mut self, now: i64) -> bool {
        let overlap = seconds(self.overlap);
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

    /// Reports the rows that follow the front, in order (front pass).
    pub(crate) fn advance(&mut self, rows: &[SeenRow], changes: &mut Vec<Change>) {
        for row in rows {
            self.report(row, changes);
            self.cursor.front = self.cursor.front.max(row.mark);
        }
    }

    /// Returns true if the window pass is due at the monotonic time `elapsed`, and counts it as made.
    pub(crate) fn start_window_pass(&mut self, elapsed: Duration) -> bool {
        let interval = (self.overlap / WINDOW_PASSES).min(Duration::from_secs(1));
        let due = self
            .last_window_pass
            .is_none_or(|at| elapsed.saturating_sub(at) >= interval);
        if due {
            self.last_window_pass = Some(elapsed);
        }
        due
    }

    /// Returns true if the window has more rows than can be kept, so that a window pass is useless.
    pub(crate) fn is_overflowed(&self) -> bool {
        self.overflowed_until.is_some()
    }

    /// Reports at most `limit` of the rows after the tail, of which `rows` holds up to [`WINDOW_ROWS`] + 1, in order (window
    /// pass). Returns true if more are to be reported; the tail must not move then.
    pub(crate) fn report_late(&mut self, rows: &[SeenRow], limit: usize, changes: &mut Vec<Change>) -> bool {
        // Comparing a truncated list would report some rows again and again and others never.
        if rows.len() > WINDOW_ROWS {
            self.overflow();
            return false;
        }
        let before = changes.len();
        for row in rows {
            if changes.len() - before >= limit {
                return true;
            }
            self.report(row, changes);
        }
        false
    }

    /// Returns the mark up to which the tail may move, given our monotonic time and the database's time in seconds; `None`
    /// if it stays.
    pub(crate) fn horizon(&mut self, elapsed: Duration, now: i64) -> Option<Mark> {
        self.remember_front(elapsed);
        let mut settled = None;
        while let Some(&(at, mark)) = self.passed.front() {
            // Both clocks must agree that an overlap has passed.
            if at + self.overlap > elapsed || !self.is_old(mark, now) {
                break;
            }
            settled = Some(mark);
            self.passed.pop_front();
        }
        settled.filter(|mark| *mark > self.cursor.tail)
    }

    /// Returns true if the rows that leave the window must be reported again.
    pub(crate) fn rechecks(&self) -> bool {
        self.cursor.tail.at.is_some()
            || self
                .overflowed_until
                .is_some_and(|until| self.cursor.tail < until)
    }

    /// Reports the rows between tail and `horizon`, in order, and moves the tail (tail pass). `full` if there are more rows.
    pub(crate) fn settle(&mut self, rows: &[SeenRow], full: bool, horizon: Mark, changes: &mut Vec<Change>) {
        changes.extend(rows.iter().filter_map(|row| row.change(ChangeOp::Recheck)));
        match rows.last() {
            Some(last) if full => {
                self.cursor.tail = last.mark;
                // The rest is due already: the next call continues from the last row.
                self.passed.push_front((Duration::ZERO, horizon));
            }
            _ => self.cursor.tail = horizon,
        }
        let tail = self.cursor.tail;
        // Rows at or before the tail are never compared again.
        self.reported.retain(|id, at| Mark { at: *at, id: *id } > tail);
        self.overflowed_until = self.overflowed_until.filter(|until| tail < *until);
    }

    fn report(&mut self, row: &SeenRow, changes: &mut Vec<Change>) {
        // The same mark again is the same commit, or one within the same second, which the tail pass reports.
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
        mark.at.is_none_or(|at| at <= now - seconds(self.overlap))
    }
}

impl Mark {
    /// Returns a mark in a table that is read by key alone.
    pub(crate) const fn of_key(id: i64) -> Self {
        Self { at: None, id }
    }

    /// Returns the last mark of a second, in a table that is read by time.
    pub(crate) const fn end_of(second: i64) -> Self {
        Self {
            at: Some(second),
            id: i64::MAX,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            // A mark without time is just the key.
            None => text.parse().ok().map(Self::of_key),
            Some((at, id)) => {
                let at = UtcMillis::parse_sql(at)?.0.div_euclid(1000);
                Some(Self {
                    at: Some(at),
                    id: id.parse().ok()?,
                })
            }
        }
    }

    /// Returns `updated_at` in SQL's form, if the mark has one.
    pub(crate) fn moment(self) -> Option<String> {
        self.at.map(|at| UtcMillis::from_secs(at).sql())
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.moment() {
            Some(moment) => write!(f, "{moment}/{}", self.id),
            None => write!(f, "{}", self.id),
        }
    }
}

impl WindowCursor {
    /// Returns the cursor whose front and tail are both at `mark`.
    pub(crate) const fn at(mark: Mark) -> Self {
        Self {
            front: mark,
            tail: mark,
        }
    }

    /// Parses the form that `Display` writes, `front;tail`. Both must be by time if `timed`, else by key.
    pub(crate) fn parse(text: &str, timed: bool) -> Option<Self> {
        let (front, tail) = text.split_once(';')?;
        let cursor = Self {
            front: Mark::parse(front)?,
            tail: Mark::parse(tail)?,
        };
        (cursor.front.at.is_some() == timed && cursor.tail.at.is_some() == timed).then_some(cursor)
    }
}

impl std::fmt::Display for WindowCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{};{}", self.front, self.tail)
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs_f64().ceil() as u64).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
