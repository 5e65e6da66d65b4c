//! Any cron expression in any time zone: refused with a reason, or a schedule that moves forward, also when clocks
//! change, and never runs a slot twice.

use chrono_tz::{TZ_VARIANTS, Tz};
use orderfeed::config::CronExpr;
use orderfeed::config::cron::due;
use orderfeed_model::clock::UtcMillis;

use super::feed::Feed;

const DAY: i64 = 86_400_000;
const NEW_YEAR: i64 = 1_767_225_600_000;
/// Time zones whose clocks change in unusual ways: by half an hour, at midnight, backwards over midnight, over the
/// date line.
const ODD: [Tz; 8] = [
    Tz::Europe__Amsterdam,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::America__Sao_Paulo,
    Tz::Africa__Casablanca,
    Tz::Pacific__Apia,
    Tz::Asia__Gaza,
    Tz::UTC,
];

pub fn check(data: &[u8]) {
    let mut feed = Feed::new(data);
    let zone = match feed.byte() {
        0xff => TZ_VARIANTS[feed.number().unsigned_abs() as usize % TZ_VARIANTS.len()],
        byte => ODD[usize::from(byte) % ODD.len()],
    };
    // A few years of days around 2026, and times within a day.
    let from = UtcMillis(
        NEW_YEAR + (feed.number() % 800) * DAY + i64::from(feed.byte()) * 337_000 + i64::from(feed.byte()),
    );
    let text = String::from_utf8_lossy(feed.remainder());
    if text.len() > 200 {
        return;
    }
    let expr: CronExpr = match text.parse() {
        Ok(expr) => expr,
        Err(refusal) => {
            assert!(!format!("{refusal:?}").is_empty());
            return;
        }
    };
    let slots = forward(&expr, zone, from);
    each_once(&expr, zone, from, &slots);
}

/// Returns the next slots, each computed from the previous one.
fn forward(expr: &CronExpr, zone: Tz, from: UtcMillis) -> Vec<UtcMillis> {
    let (mut at, mut slots) = (from, Vec::new());
    while slots.len() < 8 {
        let Some(next) = expr.next_after(zone, at) else {
            break;
        };
        assert!(next > at, "{expr} in {zone}: {next} follows {at}");
        assert_eq!(next.0 % 1000, 0, "{expr} in {zone}: slots are whole seconds");
        slots.push(next);
        at = next;
    }
    slots
}

/// Asserts that the schedule, checked at each slot and a little later, runs it once.
fn each_once(expr: &CronExpr, zone: Tz, from: UtcMillis, slots: &[UtcMillis]) {
    let mut last = Some(from);
    for slot in slots {
        let found = due(expr, zone, last, *slot);
        assert_eq!(
            found.slot.map(|slot| slot.scheduled_for),
            Some(*slot),
            "{expr} in {zone} after {last:?}"
        );
        assert!(found.next.is_none_or(|next| next > *slot));
        let again = due(expr, zone, found.last_run, slot.plus_millis(1));
        assert_eq!(again.slot, None, "{expr} in {zone}: {slot} would run twice");
        last = again.last_run;
        assert_eq!(last, Some(*slot), "what was run is kept");
    }
}
