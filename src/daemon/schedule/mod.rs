//! The schedules. `tokio-cron-scheduler` only ticks, once a second, in UTC; what is due is decided by a pure function
//! over the persisted last slot ([`crate::config::cron::due`]), because the crate freezes time zones when a job is
//! made, lets jobs overlap, and forgets everything at a restart. A job never overlaps itself; slots that pass while it
//! runs, or while the daemon is down, are caught up once. A job that never ran has nothing to catch up: what a new store
//! needs runs at once ([`Job::begins_at_once`]), the rest at its first slot after the daemon first knew of the job.

pub mod jobs;
pub(crate) mod nightly;
pub(crate) mod realtime;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_cron_scheduler::{JobBuilder, JobScheduler};

use crate::config::Config;
use crate::config::cron::{Due, Slot, due};
use crate::daemon::lifecycle::vitals::Vitals;
use crate::daemon::schedule::jobs::{Job, JobResult, Jobs};
use crate::indexer::IndexError;
use crate::ops::outage_log::{OutageLine, OutageLog};
use crate::store::cron::CronRun;
use crate::store::{Durability, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// A run that takes longer gets a row while it runs.
const WORTH_A_ROW: Duration = Duration::from_secs(1);
/// The last slot of a job that finds nothing to do is kept this often.
const QUIET_SAVE_MS: i64 = 60_000;

/// Runs the jobs on their schedules until `jobs.stop`; then waits for those that run. `vitals` is told once they tick, and
/// how runs end. Without a `tick`, a ticker is started.
///
/// # Errors
/// If the store fails, or the ticker cannot start.
pub async fn run(jobs: Jobs, vitals: Arc<Vitals>, tick: Option<Arc<Notify>>) -> Result<(), ScheduleError> {
    let Some(tick) = tick else {
        let tick = Arc::new(Notify::new());
        let mut ticker = start_ticker(&tick).await?;
        let ended = run_ticked(jobs, vitals, &tick).await;
        // `shutdown` does not wait for anything, and nothing of ours runs inside the ticker.
        let _ = ticker.shutdown().await;
        return ended;
    };
    run_ticked(jobs, vitals, &tick).await
}

async fn run_ticked(jobs: Jobs, vitals: Arc<Vitals>, tick: &Notify) -> Result<(), ScheduleError> {
    let mut schedule = Schedule::load(jobs.clone(), vitals).await?;
    schedule.vitals.scheduled();
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = jobs.stop.cancelled() => break,
            Some(ended) = running.join_next() => schedule.ended(ended)?,
            () = tick.notified() => schedule.start_due(&mut running),
        }
    }
    while let Some(ended) = running.join_next().await {
        schedule.ended(ended)?;
    }
    schedule.save().await
}

/// Why the schedules ended.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// The ticker did not start.
    #[error("the scheduler could not start: {0}")]
    Ticker(#[from] tokio_cron_scheduler::JobSchedulerError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A job panicked.
    #[error("a scheduled job crashed: {0}")]
    Crashed(String),
}

async fn start_ticker(tick: &Arc<Notify>) -> Result<JobScheduler, ScheduleError> {
    let ticker = JobScheduler::new().await?;
    let tick = tick.clone();
    let job = JobBuilder::new()
        .with_timezone(chrono::Utc)
        .with_cron_job_type()
        .with_schedule("* * * * * *")?
        .with_run_async(Box::new(move |_, _| {
            tick.notify_one();
            Box::pin(async {})
        }))
        .build()?;
    ticker.add(job).await?;
    ticker.start().await?;
    Ok(ticker)
}

/// One job's place in its schedule.
#[derive(Debug, Default)]
struct Place {
    last: Option<UtcMillis>,
    saved: Option<UtcMillis>,
    /// Nothing is due before this; looked at again earlier if the clock goes back, or the configuration changes.
    next: Option<UtcMillis>,
    /// Whether it ever did, so that `last` is a slot of its.
    ran: bool,
    running: bool,
    outage: OutageLog,
}

