//! Rates over the last day, computed from the totals that the store keeps for each minute.

use std::collections::BTreeMap;

use crate::store::meta::WebsiteId;
use crate::store::outbox::FinalState;
use crate::store::traffic::{DAY_MS, MINUTE_MS, TrafficDay, TrafficMinute};
use orderfeed_events::EventKind;
use orderfeed_model::clock::UtcMillis;

/// Minutes that a chart shows.
const MINUTES: usize = 1_440;
/// Minutes that the current rate is an average of.
const RECENT: usize = 5;

/// The rates of one website, one value per minute, the latest last.
#[derive(Clone, Debug, PartialEq)]
pub struct WebsiteTraffic {
    pub delivered: Vec<f64>,
    pub refused: Vec<f64>,
    /// Age of the oldest pending change, in seconds.
    pub lag: Vec<f64>,
}

/// The rates of all websites, by code.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    pub websites: BTreeMap<String, WebsiteTraffic>,
    /// The events of each day, the latest last.
    pub days: Vec<Day>,
    /// The minute of the latest value, since 1970.
    pub minute: i64,
}

/// The events of one day in UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    pub begin: UtcMillis,
    /// Events by kind and outcome; neither has a value of 0.
    pub events: BTreeMap<(u8, FinalState), u64>,
}

impl WebsiteTraffic {
    fn new() -> Self {
        let none = vec![0.0; MINUTES];
        Self {
            delivered: none.clone(),
            refused: none.clone(),
            lag: none,
        }
    }

    /// Returns the average of the last minutes.
    pub fn rate(&self) -> f64 {
        let recent = self.delivered.iter().rev().take(RECENT);
        recent.sum::<f64>() / RECENT as f64
    }
}

impl Day {
    /// Returns the number of events of a kind with this outcome.
    pub fn count(&self, kind: EventKind, outcome: FinalState) -> u64 {
        self.events
            .get(&(kind.code(), outcome))
            .copied()
            .unwrap_or_default()
    }
}

impl Traffic {
    /// Computes the rates from what the store keeps, as of `now`.
    pub fn of(
        minutes: &[TrafficMinute],
        days: &[TrafficDay],
        codes: &[(WebsiteId, String)],
        now: UtcMillis,
    ) -> Self {
        let minute = now.0.div_euclid(MINUTE_MS);
        let mut websites = BTreeMap::new();
        for (id, code) in codes {
            let rows = minutes.iter().filter(|row| row.website == *id);
            websites.insert(code.clone(), rates(rows, minute));
        }
        Self {
            websites,
            days: by_day(days),
            minute,
        }
    }

    /// Returns one series summed over the websites.
    pub fn sum(&self, series: fn(&WebsiteTraffic) -> &Vec<f64>) -> Vec<f64> {
        self.combined(series, |one, other| one + other)
    }

    /// Returns the largest value of a series among the websites, minute by minute.
    pub fn largest(&self, series: fn(&WebsiteTraffic) -> &Vec<f64>) -> Vec<f64> {
        self.combined(series, f64::max)
    }

    fn combined(&self, series: fn(&WebsiteTraffic) -> &Vec<f64>, join: fn(f64, f64) -> f64) -> Vec<f64> {
        let mut all = vec![0.0; MINUTES];
        for website in self.websites.values() {
            for (place, value) in all.iter_mut().zip(series(website)) {
                *place = join(*place, *value);
            }
        }
        all
    }
}

fn rates<'a>(rows: impl Iterator<Item = &'a TrafficMinute>, latest: i64) -> WebsiteTraffic {
    let mut traffic = WebsiteTraffic::new();
    let mut before: Option<&TrafficMinute> = None;
    for row in rows {
        let place = MINUTES as i64 - 1 - (latest - row.minute);
        if let Some(place) = usize::try_from(place).ok().filter(|place| *place < MINUTES) {
            if let Some(before) = before {
                // The totals fall if parked events are retried or discarded.
                traffic.delivered[place] = row.delivered.saturating_sub(before.delivered) as f64;
                traffic.refused[place] = row.parked.saturating_sub(before.parked) as f64;
            }
            let end = (row.minute + 1) * MINUTE_MS;
            let lag = row.oldest_at.map_or(0, |at| (end - at.0).max(0) / 1000);
            traffic.lag[place] = lag as f64;
        }
        before = Some(row);
    }
    traffic
}

/// Turns totals into the events of each day. The first day has all events before it as well.
fn by_day(rows: &[TrafficDay]) -> Vec<Day> {
    let mut days: BTreeMap<i64, Day> = BTreeMap::new();
    let mut before: BTreeMap<(WebsiteId, u8, FinalState), u64> = BTreeMap::new();
    for row in rows {
        let day = days.entry(row.day).or_default();
        day.begin = UtcMillis(row.day * DAY_MS);
        let known = before.insert((row.website, row.kind, row.outcome), row.events);
        let more = row.events.saturating_sub(known.unwrap_or_default());
        if more > 0 {
            *day.events.entry((row.kind, row.outcome)).or_default() += more;
        }
    }
    days.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(minute: i64, delivered: u64, parked: u64) -> TrafficMinute {
        TrafficMinute {
            minute,
            website: 1,
            delivered,
            parked,
            pending: 0,
            oldest_at: Some(UtcMillis(minute * MINUTE_MS)),
        }
    }

    #[test]
    fn rates_are_differences_and_a_gap_has_none() {
        let rows = [row(90, 100, 0), row(91, 130, 2), row(95, 140, 1)];
        let codes = [(1, "base".to_owned())];
        let traffic = Traffic::of(&rows, &[], &codes, UtcMillis(95 * MINUTE_MS + 1));
        let base = &traffic.websites["base"];
        assert_eq!(base.delivered[MINUTES - 5..], [30.0, 0.0, 0.0, 0.0, 10.0]);
        assert_eq!(base.refused[MINUTES - 5..], [2.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!((base.rate(), base.lag[MINUTES - 1]), (8.0, 60.0));
        assert_eq!(
            traffic.sum(|website| &website.delivered).iter().sum::<f64>(),
            40.0
        );
    }

    #[test]
    fn days_are_differences_by_kind() {
        let of = |day, kind, events| TrafficDay {
            day,
            website: 1,
            kind,
            outcome: FinalState::Delivered,
            events,
        };
        let traffic = Traffic::of(&[], &[of(3, 1, 10), of(4, 1, 12), of(4, 2, 5)], &[], UtcMillis(0));
        let counts = |day: usize| {
            [EventKind::Placed, EventKind::Invoiced]
                .map(|kind| traffic.days[day].count(kind, FinalState::Delivered))
        };
        assert_eq!([counts(0), counts(1)], [[10, 0], [2, 5]]);
    }
}
