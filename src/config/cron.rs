//! Cron expressions, and the decision when a job is due. Pure: the caller brings the last run and the time.
//!
//! Time zones and clocks are where schedulers hurt, so the rules are few and tested:
//!
//! * A job is due when a slot of its expression lies after its last run and not after now. However many slots were
//!   missed (a stop, a long run, a suspended machine), the latest one runs, once.
//! * A job that never ran is due at once.
//! * Where the clocks skip an hour, a slot of that hour moves to its end; where they repeat one, a job that follows
//!   the hour (`30 * * * *`) runs in both.
//! * When the wall clock is set back, no slot runs a second time: the job waits until the clock has passed its last
//!   run. That wait is bounded: if it would exceed one period of the job (one minute, if the period is shorter),
//!   the old run is taken for a mistake of the clock, and the schedule goes on from now.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, TimeZone};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::clock::UtcMillis;
use crate::config::values::Unfit;

/// A cron expression of 5 fields, or 6 with seconds first, together with the text it was written as. Day of month
/// and day of week are alternatives where both are restricted, as in Vixie cron.
#[derive(Clone)]
pub struct CronExpr {
    text: Arc<str>,
    cron: Arc<Cron>,
}

/// What a look at a schedule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The slot to run now, if there is one.
    pub slot: Option<Slot>,
    /// What to keep as the last run, whether or not there is a slot. It differs from what was given where a slot
    /// is due, and where the clock was set back by more than a period.
    pub last_run: Option<UtcMillis>,
    /// The first slot after now; none where the expression has no more.
    pub next: Option<UtcMillis>,
}

/// A moment at which a job should run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The moment that the expression names.
    pub scheduled_for: UtcMillis,
    /// Whether earlier slots went by without a run; this one stands for them.
    pub missed_earlier: bool,
}

/// Shortest time that a job waits after the clock was set back before its schedule starts anew.
const SHORTEST_HOLD_MILLIS: i64 = 60_000;

/// Decides whether a job is due. `last_run` is what the previous call returned (persisted over restarts), `None` for a
/// job that never ran.
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
    /// The expression as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first slot after `at`; none where the expression has no more.
    pub fn next_after(&self, zone: Tz, at: UtcMillis) -> Option<UtcMillis> {
        let found = self.cron.find_next_occurrence(&local(zone, at), false).ok()?;
        Some(UtcMillis(found.timestamp_millis()))
    }

    /// The last slot at or before `at`.
    fn latest_until(&self, zone: Tz, at: UtcMillis) -> Option<UtcMillis> {
        let found = self.cron.find_previous_occurrence(&local(zone, at), true).ok()?;
        Some(UtcMillis(found.timestamp_millis()))
    }

    /// One period after `last`, or a minute, whichever is longer.
    fn longest_hold(&self, zone: Tz, last: UtcMillis) -> i64 {
        let period = self
            .next_after(zone, last)
            .map_or(i64::MAX, |next| next.millis_since(last));
        period.max(SHORTEST_HOLD_MILLIS)
    }
}

/// Slots lie on whole seconds, and so must the time that they are searched from.
fn local(zone: Tz, at: UtcMillis) -> DateTime<Tz> {
    let whole_second = UtcMillis(at.0 - at.0.rem_euclid(1000));
    zone.from_utc_datetime(&whole_second.to_chrono().naive_utc())
}

