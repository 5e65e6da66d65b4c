//! Collects the facts: independent ones in parallel, each with a time limit.
//!
//! ```text
//! configuration ─┬─ files                        ≤ 5 s
//!                ├─ daemon                       ≤ 5 s
//!                └─ store: locks, contents ─┬─ quick_check  ≤ 7 s + 6 s
//!                                           ├─ source       ≤ 7 s + 8 s, 30 s over REST
//!                                           └─ edge: addresses, token ─ round trips   ≤ 7 s + 7 s + 7 s
//! ```
//!
//! Blocking work (files, SQLite) runs on detached threads: a disk that hangs keeps its thread, not the report. SQLite's locks
//! are queried before the store is opened and never after, because closing the files would release the reader's own locks
//! (see [`crate::store::file::sqlite_locks`]).

mod daemon;
mod detached;
mod edge;
mod files;
mod source;
mod store;

use std::sync::Arc;

use crate::config::{Config, ConfigErrors, LoadedConfig};
use crate::doctor::check::Check;
use crate::doctor::clocks::ClockFacts;
use crate::doctor::collect::source::SourceAnswer;
use crate::doctor::collect::store::{Contents, StoreReading};
use crate::doctor::delivery::DeliveryFacts;
use crate::doctor::edge::EdgeFacts;
use crate::doctor::finding::{Finding, all_skipped};
use crate::doctor::report::Report;
use crate::doctor::schedules::ScheduleFacts;
use crate::doctor::source::SourceFacts;
use crate::doctor::{clocks, configuration, delivery, index, schedules};
use crate::store::feed::Exported;
use orderfeed_model::clock::{Clock, UtcMillis};

/// Runs every check. `only` restricts checks of single websites to that one.
pub async fn examine(
    loaded: Result<LoadedConfig, ConfigErrors>,
    clock: &Clock,
    only: Option<&str>,
) -> Report {
    let begun = clock.now();
    let mut findings = configuration::verdict(&loaded);
    match loaded {
        Ok(loaded) => findings.extend(check_all(Arc::new(loaded.config), clock, only).await),
        Err(_) => findings.extend({
            let others = Check::ALL[1..].iter().copied();
            all_skipped(others, "the configuration cannot be used")
        }),
    }
    Report::new(findings, begun, clock.now())
}

async fn check_all(config: Arc<Config>, clock: &Clock, only: Option<&str>) -> Vec<Finding> {
    let (files, mut daemon, (store, integrity, source, edge)) = tokio::join!(
        files::collect(&config),
        daemon::collect(&config, clock),
        store_and_peers(&config, clock, only),
    );
    // Only the store's facts show why no daemon can start.
    daemon.locked_by = store.locked_by();
    let running_since = daemon
        .holder
        .as_ref()
        .filter(|holder| holder.is_daemon())
        // An unknown start counts as now, so that no slot before it is overdue.
        .map(|holder| holder.since.unwrap_or(daemon.now));
    let mut findings = crate::doctor::files::verdict(&files.of_daemon(daemon.holder.as_ref()));
    findings.extend(crate::doctor::daemon::verdict(&daemon));
    findings.extend(crate::doctor::edge::verdict(&edge));
    findings.extend(clocks::verdict(&clock_facts(&edge, &source, &store, clock.now())));
    let contents = store.contents.as_ref().ok();
    findings.extend(match contents {
        Some(contents) => of_contents(contents, &config, running_since, only),
        None => {
            let checks = Check::of_groups(&["schedules", "index", "delivery"]);
            all_skipped(checks, "the store cannot be read").collect()
        }
    });
    let source = SourceFacts {
        examined: source.examined,
        limit_s: source::limit(config.source.kind).as_secs(),
        kind: config.source.kind,
        stored_kind: contents.and_then(|contents| contents.kind.clone()),
        stored_fingerprint: contents.and_then(|contents| contents.fingerprint.clone()),
        reused_ids: contents.map_or((0, None), |contents| contents.reused_ids),
        websites: config
            .websites
            .iter()
            .map(|(code, website)| (code.clone(), website.back_office_events))
            .collect(),
        website_off: without_events(contents, Exported::WebsiteOff),
        website_unknown: without_events(contents, Exported::WebsiteUnknown),
        captured: running_since.is_some(),
        late_tables: contents.map_or_else(Vec::new, |contents| contents.snapshot.source.late_tables.clone()),
        gap: contents.and_then(|contents| contents.snapshot.gap_problem()),
    };
    findings.extend(crate::doctor::source::verdict(&source));
    findings.extend(crate::doctor::store::verdict(&store.facts(integrity, &config)));
    findings
}

fn of_contents(
    contents: &Contents,
    config: &Config,
    running_since: Option<UtcMillis>,
    only: Option<&str>,
) -> Vec<Finding> {
    let schedules = ScheduleFacts {
        now: contents.snapshot.taken_at.0,
        zone: config.cron.time_zone,
        running_since,
        jobs: contents.jobs.clone(),
        stopped: contents.snapshot.stopped_jobs().collect(),
        leases: contents.leases.clone(),
    };
    let delivery = DeliveryFacts {
        snapshot: &contents.snapshot,
        parked: contents.parked.clone(),
        only,
    };
    let mut findings = schedules::verdict(&schedules);
    findings.extend(index::verdict(&contents.snapshot, contents.failure.as_deref()));
    findings.extend(delivery::verdict(&delivery));
    findings
}

/// Collects the store's facts first: the source is compared with the stored cursors, and the edge is not asked within a
/// stored pause.
async fn store_and_peers(
    config: &Arc<Config>,
    clock: &Clock,
    only: Option<&str>,
) -> (
    StoreReading,
    Option<store::IntegrityResult>,
    SourceAnswer,
    EdgeFacts,
) {
    let store = store::collect(config, clock).await;
    let contents = store.contents.as_ref().ok();
    let cursors = contents.map(|contents| contents.cursors.clone());
    let pauses = contents.map(|contents| contents.pauses.clone());
    let (integrity, source, edge) = tokio::join!(
        async { contents.map(|_| store::integrity(config))?.await },
        source::collect(config, clock, cursors.unwrap_or_default()),
        edge::collect(config, clock, pauses.unwrap_or_default(), only),
    );
    (store, integrity, source, edge)
}

fn without_events(contents: Option<&Contents>, why: Exported) -> u64 {
    let counts = contents.map_or(&[][..], |contents| &contents.snapshot.not_exported);
    counts
        .iter()
        .filter(|count| count.why == why)
        .map(|count| count.orders)
        .sum()
}

fn clock_facts(edge: &EdgeFacts, source: &SourceAnswer, store: &StoreReading, now: UtcMillis) -> ClockFacts {
    let checks = edge.websites.iter().filter_map(|(_, check)| check.as_ref().ok());
    // Any answer of the edge has its time, whichever website it was for.
    let edge_skew = checks.filter_map(|check| check.skew_ms).next();
    let token_skew = edge.token.as_ref().and_then(|check| check.skew_ms);
    let moments = store
        .contents
        .iter()
        .flat_map(|contents| contents.moments.iter().copied());
    ClockFacts {
        database: source
            .skew_ms
            .ok_or_else(|| "the source has no clock of its own, or did not report its time".to_owned()),
        edge: edge_skew.ok_or_else(|| "the edge did not report its time".to_owned()),
        tokens: token_skew
            .ok_or_else(|| "the token service was not contacted, or did not report its time".to_owned()),
        store: crate::doctor::source::ahead_of(now, moments).ok_or_else(|| "the store is empty".to_owned()),
    }
}
