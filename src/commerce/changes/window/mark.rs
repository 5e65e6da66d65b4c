//! Positions in a table, and their form as stored cursors.

use std::fmt;
use std::time::Duration;

use crate::commerce::read::cells::{MICROS, moment_micros};
use orderfeed_model::clock::UtcMillis;

/// The position of a row in the order in which its table is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    /// `updated_at` in microseconds since the epoch, the precision of the most precise column; `None` where the table is read
    /// by key alone.
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

impl Mark {
    /// Returns a mark in a table that is read by key alone.
    pub(crate) const fn of_key(id: i64) -> Self {
        Self { at: None, id }
    }

    /// Returns the mark after which the row of this one follows, in a table that is read by key: that row proves that the
    /// table still holds the position.
    pub(super) fn inclusive(self) -> Self {
        match self.at {
            None => Self::of_key(self.id.saturating_sub(1)),
            Some(_) => self,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            // A mark without time is just the key.
            None => text.parse().ok().map(Self::of_key),
            Some((at, id)) => Some(Self {
                at: Some(moment_micros(at.as_bytes())?),
                id: id.parse().ok()?,
            }),
        }
    }

    /// Returns `updated_at` in SQL's form, if the mark has one.
    pub(crate) fn moment(self) -> Option<String> {
        self.at.map(sql_moment)
    }
}

/// Formats microseconds since the epoch in SQL's form; digits after the second only if there are any.
pub(crate) fn sql_moment(micros: i64) -> String {
    let whole = UtcMillis::from_secs(micros.div_euclid(MICROS)).sql();
    match micros.rem_euclid(MICROS) {
        0 => whole,
        fraction => format!("{whole}.{fraction:06}"),
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

impl fmt::Display for WindowCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.front, self.tail)
    }
}

/// Returns a duration in microseconds.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}
