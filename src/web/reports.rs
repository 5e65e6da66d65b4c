//! `/reports`: events by kind and day, refusals, and the last day as charts.

use std::collections::BTreeMap;

use askama::Template;

use crate::ops::sentence::human_duration;
use crate::ops::status::Snapshot;
use crate::store::outbox::FinalState;
use crate::web::parts::{Bars, Lines, Stamp, link};
use crate::web::traffic::{Day, Traffic};
use crate::web::{Frame, rendered};
use orderfeed_events::EventKind;
use orderfeed_model::clock::UtcMillis;

/// Days that are listed.
const DAYS: usize = 30;
const MINUTE_MS: i64 = 60_000;

#[derive(Template)]
#[template(path = "reports.html")]
struct ReportsTemplate<'a> {
    frame: &'a Frame,
    charts: Vec<Chart>,
    begin: Stamp,
    by_day: Bars,
    /// The latest first.
    days: Vec<&'a Day>,
    kinds: Vec<KindRow>,
    websites: Vec<WebsiteRow<'a>>,
}

/// A chart of the last day.
struct Chart {
    title: &'static str,
    lines: Lines,
    largest: String,
    latest: String,
}

/// The totals of one kind of event.
struct KindRow {
    kind: EventKind,
    delivered: u64,
    parked: u64,
    suppressed: u64,
}

/// The totals of one website.
struct WebsiteRow<'a> {
    code: &'a str,
    delivered: u64,
    pending: u64,
    parked: u64,
    suppressed: u64,
}

/// Renders the page.
pub fn reports_page(frame: &Frame, snapshot: &Snapshot, traffic: &Traffic) -> String {
    let shown = traffic.days.len().saturating_sub(DAYS);
    let days = &traffic.days[shown..];
    rendered(ReportsTemplate {
        frame,
        charts: charts(traffic),
        begin: Stamp::second(UtcMillis((traffic.minute - 1_439) * MINUTE_MS)),
        by_day: Bars {
            label: "Delivered events by day and kind; the table below has the numbers",
            bars: days.iter().map(delivered).collect(),
        },
        days: days.iter().rev().collect(),
        kinds: EventKind::ALL
            .into_iter()
            .map(|kind| kind_row(kind, snapshot))
            .collect(),
        websites: websites(snapshot),
    })
}

fn charts(traffic: &Traffic) -> Vec<Chart> {
    let chart = |title, label, values: Vec<f64>, shown: fn(f64) -> String| Chart {
        title,
        largest: shown(values.iter().copied().fold(0.0, f64::max)),
        latest: shown(values.last().copied().unwrap_or_default()),
        lines: Lines { label, values },
    };
    let events: fn(f64) -> String = |value| format!("{value:.0}");
    let lag: fn(f64) -> String = |seconds| match seconds > 0.0 {
        true => human_duration((seconds * 1000.0) as i64),
        false => "none".to_owned(),
    };
    vec![
        chart(
            "Delivered events per minute",
            "Delivered events per minute of the last day",
            traffic.sum(|website| &website.delivered),
            events,
        ),
        chart(
            "Age of the oldest pending change",
            "Age of the oldest pending change in the last day",
            traffic.largest(|website| &website.lag),
            lag,
        ),
        chart(
            "Refused events per minute",
            "Events that the edge refused for good, per minute of the last day",
            traffic.sum(|website| &website.refused),
            events,
        ),
    ]
}

fn delivered(day: &Day) -> Vec<f64> {
    let of_kind = |kind| day.count(kind, FinalState::Delivered) as f64;
    EventKind::ALL.into_iter().map(of_kind).collect()
}

fn kind_row(kind: EventKind, snapshot: &Snapshot) -> KindRow {
    let sum = |of: fn(&crate::ops::status::WebsiteStatus) -> &BTreeMap<String, u64>| -> u64 {
        let counts = snapshot
            .websites
            .iter()
            .map(|website| of(website).get(kind.as_str()));
        counts.flatten().sum()
    };
    KindRow {
        kind,
        delivered: sum(|website| &website.delivered),
        parked: sum(|website| &website.parked),
        suppressed: sum(|website| &website.suppressed),
    }
}

fn websites(snapshot: &Snapshot) -> Vec<WebsiteRow<'_>> {
    let websites = snapshot.websites.iter();
    websites
        .map(|website| WebsiteRow {
            code: &website.code,
            delivered: website.delivered.values().sum(),
            pending: website.pending.live + website.pending.history,
            parked: website.parked.values().sum(),
            suppressed: website.suppressed.values().sum(),
        })
        .collect()
}

impl ReportsTemplate<'_> {
    fn kinds_with_class(&self) -> impl Iterator<Item = (usize, EventKind)> {
        EventKind::ALL.into_iter().enumerate()
    }

    fn date(&self, day: &Day) -> String {
        day.begin.sql().chars().take(10).collect()
    }

    fn count(&self, day: &Day, kind: &EventKind) -> u64 {
        day.count(*kind, FinalState::Delivered)
    }

    fn refused(&self, day: &Day) -> u64 {
        let of_kind = |kind| day.count(kind, FinalState::Parked);
        EventKind::ALL.into_iter().map(of_kind).sum()
    }

    fn failed_by_kind(&self, row: &KindRow) -> String {
        link("/failed", &[("kind", row.kind.as_str())])
    }

    fn failed_by_website(&self, row: &WebsiteRow<'_>) -> String {
        link("/failed", &[("website", row.code)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::status::testing::{snapshot, website};
    use crate::store::traffic::{TrafficDay, TrafficMinute};
    use crate::web::testing::{HOSTILE, frame};

    #[test]
    fn an_installation_without_events_has_empty_charts() {
        insta::assert_snapshot!(reports_page(&frame("/reports"), &snapshot(), &Traffic::default()));
    }

    #[test]
    fn the_numbers_of_the_charts_are_in_the_tables() {
        let day = |day, events| TrafficDay {
            day,
            website: 1,
            kind: EventKind::Placed.code(),
            outcome: FinalState::Delivered,
            events,
        };
        let minute = |minute, delivered| TrafficMinute {
            minute,
            website: 1,
            delivered,
            parked: 0,
            pending: 1,
            oldest_at: Some(UtcMillis(minute * MINUTE_MS)),
        };
        let codes = [(1, HOSTILE.to_owned())];
        let now = UtcMillis(20_000 * MINUTE_MS);
        let minutes = [minute(19_999, 5), minute(20_000, 75)];
        let traffic = Traffic::of(&minutes, &[day(12, 40), day(13, 75)], &codes, now);
        let mut selling = snapshot();
        selling.websites = vec![website(HOSTILE)];
        let page = reports_page(&frame("/reports"), &selling, &traffic);
        assert!(
            !page.contains(HOSTILE) && page.contains("<td class=\"num\">35</td>"),
            "{page}"
        );
        assert!(page.contains("<strong>70</strong>"), "{page}");
        insta::assert_snapshot!(page);
    }
}
