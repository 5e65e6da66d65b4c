//! Schedules across clock changes, both the law's and the administrator's.

use chrono_tz::Tz;

use crate::config::cron::{CronExpr, Slot, due, local};
use orderfeed_model::clock::UtcMillis;

const AMSTERDAM: Tz = Tz::Europe__Amsterdam;

fn cron(text: &str) -> CronExpr {
    text.parse().unwrap()
}

fn at(text: &str) -> UtcMillis {
    UtcMillis::parse_rfc3339(text).unwrap()
}

/// The slots between two moments, found by asking again and again as the daemon does: every second where
/// there are seconds in the expression, else every half minute.
fn slots(expr: &str, zone: Tz, from: &str, to: &str) -> Vec<String> {
    let (expr, mut now, mut last, mut slots) = (cron(expr), at(from), Some(at(from)), Vec::new());
    let pause = if expr.as_str().split(' ').count() == 6 {
        1003
    } else {
        29_989
    };
    while now < at(to) {
        now = now.plus_millis(pause);
        let due = due(&expr, zone, last, now);
        last = due.last_run;
        slots.extend(due.slot.map(|slot| {
            assert!(!slot.missed_earlier, "asked often enough, nothing is missed");
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
        ", 4 * * * *",
        "1,,2 * * * *",
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
    let again = crate::config::cron::due(&cron("0 2 * * *"), Tz::UTC, due.last_run, now);
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

proptest::proptest! {
    /// A clock that is corrected back and forth by up to a minute neither repeats a slot nor skips one.
    #[test]
    fn a_jittering_clock_fires_each_slot_once(jitter in proptest::collection::vec(-60_000i64..60_000, 400)) {
        let (expr, start) = (cron("*/5 * * * *"), at("2026-10-25T00:00:00Z"));
        let (mut last, mut fired) = (Some(start), Vec::new());
        for (step, jitter) in jitter.iter().enumerate() {
            let due = due(&expr, AMSTERDAM, last, start.plus_millis(30_000 * step as i64 + jitter));
            last = due.last_run;
            fired.extend(due.slot.map(|slot| slot.scheduled_for));
        }
        let is_next = |pair: &[UtcMillis]| pair[1].millis_since(pair[0]) == 300_000;
        proptest::prop_assert!(fired.len() > 30 && fired.windows(2).all(is_next), "{fired:?}");
    }
}
