//! The schedules. They are checked once a second; a pure function over the stored last slot
//! ([`crate::config::cron::due`]) decides what is due.
//!
//! A job never overlaps itself. Slots that pass while it runs, or while the daemon is down, are caught up once. A job that
//! never ran has nothing to catch up: jobs that a new store needs run at once ([`Job::begins_at_once`]), the others at their
//! first slot after the daemon first saw the job.

pub mod jobs;
pub(crate) mod nightly;
pub(crate) mod realtime;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::config::cron::{Due, Slot, due};
use crate::daemon::lifecycle::vitals::Vitals;
use crate::daemon::schedule::jobs::{Job, JobResult, Jobs, recorded};
use crate::indexer::IndexError;
use crate::ops::outage_log::{OutageLine, OutageLog, Recovery};
use crate::store::cron::{CronRun, CronStatus};
use crate::store::{Durability, StoreError, Writer};
use orderfeed_model::clock::{Clock, UtcMillis};

/// A run that takes longer has a row in `cron_schedule` while it runs.
const RECORD_RUNNING_AFTER: Duration = Duration::from_secs(1);
const SECOND_MS: i64 = 1_000;
/// Interval at which the last slot of a job is stored while it finds nothing to do.
const SAVE_SLOT_EVERY_MS: i64 = 60_000;

/// Runs the jobs on their schedules until `jobs.stop`, then waits for those that run. Records ticks and results in `vitals`.
/// Without a `tick` it looks for due jobs at every full second, finer than any schedule.
pub async fn run(jobs: Jobs, vitals: Arc<Vitals>, tick: Option<Arc<Notify>>) -> Result<(), ScheduleError> {
    let mut schedule = Schedule::load(jobs.clone(), vitals).await?;
    // From here on the daemon is ready.
    schedule.vitals.scheduled();
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            // The stop first, so that no job starts after it.
            () = jobs.stop.cancelled() => break,
            Some(ended) = running.join_next() => schedule.ended(ended)?,
            () = next_tick(tick.as_deref(), &jobs.clock) => schedule.start_due(&mut running),
        }
    }
    while let Some(ended) = running.join_next().await {
        schedule.ended(ended)?;
    }
    // The last slots of quiet jobs are stored only now and then.
    schedule.save().await
}

#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a scheduled job crashed: {0}")]
    Crashed(String),
}

/// Waits for the tick, or for the next full second of the clock.
async fn next_tick(tick: Option<&Notify>, clock: &Clock) {
    match tick {
        Some(tick) => tick.notified().await,
        None => {
            let passed = clock.now().0.rem_euclid(SECOND_MS);
            tokio::time::sleep(Duration::from_millis((SECOND_MS - passed).unsigned_abs())).await;
        }
    }
}

#[derive(Debug, Default)]
struct JobState {
    /// The last slot, or if the job never ran, the time at which it was first seen.
    last: Option<UtcMillis>,
    saved: Option<UtcMillis>,
    /// Nothing is due before this time. Computed again if the clock goes back or the configuration changes.
    next: Option<UtcMillis>,
    /// True if the job ever ran, so that `last` is a slot.
    ran: bool,
    running: bool,
    outage: OutageLog,
}

impl JobState {
    fn new(last: Option<UtcMillis>, first_seen: Option<UtcMillis>) -> Self {
        Self {
            last: last.or(first_seen),
            saved: last,
            ran: last.is_some(),
            ..Self::default()
        }
    }
}

/// Key in `meta` of the time at which a job that never ran was first seen.
fn first_seen_key(job: Job) -> String {
    format!("cron_first_seen/{}", job.as_str())
}

struct Schedule {
    jobs: Jobs,
    states: HashMap<Job, JobState>,
    ticked_at: UtcMillis,
    /// The configuration with which the next slots were computed.
    planned: Arc<Config>,
    vitals: Arc<Vitals>,
}

/// A run that ended: the job, the result of recording it, and the failure to log.
type Ended = (Job, Result<(), StoreError>, Option<IndexError>);

