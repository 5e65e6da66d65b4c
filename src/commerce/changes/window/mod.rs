//! Noticing changed rows without missing those that commit late. Pure: no SQL, no clock.
//!
//! A table is read in the order of a [`Mark`]: `(updated_at, key)`, or just the key where rows only get added. A mark
//! is given when a row is written, but the row shows only when its transaction commits, so behind the newest row that
//! was seen (the **front**) rows may still appear. Therefore a second position, the **tail**, follows the front by the
//! overlap. Three looks per call:
//!
//! ```text
//!  settled │        open window         │  not read yet  │ in the future
//! ─────────┼────────────────────────────┼────────────────┼──────────────▶ mark
//!         tail                        front             now
//! ```
//!
//! 1. **Front**: what is behind the front and not in the future is reported, and the front moves. A row from the
//!    future (a writer whose clock is ahead) cannot drag the front along and hide the others.
//! 2. **Window**: everything behind the tail, compared with what was reported from memory: late commits, and rows of
//!    the future, are reported at once.
//! 3. **Tail**: a row that leaves the window is reported once more as `Recheck` where its mark has whole seconds: a
//!    second commit within the same second looks exactly like the first.
//!
//! The tail moves over a mark only when the front passed it an overlap ago *by our own watch*, so a replica that lags
//! does not shorten the window, and never closer to the database's time than the overlap, so a clock that is set back
//! by less finds the window open. Front and tail are the stored cursor. What was reported is remembered in memory only,
//! bounded by [`WINDOW_ROWS`]: after a restart, or when the caller did not keep what it was given, the window is
//! reported again, which costs a comparison of hashes and loses nothing. With more rows in the window than that, the
//! tail alone finds late commits, an overlap later.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::commerce::source::{Change, ChangeOp};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::OrderId;

/// How many rows of an open window are remembered, per table; about 40 bytes each.
pub(crate) const WINDOW_ROWS: usize = 20_000;
/// How many positions of the front are remembered; they are spread over the overlap.
const CHECKPOINTS: u32 = 32;
/// How often within an overlap the window is looked through, and at least every second: it is read whole each time.
const LOOKS: u32 = 30;

/// A row's place in the order in which its table is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// `updated_at` in seconds since the epoch; `None` where the table is read by key alone.
    pub(crate) at: Option<i64>,
    /// The row's key.
    pub(crate) id: i64,
}

/// The stored position in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WindowCursor {
    /// Everything up to here was read.
    pub(crate) front: Mark,
    /// Nothing up to here can still appear.
    pub(crate) tail: Mark,
}

/// A row that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenRow {
    /// Its place.
    pub(crate) mark: Mark,
    /// Its order; `None` if that is gone.
    pub(crate) order: Option<OrderId>,
    /// The table in which something happened.
    pub(crate) table: &'static str,
    /// What happened, as far as is known.
    pub(crate) op: ChangeOp,
}

/// What is remembered of one table between calls.
#[derive(Debug)]
pub(crate) struct OverlapWindow {
    overlap: Duration,
    span: WindowCursor,
    reported: HashMap<i64, Option<i64>>,
    passed: VecDeque<(Duration, Mark)>,
    blind_until: Option<Mark>,
    looked: Option<Duration>,
}

impl OverlapWindow {
    /// Starts at a stored position with an empty memory.
    pub(crate) fn new(overlap: Duration, span: WindowCursor) -> Self {
        Self {
            overlap,
            span,
            reported: HashMap::new(),
            passed: VecDeque::new(),
            blind_until: None,
            looked: None,
        }
    }

    /// Where it stands now.
    pub(crate) fn span(&self) -> WindowCursor {
        self.span
    }

