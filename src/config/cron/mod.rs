//! Cron expressions, and the decision whether a job is due. Pure: the caller passes the last run and the time.
//!
//! Schedulers most often fail at time zones and clock changes, so the rules are few and tested:
//!
//! * A job is due when a slot of its expression is after its last run and not after now. If several slots were missed (a
//!   stop, a long run, a suspended machine), only the latest one runs, once.
//! * A job without a last run is due at once. For a job that has nothing to do on a new store, the caller passes the time
//!   of the first check as its last run, so that it starts with its next slot.
//! * Where the clocks skip an hour, a slot of that hour moves to its end; where they repeat one, a job that follows the
//!   hour (`30 * * * *`) runs in both.
//! * When the wall clock is set back, no slot runs a second time: the job waits until the clock has passed its last run.
//!   The wait is bounded: if it would exceed one period of the job (or one minute, if the period is shorter), the old run
//!   is taken for an error of the clock, and the schedule continues from now.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, TimeZone};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::config::values::InvalidValue;
use orderfeed_model::clock::UtcMillis;

/// A cron expression of 5 fields, or 6 with seconds first, and its text. Day of month and day of week are alternatives
/// where both are restricted, as in Vixie cron.
#[derive(Clone)]
pub struct CronExpr {
    text: Arc<str>,
    cron: Arc<Cron>,
}

/// The state of a schedule at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The slot to run now, if one is due.
    pub slot: Option<Slot>,
    /// The last run to store, also without a slot. It differs from the one passed if a slot is due, and if the clock was
    /// set back by more than a period.
    pub last_run: Option<UtcMillis>,
    /// The first slot after now; `None` if the expression has no more.
    pub next: Option<UtcMillis>,
}

/// A time at which a job should run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The time that the expression names.
    pub scheduled_for: UtcMillis,
    /// True if earlier slots were missed; this one replaces them.
    pub missed_earlier: bool,
}

/// Shortest bound of the wait after the clock was set back.
const SHORTEST_HOLD_MILLIS: i64 = 60_000;

/// Decides whether a job is due. `last_run` is that of the previous result, which is stored over restarts; `None` for a job
/// that never ran.
pub fn due(expr: &CronExpr, zone: Tz, last_run: Option<UtcMillis>, now: UtcMillis) -> Due {
    let next = expr.next_after(zone, now);
    let latest = expr.latest_until(zone, now);
    let Some(last) = last_run else {
        let slot = latest.map(|scheduled_for| Slot {
            scheduled_for,
            missed_earlier: false,
        });
        return Due {
            slot,
            last_run: latest,
            next,
        };
    };
    if last > now {
        // The clock was set back. Waiting keeps the slots since then from running twice.
        let last_run = if last.millis_since(now) > expr.longest_hold(zone, last) {
            now
        } else {
            last
        };
        let next = expr.next_after(zone, last_run);
        return Due {
            slot: None,
            last_run: Some(last_run),
            next,
        };
    }
    match latest.filter(|latest| *latest > last) {
        Some(scheduled_for) => {
            // Only the latest slot runs; the first one after the last run shows whether there were others.
            let missed_earlier = expr
                .next_after(zone, last)
                .is_some_and(|first| first < scheduled_for);
            Due {
                slot: Some(Slot {
                    scheduled_for,
                    missed_earlier,
                }),
                last_run: Some(scheduled_for),
                next,
            }
        }
        None => Due {
            slot: None,
            last_run: Some(last),
            next,
        },
    }
}

impl CronExpr {
    /// Returns the expression as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the first slot after `at`; `None` if the expression has no more.
    pub fn next_after(&self, zone: Tz, at: UtcMillis) -> Option<UtcMillis> {
        let found = self.cron.find_next_occurrence(&local(zone, at), false).ok()?;
        Some(UtcMillis(found.timestamp_millis()))
    }

    /// Returns the last slot at or before `at`.
    fn latest_until(&self, zone: Tz, at: UtcMillis) -> Option<UtcMillis> {
        let found = self.cron.find_previous_occurrence(&local(zone, at), true).ok()?;
        Some(UtcMillis(found.timestamp_millis()))
    }

    /// Returns the longest wait for the clock to pass `last`, in milliseconds: one period after it, or a minute if longer.
    fn longest_hold(&self, zone: Tz, last: UtcMillis) -> i64 {
        let period = self
            .next_after(zone, last)
            .map_or(i64::MAX, |next| next.millis_since(last));
        period.max(SHORTEST_HOLD_MILLIS)
    }
}

/// Returns `at` in a time zone, without the fraction of its second: slots are on whole seconds.
fn local(zone: Tz, at: UtcMillis) -> DateTime<Tz> {
    let whole_second = UtcMillis(at.0 - at.0.rem_euclid(1000));
    zone.from_utc_datetime(&whole_second.to_chrono().naive_utc())
}

impl FromStr for CronExpr {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let fields = text.split_whitespace().count();
        if !(5..=6).contains(&fields) {
            let expected = "5 fields (minute hour day month weekday), or 6 with seconds first";
            return Err(InvalidValue::new(format!("has {fields} fields"), expected));
        }
        // The parser accepts an empty element as no value at all, and the search for such a slot never ends.
        if text
            .split_whitespace()
            .flat_map(|field| field.split(','))
            .any(str::is_empty)
        {
            let expected = "values between the commas, such as \"0,30 * * * *\"";
            return Err(InvalidValue::new("has a list with an empty element", expected));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(text).map_err(|error| {
            let expected = "5 fields such as \"*/5 * * * *\", or 6 with seconds first";
            InvalidValue::new(format!("is not a cron expression ({error})"), expected)
        })?;
        let expr = Self {
            text: text.into(),
            cron: Arc::new(cron),
        };
        // A day such as 31 February parses, but never comes. The search covers thousands of years from any start.
        match expr.next_after(Tz::UTC, UtcMillis::from_secs(0)) {
            Some(_) => Ok(expr),
            None => Err(InvalidValue::new(
                "never fires",
                "a day that exists, such as \"0 0 28 2 *\"",
            )),
        }
    }
}

impl fmt::Display for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CronExpr({:?})", self.text)
    }
}

impl PartialEq for CronExpr {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CronExpr {}

#[cfg(test)]
mod tests;
