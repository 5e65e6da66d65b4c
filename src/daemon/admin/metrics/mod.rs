//! The metrics, as OpenMetrics: a pure function from measurements to text. Tests compare it with the table in
//! `docs/SERVICE.md` and with the rules and the dashboard in `contrib/`.
//!
//! Cardinality is bounded: labels are websites with a row in the store, kinds, outcomes, states, jobs and classes of
//! answers. No text from the source or the edge becomes a label.

mod first_sync;
mod process;
mod store;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use crate::daemon::admin::metrics::process::ProcessStats;

use crate::daemon::lifecycle::vitals::{JobRuns, Reloads};
use crate::daemon::schedule::jobs::Job;
use crate::delivery::{LATENCY_BOUNDS_MS, StatsSnapshot};
use crate::ops::openmetrics::{Exposition, Format, Kind};
use crate::ops::status::Snapshot;
use crate::store::cron::CronStatus;
use orderfeed_model::clock::UtcMillis;

/// All measurements of one moment.
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

/// Renders `/metrics`.
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
    writer(&mut text, input.queued_writes);
    process::render(&mut text, input.process, input.started_at);
    text.finish()
}

fn daemon(text: &mut Exposition, input: &MetricsInput) {
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("sqlite", crate::store::sqlite_version()),
    ];
    text.family(
        "orderfeed_build",
        Kind::Info,
        "The program and the SQLite that it was built with.",
    )
    .count(&labels, 1);
    text.family(
        "orderfeed_ready",
        Kind::Gauge,
        "1 once store, source configuration and schedules are up, 0 before and while draining.",
    )
    .count(&[], u64::from(input.ready));
    text.family(
        "orderfeed_config_last_reload_successful",
        Kind::Gauge,
        "1 if the configuration that was read last is in force, 0 if it was not valid.",
    )
    .count(&[], u64::from(input.reloads.last_ok));
    text.family(
        "orderfeed_config_last_reload_success_timestamp_seconds",
        Kind::Gauge,
        "When the configuration that is in force was read.",
    )
    .seconds(&[], input.reloads.in_force_since.0);
}

fn jobs(text: &mut Exposition, input: &MetricsInput) {
    let of = |job: Job| input.jobs.get(job.as_str()).copied().unwrap_or_default();
    // Before a job's first run in this process, the times of its last runs are those in the store.
    let kept = |job: Job, status: CronStatus| {
        let runs = &input.snapshot.as_ref()?.cron;
        let run = runs
            .iter()
            .find(|run| run.job == job.as_str() && run.status == status)?;
        run.finished_at.map(|at| at.0)
    };
    let mut runs = text.family(
        "orderfeed_cron_runs",
        Kind::Counter,
        "Scheduled runs of jobs that ended.",
    );
    for job in Job::ALL {
        runs.count(
            &[("cron_job", job.as_str()), ("outcome", "success")],
            of(job).succeeded,
        );
        runs.count(
            &[("cron_job", job.as_str()), ("outcome", "error")],
            of(job).failed,
        );
    }
    let mut success = text.family(
        "orderfeed_cron_last_success_timestamp_seconds",
        Kind::Gauge,
        "The end of a job's last run that worked.",
    );
    for job in Job::ALL {
        if let Some(at) = of(job).last_success.or_else(|| kept(job, CronStatus::Success)) {
            success.seconds(&[("cron_job", job.as_str())], at.0);
        }
    }
    let mut failure = text.family(
        "orderfeed_cron_last_failure_timestamp_seconds",
        Kind::Gauge,
        "The end of a job's last run that failed.",
    );
    for job in Job::ALL {
        if let Some(at) = of(job).last_failure.or_else(|| kept(job, CronStatus::Error)) {
            failure.seconds(&[("cron_job", job.as_str())], at.0);
        }
    }
}

fn requests(text: &mut Exposition, input: &MetricsInput) {
    let delivery = &input.delivery;
    let mut answers = text.family(
        "orderfeed_requests",
        Kind::Counter,
        "Requests to the edge by the class of the answer; none: there was no answer.",
    );
    // Classes instead of statuses keep the number of series fixed.
    for (class, count) in ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(delivery.answers) {
        answers.count(&[("status", class)], count);
    }
    answers.count(&[("status", "none")], delivery.no_answer);
    let mut events = text.family(
        "orderfeed_events",
        Kind::Counter,
        "Events that became final since the start: delivered, suppressed (not used by the edge, or not to be sent), parked.",
    );
    events
        .count(&[("outcome", "delivered")], delivery.delivered)
        .count(&[("outcome", "suppressed")], delivery.suppressed)
        .count(&[("outcome", "parked")], delivery.parked);
    let counters: [(&str, &str, u64); 6] = [
        (
            "orderfeed_request_retries",
            "Requests that are repeated with the same bytes.",
            delivery.retries,
        ),
        (
            "orderfeed_request_units",
            "Request units used: one for each begun KiB.",
            delivery.request_units,
        ),
        (
            "orderfeed_request_body_bytes",
            "Bytes of request bodies.",
            delivery.body_bytes,
        ),
        (
            "orderfeed_tokens_fetched",
            "Access tokens fetched.",
            delivery.tokens,
        ),
        (
            "orderfeed_token_failures",
            "Access tokens that were asked for in vain.",
            delivery.token_failures,
        ),
        (
            "orderfeed_rate_gate_waits",
            "Times that the rate limit held a request back.",
            delivery.rate_limit_waits,
        ),
    ];
    for (name, help, value) in counters {
        text.family(name, Kind::Counter, help).count(&[], value);
    }
    text.family(
        "orderfeed_request_units_per_second_limit",
        Kind::Gauge,
        "Request units a second that the rate limit lets through; 0: no limit.",
    )
    .count(&[], u64::from(input.units_per_second));
    lanes(text, delivery);
}

fn lanes(text: &mut Exposition, delivery: &StatsSnapshot) {
    let mut in_use = text.family("orderfeed_lanes_in_use", Kind::Gauge, "Requests in flight.");
    for (website, used, _) in &delivery.lanes {
        in_use.count(&[("website", website)], *used as u64);
    }
    let mut limit = text.family(
        "orderfeed_lanes_limit",
        Kind::Gauge,
        "Requests that may be in flight; it adapts to the edge.",
    );
    for (website, _, most) in &delivery.lanes {
        limit.count(&[("website", website)], *most as u64);
    }
}

fn writer(text: &mut Exposition, queued: usize) {
    text.family(
        "orderfeed_store_writer_queue",
        Kind::Gauge,
        "Transactions that wait for the store's writer.",
    )
    .count(&[], queued as u64);
}

fn times(text: &mut Exposition, delivery: &StatsSnapshot) {
    let trips = &delivery.round_trips;
    text.family(
        "orderfeed_request_duration_seconds",
        Kind::Histogram,
        "Requests to the edge that were answered, by the time until then.",
    )
    .buckets(&[], &LATENCY_BOUNDS_MS, &trips.counts, trips.sum_ms);
    let mut latency = text.family(
        "orderfeed_event_latency_seconds",
        Kind::Histogram,
        "Events of live changes by the time from the change noticed to the event accepted.",
    );
    for (website, times) in &delivery.latency {
        let labels = [("website", website.as_str())];
        latency.buckets(&labels, &LATENCY_BOUNDS_MS, &times.counts, times.sum_ms);
    }
}

#[cfg(test)]
mod tests;