impl Place {
    /// `last` is the slot it last ran for, `first_seen` when a job that waits for its first slot became known.
    fn of(last: Option<UtcMillis>, first_seen: Option<UtcMillis>) -> Self {
        Self {
            last: last.or(first_seen),
            saved: last,
            ran: last.is_some(),
            ..Self::default()
        }
    }
}

/// `meta`: when a job was first looked at that had never run.
fn first_seen_key(job: Job) -> String {
    format!("cron_first_seen/{}", job.as_str())
}

struct Schedule {
    jobs: Jobs,
    places: HashMap<Job, Place>,
    looked_at: UtcMillis,
    /// What the places' next slots were planned with.
    planned: Arc<Config>,
    vitals: Arc<Vitals>,
}

type Ended = (Job, Result<(), StoreError>, Option<IndexError>);

impl Schedule {
    async fn load(jobs: Jobs, vitals: Arc<Vitals>) -> Result<Self, StoreError> {
        let looked_at = jobs.clock.now();
        let load = move |writer: &mut Writer<'_>| {
            let place = |job| Ok((job, place_of(writer, job, looked_at)?));
            Job::ALL.into_iter().map(place).collect::<Result<_, _>>()
        };
        let places = jobs.indexer.store().write(Durability::Relaxed, load).await?;
        let planned = jobs.config.borrow().clone();
        Ok(Self {
            jobs,
            places,
            looked_at,
            planned,
            vitals,
        })
    }

    fn start_due(&mut self, running: &mut JoinSet<Ended>) {
        self.vitals.ticked();
        let now = self.jobs.clock.now();
        let went_back = now < self.looked_at;
        self.looked_at = now;
        let config = self.jobs.config.borrow().clone();
        let planned = std::mem::replace(&mut self.planned, config.clone());
        let is_planned = Arc::ptr_eq(&config, &planned) && !went_back;
        for job in Job::ALL {
            let Some(place) = self.places.get_mut(&job) else {
                continue;
            };
            if place.running || (is_planned && place.next.is_some_and(|next| now < next)) {
                continue;
            }
            let found = plan(job, &planned, &config, place.last, now);
            place.last = found.last_run;
            place.next = found.next;
            if let Some(slot) = found.slot {
                (place.running, place.ran) = (true, true);
                let save = place.last.filter(|last| {
                    place
                        .saved
                        .is_none_or(|saved| last.millis_since(saved).abs() >= QUIET_SAVE_MS)
                });
                place.saved = save.or(place.saved);
                running.spawn(run_job(self.jobs.clone(), job, slot, save));
            }
        }
    }

    fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) -> Result<(), ScheduleError> {
        let (job, stored, failure) = ended.map_err(|cause| ScheduleError::Crashed(cause.to_string()))?;
        let now = self.jobs.clock.now();
        if let Some(place) = self.places.get_mut(&job) {
            place.running = false;
            // A slot may have passed meanwhile.
            place.next = None;
            self.vitals.job_ended(job.as_str(), failure.is_none(), now);
            say(job, &mut place.outage, failure.as_ref(), now);
        }
        Ok(stored?)
    }

    async fn save(&self) -> Result<(), ScheduleError> {
        let slots: Vec<_> = self
            .places
            .iter()
            .filter(|(_, place)| place.ran)
            .filter_map(|(job, place)| Some((*job, place.last?)))
            .collect();
        let save = move |writer: &mut Writer<'_>| {
            slots
                .iter()
                .try_for_each(|(job, last)| writer.set_last_slot(job.as_str(), *last))
        };
        Ok(self.jobs.indexer.store().write(Durability::Relaxed, save).await?)
    }
}

/// What is due by a configuration that may have replaced another one. A new schedule begins now: its slots of before were
/// never there to be missed. What the old one has just called for is run.
fn plan(job: Job, old: &Config, new: &Config, last: Option<UtcMillis>, now: UtcMillis) -> Due {
    let by = |config: &Config, last| due(job.schedule(config), config.cron.time_zone, last, now);
    if job.schedule(old) == job.schedule(new) && old.cron.time_zone == new.cron.time_zone {
        return by(new, last);
    }
    let found = by(old, last);
    match found.slot {
        Some(_) => found,
        None => by(new, found.last_run.max(Some(now))),
    }
}