impl FromStr for CronExpr {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        let fields = text.split_whitespace().count();
        if !(5..=6).contains(&fields) {
            let expected = "5 fields (minute hour day month weekday), or 6 with seconds first";
            return Err(Unfit::new(format!("has {fields} fields"), expected));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(text).map_err(|error| {
            let expected = "5 fields such as \"*/5 * * * *\", or 6 with seconds first";
            Unfit::new(format!("is not a cron expression ({error})"), expected)
        })?;
        let expr = Self {
            text: text.into(),
            cron: Arc::new(cron),
        };
        // A day such as 31 February parses. The search looks thousands of years ahead, so any start will do.
        match expr.next_after(Tz::UTC, UtcMillis::from_secs(0)) {
            Some(_) => Ok(expr),
            None => Err(Unfit::new(
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
mod tests {
    use super::*;

    const AMSTERDAM: Tz = Tz::Europe__Amsterdam;

    fn cron(text: &str) -> CronExpr {
        text.parse().unwrap()
    }

    fn at(text: &str) -> UtcMillis {
        UtcMillis::parse_rfc3339(text).unwrap()
    }

    /// The slots between two moments, found by asking once a second as the daemon does.
    fn slots(expr: &str, zone: Tz, from: &str, to: &str) -> Vec<String> {
        let (expr, mut now, mut last, mut slots) = (cron(expr), at(from), Some(at(from)), Vec::new());
        while now < at(to) {
            now = now.plus_millis(1003);
            let due = due(&expr, zone, last, now);
            last = due.last_run;
            slots.extend(due.slot.map(|slot| {
                assert!(!slot.missed_earlier, "asked every second, nothing is missed");
                local(zone, slot.scheduled_for)
                    .format("%d %H:%M:%S%:z")
                    .to_string()
            }));
        }
        slots
    }

    #[test]
    fn five_fields_and_six_with_seconds_are_accepted_and_nothing_else() {
        for text in [
            "*/5 * * * * *",
            "* * * * *",
            "0 2 * * *",
            "0 0 29 2 *",
            "0 9 * * MON-FRI",
        ] {
            assert_eq!(cron(text).as_str(), text);
        }
        for text in [
            "",
            "@daily",
            "* * * *",
            "0 0 0 1 1 * 2030",
            "61 * * * *",
            "a b c d e",
        ] {
            assert!(text.parse::<CronExpr>().is_err(), "{text}");
        }
        let never = "0 0 31 2 *".parse::<CronExpr>().unwrap_err();
        assert_eq!(never.what, "never fires");
    }

    #[test]
    fn seconds_come_first_where_there_are_six_fields() {
        let fired = slots(
            "*/20 * * * * *",
            Tz::UTC,
            "2026-11-22T07:00:00Z",
            "2026-11-22T07:01:00Z",
        );
        assert_eq!(
            fired,
            ["22 07:00:20+00:00", "22 07:00:40+00:00", "22 07:01:00+00:00"]
        );
    }

    #[test]
    fn a_slot_in_the_skipped_hour_moves_to_its_end_and_a_daily_one_follows_local_time() {
        let fired = slots(
            "30 2 * * *",
            AMSTERDAM,
            "2026-03-28T00:00:00Z",
            "2026-03-30T12:00:00Z",
        );
        assert_eq!(
            fired,
            ["28 02:30:00+01:00", "29 03:00:00+02:00", "30 02:30:00+02:00"]
        );
        let fired = slots(
            "0 6 * * *",
            AMSTERDAM,
            "2026-03-28T00:00:00Z",
            "2026-03-29T12:00:00Z",
        );
        assert_eq!(fired, ["28 06:00:00+01:00", "29 06:00:00+02:00"]);
    }

    #[test]
    fn in_the_repeated_hour_an_hourly_job_runs_twice_and_never_goes_back() {
        let fired = slots(
            "30 * * * *",
            AMSTERDAM,
            "2026-10-24T23:45:00Z",
            "2026-10-25T02:45:00Z",
        );
        assert_eq!(
            fired,
            ["25 02:30:00+02:00", "25 02:30:00+01:00", "25 03:30:00+01:00"]
        );
    }

    #[test]
    fn a_daily_job_in_the_repeated_hour_runs_in_every_day() {
        let fired = slots(
            "30 2 * * *",
            AMSTERDAM,
            "2026-10-24T12:00:00Z",
            "2026-10-26T12:00:00Z",
        );
        assert_eq!(fired.last().unwrap(), "26 02:30:00+01:00");
        assert!(fired[0].starts_with("25 02:30:00"), "{fired:?}");
    }

    #[test]
    fn a_job_that_never_ran_is_due_at_once() {
        let now = at("2026-11-22T07:10:30Z");
        let due = due(&cron("0 2 * * *"), Tz::UTC, None, now);
        assert_eq!(due.slot.unwrap().scheduled_for, at("2026-11-22T02:00:00Z"));
        assert_eq!(due.next, Some(at("2026-11-23T02:00:00Z")));
        let again = super::due(&cron("0 2 * * *"), Tz::UTC, due.last_run, now);
        assert_eq!(again.slot, None);
    }

    #[test]
    fn missed_slots_are_caught_up_once() {
        let expr = cron("*/5 * * * *");
        let after = due(
            &expr,
            Tz::UTC,
            Some(at("2026-11-22T07:00:00Z")),
            at("2026-11-22T09:02:00Z"),
        );
        let slot = after.slot.unwrap();
        assert_eq!(
            slot,
            Slot {
                scheduled_for: at("2026-11-22T09:00:00Z"),
                missed_earlier: true
            }
        );
        let again = due(&expr, Tz::UTC, after.last_run, at("2026-11-22T09:04:59.999Z"));
        assert_eq!((again.slot, again.next), (None, Some(at("2026-11-22T09:05:00Z"))));
    }

    #[test]
    fn a_small_step_back_of_the_clock_does_not_fire_again() {
        let (expr, last) = (cron("0 * * * *"), Some(at("2026-11-22T10:00:00Z")));
        let stepped = due(&expr, Tz::UTC, last, at("2026-11-22T09:59:55Z"));
        assert_eq!((stepped.slot, stepped.last_run), (None, last));
        assert_eq!(stepped.next, Some(at("2026-11-22T11:00:00Z")));
        assert_eq!(
            due(&expr, Tz::UTC, stepped.last_run, at("2026-11-22T10:00:01Z")).slot,
            None
        );
    }

    #[test]
    fn a_large_step_back_of_the_clock_stalls_no_longer_than_a_period() {
        let (expr, now) = (cron("*/5 * * * * *"), at("2026-11-22T07:00:01Z"));
        let stepped = due(&expr, Tz::UTC, Some(at("2026-11-22T10:00:00Z")), now);
        assert_eq!(
            (stepped.slot, stepped.last_run),
            (None, Some(now)),
            "no slot is fired by the step itself"
        );
        assert_eq!(stepped.next, Some(at("2026-11-22T07:00:05Z")));
        assert!(
            due(&expr, Tz::UTC, stepped.last_run, at("2026-11-22T07:00:05Z"))
                .slot
                .is_some()
        );
    }

    #[test]
    fn a_step_forward_of_the_clock_is_a_missed_slot() {
        let due = due(
            &cron("0 2 * * *"),
            Tz::UTC,
            Some(at("2026-11-22T02:00:00Z")),
            at("2030-01-01T00:00:00Z"),
        );
        assert!(due.slot.unwrap().missed_earlier);
    }
}
