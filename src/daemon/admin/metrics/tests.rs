//! Tests of the whole text, and of files that name metrics.

use std::collections::BTreeSet;

use crate::daemon::admin::metrics::*;
use crate::delivery::LatencyCounts;
use crate::first_sync::report::SyncReport;
use crate::ops::status::testing::{backfill, first_sync, snapshot, website};
use crate::ops::status::{Moment, NotExported};
use crate::store::feed::Exported;
use crate::store::first_sync::SyncState;
use crate::store::intake::{Flow, Shortage};

/// Measurements that render every family.
fn input() -> MetricsInput {
    let mut snapshot = snapshot();
    snapshot.index.backlog = 7;
    snapshot.index.oldest_change_at = Some(Moment(UtcMillis(9_000)));
    snapshot.not_exported = vec![NotExported {
        why: Exported::WebsiteUnknown,
        orders: 5,
    }];
    snapshot.source.checked_at = Some(Moment(UtcMillis(9_500)));
    snapshot.backfills = vec![backfill(), backfill()];
    snapshot.intake.flow = Some(Flow::Paused(Shortage::Disk));
    let in_time = SyncReport {
        state: SyncState::Complete,
        completed_at: Some(Moment(UtcMillis(8_500))),
        eta_ms: None,
        missed: false,
        limited_by: None,
        ..first_sync("odd\"code")
    };
    snapshot.first_syncs = vec![first_sync("base"), in_time];
    snapshot.websites = vec![website("base"), website("odd\"code")];
    let ran = JobRuns {
        succeeded: 3,
        failed: 1,
        last_success: Some(UtcMillis(8_000)),
        last_failure: Some(UtcMillis(7_000)),
    };
    let times = LatencyCounts {
        counts: std::array::from_fn(|bucket| bucket as u64),
        sum_ms: 123_456,
    };
    MetricsInput {
        now: UtcMillis(10_000),
        ready: true,
        snapshot: Some(Arc::new(snapshot)),
        delivery: StatsSnapshot {
            answers: [0, 9, 0, 2, 1],
            no_answer: 1,
            delivered: 400,
            parked: 2,
            retries: 3,
            tokens: 1,
            request_units: 500,
            body_bytes: 480_000,
            token_failures: 1,
            rate_limit_waits: 6,
            latency: vec![("base".to_owned(), times)],
            round_trips: times,
            lanes: vec![("base".to_owned(), 3, 32)],
            ..StatsSnapshot::default()
        },
        jobs: BTreeMap::from([("indexer_update_all_views", ran)]),
        reloads: Reloads {
            last_ok: false,
            in_force_since: UtcMillis(2_000),
        },
        started_at: UtcMillis(1_000),
        queued_writes: 2,
        units_per_second: 3000,
        process: ProcessStats {
            resident_bytes: Some(20 << 20),
            free_bytes: Some(1 << 30),
        },
    }
}

fn families(text: &str) -> BTreeSet<String> {
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    names
        .filter_map(|rest| Some(rest.split_once(' ')?.0.to_owned()))
        .collect()
}

/// Returns the words of `text` that look like metrics of the daemon.
fn named(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("orderfeed_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_text_is_unchanged() {
    let text = render(&input(), Format::OpenMetrics);
    let text = text.replace(crate::store::sqlite_version(), "[sqlite]");
    insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "[version]"));
}

#[test]
fn every_sample_belongs_to_the_family_above_it_and_is_there_once() {
    let text = render(&input(), Format::OpenMetrics);
    let mut family = "";
    let mut samples = BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split_once(' ').unwrap().0;
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(series.starts_with(family), "{line} is not of {family}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(samples.insert(series.to_owned()), "twice: {series}");
        }
    }
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(
        families(&text).len(),
        text.matches("# TYPE ").count(),
        "a family twice"
    );
}

#[test]
fn without_the_store_the_other_metrics_remain() {
    let mut input = input();
    input.snapshot = None;
    let text = render(&input, Format::OpenMetrics);
    assert!(
        text.contains("orderfeed_requests_total{status=\"2xx\"} 9\n") && !text.contains("orderfeed_pending")
    );
}

#[test]
fn the_documentation_lists_every_family_and_no_other() {
    let table = include_str!("../../../../docs/SERVICE.md");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: BTreeSet<String> = rows
        .filter_map(|row| Some(row.split_once('`')?.0.to_owned()))
        .filter(|name| named(name).len() == 1)
        .collect();
    assert_eq!(listed, families(&render(&input(), Format::OpenMetrics)));
}

#[test]
fn rules_and_dashboard_name_only_existing_metrics() {
    let text = render(&input(), Format::OpenMetrics);
    let series: BTreeSet<String> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split(['{', ' ']).next()?.to_owned()))
        .collect();
    let files = [
        include_str!("../../../../contrib/prometheus/orderfeed.rules.yml"),
        include_str!("../../../../contrib/grafana/orderfeed.json"),
    ];
    for file in files {
        let unknown: Vec<_> = named(file)
            .into_iter()
            .filter(|name| !series.contains(name))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?} are not among {series:?}");
        assert!(!named(file).is_empty());
    }
    serde_json::from_str::<serde_json::Value>(files[1]).unwrap();
}