/// Where a job is, from the store. Remembered at the first look, so that a restart before the first slot does not lose it.
fn place_of(writer: &mut Writer<'_>, job: Job, now: UtcMillis) -> Result<Place, StoreError> {
    let last = writer.reader().last_slot(job.as_str())?;
    if last.is_some() || job.begins_at_once() {
        return Ok(Place::of(last, None));
    }
    let key = first_seen_key(job);
    let seen = writer.reader().meta(&key)?;
    let seen = seen.and_then(|millis| millis.parse().ok()).map(UtcMillis);
    // A moment of the future comes from a clock that was wrong then.
    if let Some(seen) = seen.filter(|seen| *seen <= now) {
        return Ok(Place::of(None, Some(seen)));
    }
    writer.set_meta(&key, &now.0.to_string())?;
    Ok(Place::of(None, Some(now)))
}

/// Runs a job and keeps what is worth keeping of it.
async fn run_job(jobs: Jobs, job: Job, slot: Slot, save: Option<UtcMillis>) -> Ended {
    let store = jobs.indexer.store().clone();
    let executed_at = jobs.clock.now();
    let row = CronRun {
        id: 0,
        job: job.as_str().to_owned(),
        status: "running".to_owned(),
        message: String::new(),
        scheduled_at: slot.scheduled_for,
        executed_at: Some(executed_at),
        finished_at: None,
    };
    let work = jobs.run(job);
    tokio::pin!(work);
    let (result, id) = match tokio::time::timeout(WORTH_A_ROW, &mut work).await {
        Ok(result) => (result, None),
        Err(_) => {
            let running = row.clone();
            let id = store
                .write(Durability::Relaxed, move |writer| {
                    writer.record_cron_run(&running)
                })
                .await;
            (work.await, id.ok())
        }
    };
    let kept = keep(&jobs, row, id, &result, slot, save).await;
    let failure = result
        .err()
        .filter(|error| !matches!(error, IndexError::Busy(_) | IndexError::Stopped));
    (job, kept, failure)
}

async fn keep(
    jobs: &Jobs,
    mut row: CronRun,
    id: Option<i64>,
    result: &JobResult,
    slot: Slot,
    save: Option<UtcMillis>,
) -> Result<(), StoreError> {
    let (status, message) = match result {
        Ok(message) => ("success", message.clone().unwrap_or_default()),
        Err(error) => ("error", error.to_string()),
    };
    let quiet = id.is_none() && status == "success" && message.is_empty() && !slot.missed_earlier;
    if quiet && save.is_none() {
        return Ok(());
    }
    let now = jobs.clock.now();
    let job = row.job.clone();
    row.finished_at = Some(now);
    (row.status, row.message) = (status.to_owned(), message);
    let write = move |writer: &mut Writer<'_>| {
        if slot.missed_earlier {
            let why = "earlier slots passed while the daemon was down or the job was busy; this run stands for them";
            writer.record_missed_slot(&job, slot.scheduled_for, why)?;
        }
        writer.set_last_slot(&job, save.unwrap_or(slot.scheduled_for))?;
        match id {
            Some(id) => writer.finish_cron_run(id, &row.status, &row.message, now),
            None if quiet => Ok(()),
            None => writer.record_cron_run(&row).map(drop),
        }
    };
    jobs.indexer.store().write(Durability::Relaxed, write).await
}

/// A job that fails every five seconds is told in three lines, like every outage. A source that is down is told by
/// capture already.
fn say(job: Job, outage: &mut OutageLog, failure: Option<&IndexError>, now: UtcMillis) {
    let Some(error) = failure else {
        if let Some(OutageLine::Recovery { failures, .. }) = outage.recovered(now) {
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
        Some(OutageLine::Recovery { .. }) | None => {}
    }
}

#[cfg(test)]
mod tests;
