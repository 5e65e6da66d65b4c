//! Collecting the facts: everything that is independent at the same time, every question with a time limit.
//!
//! ```text
//! configuration ─┬─ files                        ≤ 5 s
//!                ├─ daemon                       ≤ 5 s
//!                ├─ edge: addresses, token ─ round trips   ≤ 7 s + 7 s
//!                └─ store: locks, contents ─┬─ quick_check  ≤ 7 s + 6 s
//!                                           └─ source       ≤ 7 s + 8 s
//! ```
//!
//! What blocks (files, SQLite) runs on threads of its own that nobody waits for: a disk that hangs keeps its thread, not
//! the answer. The kernel is asked for SQLite's locks before the store is opened, and never again, because closing the
//! files would give up the reader's own locks (see [`crate::store::file::sqlite_locks`]).

mod daemon;
mod detached;
mod edge;
mod files;
mod source;
mod store;

use std::sync::Arc;

use crate::config::{Config, ConfigErrors, LoadedConfig};
use crate::doctor::check::Check;
use crate::doctor::collect::store::{Contents, Opened};
use crate::doctor::finding::{Finding, all_skipped};
use crate::doctor::report::Report;
use crate::doctor::{clocks, configuration, delivery, index, schedules};
use crate::store::feed::Exported;
use orderfeed_model::clock::{Clock, UtcMillis};

/// Runs every check. `only` restricts what is about one website to that website.
pub async fn examine(
    loaded: Result<LoadedConfig, ConfigErrors>,
    clock: &Clock,
    only: Option<&str>,
) -> Report {
    let begun = clock.now();
    let mut findings = configuration::verdict(&loaded);
    match loaded {
        Ok(loaded) => findings.extend(look(Arc::new(loaded.config), clock, only).await),
        Err(_) => findings.extend(all_skipped(&Check::ALL[1..], "the configuration cannot be used")),
    }
    Report::of(findings, begun, clock.now())
}

async fn look(config: Arc<Config>, clock: &Clock, only: Option<&str>) -> Vec<Finding> {
    let (files, mut daemon, edge, (opened, integrity, source)) = tokio::join!(
        files::look(&config),
        daemon::look(&config, clock),
        edge::look(&config, clock, only),
        store_and_source(&config, clock),
    );
    daemon.locked_by = opened.locked_by();
    let running_since = daemon
        .holder
        .as_ref()
        .filter(|holder| holder.is_daemon())
        .map(|holder| holder.since.unwrap_or(daemon.now));
    let mut findings = crate::doctor::files::verdict(&files.of_daemon(daemon.holder.as_ref()));
    findings.extend(crate::doctor::daemon::verdict(&daemon));
    findings.extend(crate::doctor::edge::verdict(&edge));
    findings.extend(clocks::verdict(&clock_facts(
        &edge,
        &source,
        &opened,
        clock.now(),
    )));
    let contents = opened.contents.as_ref();
    findings.extend(match contents {
        Some(contents) => of_contents(contents, &config, running_since, only),
        None => all_skipped(&OF_CONTENTS, "the store cannot be read"),
    });
    let examined = source.result;
    let source = crate::doctor::source::Facts {
        examined,
        limit_s: source::LIMIT.as_secs(),
        stored_fingerprint: contents.and_then(|contents| contents.fingerprint.clone()),
        websites: config
            .websites
            .iter()
            .map(|(code, website)| (code.clone(), website.back_office_events))
            .collect(),
        without_events: contents.map_or((0, 0), without_events),
        captured: running_since.is_some(),
    };
    findings.extend(crate::doctor::source::verdict(&source));
    findings.extend(crate::doctor::store::verdict(&opened.facts(integrity, &config)));
    findings
}

/// The checks that need the store's contents.
const OF_CONTENTS: [Check; 12] = [
    Check::Expression,
    Check::LastRun,
    Check::Stuck,
    Check::IndexStatus,
    Check::IndexLag,
    Check::IndexFailures,
    Check::Intake,
    Check::FirstSync,
    Check::Sender,
    Check::DeliveryLag,
    Check::Parked,
    Check::SwitchedOff,
];

fn of_contents(
    contents: &Contents,
    config: &Config,
    running_since: Option<UtcMillis>,
    only: Option<&str>,
) -> Vec<Finding> {
    let schedules = schedules::Facts {
        now: contents.snapshot.taken_at.0,
        zone: config.cron.time_zone,
        running_since,
        jobs: contents.jobs.clone(),
        leases: contents.leases.clone(),
    };
    let delivery = delivery::Facts {
        snapshot: &contents.snapshot,
        parked: contents.parked.clone(),
        only,
    };
    let mut findings = schedules::verdict(&schedules);
    findings.extend(index::verdict(&contents.snapshot, contents.failure.as_deref()));
    findings.extend(delivery::verdict(&delivery));
    findings
}

/// The store comes first: the source is asked how far the stored positions are.
async fn store_and_source(
    config: &Arc<Config>,
    clock: &Clock,
) -> (Opened, Option<store::IntegrityResult>, source::Answer) {
    let opened = store::look(config, clock).await;
    let cursors = opened.contents.as_ref().map(|contents| contents.cursors.clone());
    let (integrity, source) = tokio::join!(
        store::integrity(config, opened.is_open()),
        source::look(config, clock, cursors.unwrap_or_default()),
    );
    (opened, integrity, source)
}

fn without_events(contents: &Contents) -> (u64, u64) {
    let of = |why: Exported| {
        let reasons = contents.snapshot.not_exported.iter();
        let orders = reasons.filter(|reason| reason.reason == why.as_sentence());
        orders.map(|reason| reason.orders).sum()
    };
    (of(Exported::WebsiteOff), of(Exported::WebsiteUnknown))
}

fn clock_facts(
    edge: &crate::doctor::edge::Facts,
    source: &source::Answer,
    opened: &Opened,
    now: UtcMillis,
) -> clocks::Facts {
    let asked = edge.websites.iter().filter_map(|(_, asked)| asked.as_ref().ok());
    let edge_skew = asked.filter_map(|check| check.skew_ms).next();
    let token_skew = edge.token.as_ref().and_then(|check| check.skew_ms);
    let moments = opened
        .contents
        .iter()
        .flat_map(|contents| contents.moments.iter().copied());
    clocks::Facts {
        database: source
            .skew_ms
            .ok_or_else(|| "the source has no clock of its own, or did not say what time it is".to_owned()),
        edge: edge_skew.ok_or_else(|| "the edge did not say what time it is".to_owned()),
        tokens: token_skew
            .ok_or_else(|| "the token service was not asked, or did not say what time it is".to_owned()),
        store: crate::doctor::source::ahead_of(now, moments)
            .ok_or_else(|| "there is nothing in the store yet".to_owned()),
    }
}