impl Schedule {
    async fn load(jobs: Jobs, vitals: Arc<Vitals>) -> Result<Self, StoreError> {
        let ticked_at = jobs.clock.now();
        let load = move |writer: &mut Writer<'_>| {
            let state = |job| Ok((job, load_state(writer, job, ticked_at)?));
            Job::ALL.into_iter().map(state).collect::<Result<_, _>>()
        };
        let states = jobs.store().write(Durability::Relaxed, load).await?;
        let planned = jobs.config.borrow().clone();
        Ok(Self {
            jobs,
            states,
            ticked_at,
            planned,
            vitals,
        })
    }

    fn start_due(&mut self, running: &mut JoinSet<Ended>) {
        self.vitals.ticked();
        let now = self.jobs.clock.now();
        // After the clock was set back, the computed next slots are too far in the future.
        let went_back = now < self.ticked_at;
        self.ticked_at = now;
        let config = self.jobs.config.borrow().clone();
        let planned = std::mem::replace(&mut self.planned, config.clone());
        let is_planned = Arc::ptr_eq(&config, &planned) && !went_back;
        for job in Job::ALL {
            let Some(state) = self.states.get_mut(&job) else {
                continue;
            };
            if state.running || (is_planned && state.next.is_some_and(|next| now < next)) {
                continue;
            }
            let found = plan(job, &planned, &config, state.last, now);
            state.last = found.last_run;
            state.next = found.next;
            if let Some(slot) = found.slot {
                (state.running, state.ran) = (true, true);
                // Jobs that run every few seconds would otherwise write their slot each time.
                let save = state.last.filter(|last| {
                    state
                        .saved
                        .is_none_or(|saved| last.millis_since(saved).abs() >= SAVE_SLOT_EVERY_MS)
                });
                state.saved = save.or(state.saved);
                running.spawn(run_job(self.jobs.clone(), job, slot, save));
            }
        }
    }

    fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) -> Result<(), ScheduleError> {
        let (job, stored, failure) = ended.map_err(|cause| ScheduleError::Crashed(cause.to_string()))?;
        let now = self.jobs.clock.now();
        if let Some(state) = self.states.get_mut(&job) {
            state.running = false;
            // A slot may have passed during the run.
            state.next = None;
            self.vitals.job_ended(job.as_str(), failure.is_none(), now);
            log_result(job, &mut state.outage, failure.as_ref(), now);
        }
        Ok(stored?)
    }

    async fn save(&self) -> Result<(), ScheduleError> {
        let slots: Vec<_> = self
            .states
            .iter()
            .filter(|(_, state)| state.ran)
            .filter_map(|(job, state)| Some((*job, state.last?)))
            .collect();
        let save = move |writer: &mut Writer<'_>| {
            slots
                .iter()
                .try_for_each(|(job, last)| writer.set_last_slot(job.as_str(), *last))
        };
        Ok(self.jobs.store().write(Durability::Relaxed, save).await?)
    }
}

/// Computes what is due after a reload may have replaced the configuration `old` by `new`.
fn plan(job: Job, old: &Config, new: &Config, last: Option<UtcMillis>, now: UtcMillis) -> Due {
    let by = |config: &Config, last| due(job.schedule(config), config.cron.time_zone, last, now);
    if job.schedule(old) == job.schedule(new) && old.cron.time_zone == new.cron.time_zone {
        return by(new, last);
    }
    // A slot that the old schedule has just reached is run. Apart from that the new schedule starts now: its earlier slots
    // were not missed.
    let found = by(old, last);
    match found.slot {
        Some(_) => found,
        None => by(new, found.last_run.max(Some(now))),
    }
}

/// Loads the state of a job. Stores the time at which a job is first seen, or a restart before its first slot would lose it.
fn load_state(writer: &mut Writer<'_>, job: Job, now: UtcMillis) -> Result<JobState, StoreError> {
    let last = writer.reader().last_slot(job.as_str())?;
    if last.is_some() || job.begins_at_once() {
        return Ok(JobState::new(last, None));
    }
    let key = first_seen_key(job);
    let seen = writer.reader().meta(&key)?;
    let seen = seen.and_then(|millis| millis.parse().ok()).map(UtcMillis);
    // A time in the future is from a clock that was wrong then.
    if let Some(seen) = seen.filter(|seen| *seen <= now) {
        return Ok(JobState::new(None, Some(seen)));
    }
    writer.set_meta(&key, &now.0.to_string())?;
    Ok(JobState::new(None, Some(now)))
}