    /// Tells the window the database's time in seconds. `true` if that went back so far behind what was read that the
    /// position was taken back too; what is newer is then reported again.
    pub(crate) fn meet_clock(&mut self, now: i64) -> bool {
        let overlap = seconds(self.overlap);
        if self.span.front.at.is_none_or(|front| front <= now + overlap / 2) {
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
                tail: self.span.tail.min(back),
            },
        );
        true
    }

    /// Takes the rows that follow the front, in order.
    pub(crate) fn advance(&mut self, rows: &[SeenRow], changes: &mut Vec<Change>) {
        for row in rows {
            self.report(row, changes);
            self.span.front = self.span.front.max(row.mark);
        }
    }

    /// Whether the window is to be looked through now, by our own watch, rather than at a later call.
    pub(crate) fn look_is_due(&mut self, watch: Duration) -> bool {
        let interval = (self.overlap / LOOKS).min(Duration::from_secs(1));
        let due = self.looked.is_none_or(|at| watch.saturating_sub(at) >= interval);
        if due {
            self.looked = Some(watch);
        }
        due
    }

    /// Whether more rows are in the window than can be remembered, so that looking through it is of no use.
    pub(crate) fn is_blind(&self) -> bool {
        self.blind_until.is_some()
    }

    /// Takes the rows behind the tail, in order, at most [`WINDOW_ROWS`] + 1 of them; reports at most `limit`.
    /// `true` if there is more to report; the tail must not move then.
    pub(crate) fn look_back(&mut self, rows: &[SeenRow], limit: usize, changes: &mut Vec<Change>) -> bool {
        if rows.len() > WINDOW_ROWS {
            self.go_blind();
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

    /// Up to where the tail may move now, given our own watch and the database's time; `None` if it stays.
    pub(crate) fn horizon(&mut self, watch: Duration, now: i64) -> Option<Mark> {
        self.remember_front(watch);
        let mut settled = None;
        while let Some(&(at, mark)) = self.passed.front() {
            if at + self.overlap > watch || !self.is_old(mark, now) {
                break;
            }
            settled = Some(mark);
            self.passed.pop_front();
        }
        settled.filter(|mark| *mark > self.span.tail)
    }

    /// Whether the rows that leave the window must be read again.
    pub(crate) fn rechecks(&self) -> bool {
        self.span.tail.at.is_some() || self.blind_until.is_some_and(|until| self.span.tail < until)
    }

    /// Takes the rows between tail and `horizon`, in order; `full` if there are more of them.
    pub(crate) fn settle(&mut self, rows: &[SeenRow], full: bool, horizon: Mark, changes: &mut Vec<Change>) {
        changes.extend(rows.iter().filter_map(|row| {
            row.order.map(|order| Change {
                order,
                table: row.table,
                op: ChangeOp::Recheck,
            })
        }));
        match rows.last() {
            Some(last) if full => {
                self.span.tail = last.mark;
                // The rest of the way is due already.
                self.passed.push_front((Duration::ZERO, horizon));
            }
            _ => self.span.tail = horizon,
        }
        let tail = self.span.tail;
        self.reported.retain(|id, at| Mark { at: *at, id: *id } > tail);
        self.blind_until = self.blind_until.filter(|until| tail < *until);
    }

    fn report(&mut self, row: &SeenRow, changes: &mut Vec<Change>) {
        if self.reported.insert(row.mark.id, row.mark.at) == Some(row.mark.at) {
            return;
        }
        if self.reported.len() > WINDOW_ROWS {
            self.go_blind();
        }
        changes.extend(row.order.map(|order| Change {
            order,
            table: row.table,
            op: row.op,
        }));
    }

    /// Too much to remember: from here to the front, only the tail finds late commits.
    fn go_blind(&mut self) {
        self.reported.clear();
        self.blind_until = self.blind_until.max(Some(self.span.front));
    }

    fn remember_front(&mut self, watch: Duration) {
        let front = self.span.front;
        let newest = self.passed.back().copied();
        if newest.is_none_or(|(at, mark)| mark < front && at + self.overlap / CHECKPOINTS <= watch) {
            self.passed.push_back((watch, front));
        }
    }

    fn is_old(&self, mark: Mark, now: i64) -> bool {
        mark.at.is_none_or(|at| at <= now - seconds(self.overlap))
    }
}

impl Mark {
    /// A mark in a table that is read by key alone.
    pub(crate) const fn of_key(id: i64) -> Self {
        Self { at: None, id }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
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

    /// `updated_at` as SQL writes it, if the mark has one.
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
    /// Reads what [`WindowCursor`]'s `Display` wrote: `front;tail`. Both are by time or both by key, as `timed` says.
    pub(crate) fn parse(text: &str, timed: bool) -> Option<Self> {
        let (front, tail) = text.split_once(';')?;
        let span = Self {
            front: Mark::parse(front)?,
            tail: Mark::parse(tail)?,
        };
        (span.front.at.is_some() == timed && span.tail.at.is_some() == timed).then_some(span)
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
