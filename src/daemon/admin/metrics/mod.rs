//! The metrics, as OpenMetrics: a pure function from measurements to text. Tests compare it with the table in
//! `docs/SERVICE.md` and with the rules and the dashboard in `contrib/`.
//!
//! Cardinality is bounded: labels are websites with a row in the store, kinds, outcomes, states, jobs and classes of
//! answers. No text from the source or the edge becomes a label.

mod families;
mod first_sync;
mod process;
mod store;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use crate::daemon::admin::metrics::process::ProcessStats;

use crate::daemon::admin::metrics::families::*;
use crate::daemon::lifecycle::vitals::{JobRuns, Reloads};
use crate::daemon::schedule::jobs::Job;
use crate::delivery::{LATENCY_BOUNDS_MS, StatsSnapshot};
use crate::ops::openmetrics::{Exposition, Format};
use crate::ops::status::Snapshot;
use crate::store::cron::CronStatus;
use orderfeed_model::clock::UtcMillis;

#[derive(Clone, Debug)]
pub(crate) struct MetricsInput {
    pub(crate) now: UtcMillis,
    pub(crate) ready: bool,
    /// `None` if the store cannot be read.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    pub(crate) delivery: StatsSnapshot,
    pub(crate) jobs: BTreeMap<&'static str, JobRuns>,
    pub(crate) reloads: Reloads,
    pub(crate) started_at: UtcMillis,
    pub(crate) queued_writes: usize,
    pub(crate) units_per_second: u32,
    pub(crate) process: ProcessStats,
}

pub(crate) fn render(input: &MetricsInput, format: Format) -> String {
    let mut text = Exposition::new(format);
    daemon(&mut text, input);
    jobs(&mut text, input);
    requests(&mut text, input);
    times(&mut text, &input.delivery);
    if let Some(snapshot) = &input.snapshot {
        store::render(&mut text, snapshot, input.now);
        first_sync::render(&mut text, &snapshot.first_syncs, input.now);
    }
    process(&mut text, input);
    text.finish()
}

fn daemon(text: &mut Exposition, input: &MetricsInput) {
    let versions = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("sqlite", crate::store::sqlite_version()),
    ];
    let reloads = input.reloads;
    text.family(BUILD).count(&versions, 1);
    text.family(READY).count(&[], u64::from(input.ready));
    text.family(RELOAD_SUCCESSFUL)
        .count(&[], u64::from(reloads.last_ok));
    text.family(RELOAD_TIME).seconds(&[], reloads.in_force_since.0);
}

fn jobs(text: &mut Exposition, input: &MetricsInput) {
    let of = |job: Job| input.jobs.get(job.as_str()).copied().unwrap_or_default();
    let mut runs = text.family(CRON_RUNS);
    for job in Job::ALL {
        for (outcome, count) in [("success", of(job).succeeded), ("error", of(job).failed)] {
            runs.count(&[("cron_job", job.as_str()), ("outcome", outcome)], count);
        }
    }
    // Before a job's first run in this process, the times of its last runs are those in the store.
    let stored = |job: Job, status: CronStatus| {
        let runs = &input.snapshot.as_ref()?.cron;
        let run = runs
            .iter()
            .find(|run| run.job == job.as_str() && run.status == status)?;
        run.finished_at.map(|at| at.0)
    };
    let mut last = |family, status, since_start: fn(JobRuns) -> Option<UtcMillis>| {
        let mut times = text.family(family);
        for job in Job::ALL {
            if let Some(at) = since_start(of(job)).or_else(|| stored(job, status)) {
                times.seconds(&[("cron_job", job.as_str())], at.0);
            }
        }
    };
    let (success, failure) = (CronStatus::Success, CronStatus::Error);
    last(CRON_LAST_SUCCESS, success, |runs| runs.last_success);
    last(CRON_LAST_FAILURE, failure, |runs| runs.last_failure);
}

fn requests(text: &mut Exposition, input: &MetricsInput) {
    let delivery = &input.delivery;
    let mut answers = text.family(REQUESTS);
    // Classes instead of statuses keep the number of series fixed.
    for (class, count) in ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(delivery.answers) {
        answers.count(&[("status", class)], count);
    }
    answers.count(&[("status", "none")], delivery.no_answer);
    text.family(EVENTS)
        .count(&[("outcome", "delivered")], delivery.delivered)
        .count(&[("outcome", "suppressed")], delivery.suppressed)
        .count(&[("outcome", "parked")], delivery.parked);
    let totals = [
        (REQUEST_RETRIES, delivery.retries),
        (REQUEST_UNITS, delivery.request_units),
        (REQUEST_BYTES, delivery.body_bytes),
        (TOKENS_FETCHED, delivery.tokens),
        (TOKEN_FAILURES, delivery.token_failures),
        (RATE_GATE_WAITS, delivery.rate_limit_waits),
        (REQUEST_UNITS_LIMIT, input.units_per_second.into()),
    ];
    for (family, value) in totals {
        text.family(family).count(&[], value);
    }
    let mut in_use = text.family(LANES_IN_USE);
    for (website, used, _) in &delivery.lanes {
        in_use.count(&[("website", website)], *used as u64);
    }
    let mut limit = text.family(LANES_LIMIT);
    for (website, _, most) in &delivery.lanes {
        limit.count(&[("website", website)], *most as u64);
    }
}

fn times(text: &mut Exposition, delivery: &StatsSnapshot) {
    let trips = &delivery.round_trips;
    text.family(REQUEST_DURATION)
        .buckets(&[], &LATENCY_BOUNDS_MS, &trips.counts, trips.sum_ms);
    let mut latency = text.family(EVENT_LATENCY);
    for (website, times) in &delivery.latency {
        let labels = [("website", website.as_str())];
        latency.buckets(&labels, &LATENCY_BOUNDS_MS, &times.counts, times.sum_ms);
    }
}

fn process(text: &mut Exposition, input: &MetricsInput) {
    text.family(STORE_WRITER_QUEUE)
        .count(&[], input.queued_writes as u64);
    if let Some(free) = input.process.free_bytes {
        text.family(STORE_FREE).count(&[], free);
    }
    if let Some(resident) = input.process.resident_bytes {
        text.family(RESIDENT_MEMORY).count(&[], resident);
    }
    text.family(START_TIME).seconds(&[], input.started_at.0);
}

#[cfg(test)]
mod tests;