/// Runs a job and records the run if it took long, did something or failed. Stores `save` as its last slot.
async fn run_job(jobs: Jobs, job: Job, slot: Slot, save: Option<UtcMillis>) -> Ended {
    let store = jobs.store().clone();
    let executed_at = jobs.clock.now();
    let row = CronRun {
        id: 0,
        job: job.as_str().to_owned(),
        status: CronStatus::Running,
        message: String::new(),
        scheduled_at: slot.scheduled_for,
        executed_at: Some(executed_at),
        finished_at: None,
    };
    let work = jobs.run(job);
    tokio::pin!(work);
    // Most runs end within milliseconds and find nothing to do, so they have no row.
    let (result, id) = match tokio::time::timeout(RECORD_RUNNING_AFTER, &mut work).await {
        Ok(result) => (result, None),
        Err(_) => {
            // Visible in `cron history` while it runs, and an error if the process dies.
            let running = row.clone();
            let id = store
                .write(Durability::Relaxed, move |writer| {
                    writer.record_cron_run(&running)
                })
                .await;
            // Without a row, the run is recorded when it ends.
            (work.await, id.ok())
        }
    };
    let recorded = record(&jobs, row, id, &result, slot, save).await;
    let failure = result
        .err()
        // Another process that works on the feed, and the stop, are no failures of the job.
        .filter(|error| !matches!(error, IndexError::Busy(_) | IndexError::Stopped));
    (job, recorded, failure)
}

async fn record(
    jobs: &Jobs,
    mut row: CronRun,
    id: Option<i64>,
    result: &JobResult,
    slot: Slot,
    save: Option<UtcMillis>,
) -> Result<(), StoreError> {
    let (status, message) = recorded(result, "");
    let quiet = id.is_none() && status == CronStatus::Success && message.is_empty() && !slot.missed_earlier;
    if quiet && save.is_none() {
        return Ok(());
    }
    let now = jobs.clock.now();
    let job = row.job.clone();
    row.finished_at = Some(now);
    (row.status, row.message) = (status, message);
    let write = move |writer: &mut Writer<'_>| {
        if slot.missed_earlier {
            let why =
                "earlier slots passed while the daemon was down or the job was busy; this run replaces them";
            writer.record_missed_slot(&job, slot.scheduled_for, why)?;
        }
        writer.set_last_slot(&job, save.unwrap_or(slot.scheduled_for))?;
        match id {
            Some(id) => writer.finish_cron_run(id, row.status, &row.message, now),
            None if quiet => Ok(()),
            None => writer.record_cron_run(&row).map(drop),
        }
    };
    jobs.store().write(Durability::Relaxed, write).await
}

/// Logs the start of a series of failures, reminders, and its end. Capture already logs a source that is down.
fn log_result(job: Job, outage: &mut OutageLog, failure: Option<&IndexError>, now: UtcMillis) {
    let Some(error) = failure else {
        if let Some(Recovery { failures, .. }) = outage.recovered(now) {
            tracing::info!(job = job.as_str(), failures, "The job works again");
        }
        return;
    };
    match outage.failed(now) {
        Some(OutageLine::Start) if matches!(error, IndexError::Source(_)) => {
            tracing::debug!(job = job.as_str(), error = %error, "The job waits for the source");
        }
        Some(OutageLine::Start) => {
            tracing::warn!(
                log_code = "OF02-06",
                job = job.as_str(), error = %error,
                "The job failed; it runs again at its next slot",
            );
        }
        Some(OutageLine::Reminder { failures, .. }) => {
            tracing::warn!(
                log_code = "OF02-07",
                job = job.as_str(), failures, error = %error,
                "The job still fails",
            );
        }
        None => {}
    }
}

#[cfg(test)]
mod tests;
