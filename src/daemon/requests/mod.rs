//! The requests of commands. The daemon runs them for the control socket; if no daemon runs, the command runs them in its
//! own process, with the store's lock held.

pub mod error;
mod hint;
pub(crate) mod privacy;
pub(crate) mod progress;
pub(crate) mod resync;
pub(crate) mod store;
pub(crate) mod verify;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::config::Config;
use crate::daemon::control::selection::Selection;
use crate::daemon::control::{JobRun, Outcome, Rebuilt, ReindexOptions, Reply, Request};
use crate::daemon::requests::error::{RequestError, refused};
use crate::daemon::requests::privacy::PrivacyRequests;
use crate::daemon::requests::progress::Reporter;
use crate::daemon::requests::store::{StoreRequests, Switch};
use crate::daemon::schedule::jobs::{Job, Jobs};
use crate::indexer::{BackfillOptions, IndexError, Reach};
use crate::store::Store;
use crate::store::outbox::ParkedEvent;
use orderfeed_model::clock::Clock;

pub struct Requests {
    store: StoreRequests,
    privacy: PrivacyRequests,
    jobs: Option<Jobs>,
}

impl Requests {
    /// Creates the requests of a process that has a source, such as the daemon.
    pub fn new(jobs: Jobs) -> Self {
        let store = jobs.store().clone();
        Self {
            jobs: Some(jobs.clone()),
            ..Self::without_source(store, jobs.clock, jobs.config)
        }
    }

    /// Creates requests that cannot use the source, which a command need not be able to reach. Requests for which
    /// [`needs_source`] is true fail.
    pub fn without_source(store: Store, clock: Clock, config: watch::Receiver<Arc<Config>>) -> Self {
        Self {
            privacy: PrivacyRequests::new(store.clone(), clock.clone()),
            store: StoreRequests::new(store, clock, config),
            jobs: None,
        }
    }

    /// Handles one request.
    ///
    /// Progress goes to `replies`, which may close at any time: the client disconnected, and the work continues. The caller
    /// sends the last reply. Dropping the future ends the work between two transactions.
    pub async fn handle(&self, request: &Request, replies: mpsc::Sender<Reply>) -> anyhow::Result<Outcome> {
        let reporter = Reporter(replies);
        match request {
            Request::Ping => Ok(Outcome::Pong {
                pid: std::process::id(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            }),
            Request::SetMode { mode } => self.store.set_mode(*mode).await,
            Request::Reset => self.store.reset().await,
            Request::SetStatus { status, by } => self.store.set_status(*status, by.as_deref()).await,
            Request::RetryParked(selection) => self.store.retry(selection).await,
            Request::DiscardParked { selection, reason } => self.store.discard(selection, reason).await,
            Request::Suppress(options) => self.privacy.suppress(options, &reporter).await,
            Request::Unsuppress { persons } => self.privacy.unsuppress(persons).await,
            Request::Erase(options) => self.privacy.erase(options, &reporter).await,
            Request::PauseDelivery { website } => self.store.switch(website.as_deref(), Switch::Pause).await,
            Request::ResumeDelivery { website } => {
                self.store.switch(website.as_deref(), Switch::Resume).await
            }
            Request::Reindex(options) => reindex(self.jobs()?, options, reporter).await,
            Request::Resync(options) => {
                // Validated here as well, because the client may be of another version.
                options.validate()?;
                let resynced = resync::resync(self.jobs()?, &self.store, options, reporter).await?;
                Ok(Outcome::Resynced(resynced))
            }
            Request::StopResync => self.store.stop_resync().await,
            Request::Verify(options) => {
                options.validate()?;
                let report = verify::verify(self.jobs()?, options, reporter).await?;
                Ok(Outcome::Verified(Box::new(report)))
            }
            Request::Hint { names } => Ok(Outcome::Hinted(hint::hint(self.jobs()?, names).await?)),
            Request::CronRun { job } => run_job(self.jobs()?, job).await,
        }
    }

    /// Counts the parked events of a selection, and returns at most `sample` of them.
    pub(crate) async fn parked(
        &self,
        selection: &Selection,
        sample: usize,
    ) -> anyhow::Result<(u64, Vec<ParkedEvent>)> {
        self.store.parked(selection, sample).await
    }

    fn jobs(&self) -> Result<&Jobs, RequestError> {
        self.jobs.as_ref().ok_or(RequestError::NeverStarted)
    }
}

pub fn needs_source(request: &Request) -> bool {
    matches!(
        request,
        Request::Reindex(_)
            | Request::Resync(_)
            | Request::Verify(_)
            | Request::Hint { .. }
            | Request::CronRun { .. }
    )
}

/// Reindexes every order by upsert, also while the indexer is suspended.
async fn reindex(jobs: &Jobs, options: &ReindexOptions, reporter: Reporter) -> anyhow::Result<Outcome> {
    let backfill = BackfillOptions {
        reach: Reach::History,
        batch_size: options.batch_size,
        ..BackfillOptions::default()
    };
    let stop = || jobs.stop.is_cancelled();
    let report = jobs.indexer.reindex(backfill, stop, reporter.of_backfill()).await;
    let report = report.map_err(|error| match error {
        IndexError::Busy(holder) => RequestError::ReindexLocked { holder }.into(),
        other => anyhow::Error::from(other),
    })?;
    Ok(Outcome::Reindexed(Rebuilt {
        orders: report.indexed.orders,
        events: report.indexed.events,
        failures: report.indexed.failed,
        duration_ms: u64::try_from(report.elapsed_ms).unwrap_or_default(),
    }))
}

pub fn job_named(name: &str) -> Result<Job, RequestError> {
    Job::from_name(name).ok_or_else(|| RequestError::UnknownJob {
        job: name.to_owned(),
        known: Job::ALL.map(Job::as_str).join(", "),
    })
}

/// Runs a job once, outside its schedule, and records the run.
async fn run_job(jobs: &Jobs, name: &str) -> anyhow::Result<Outcome> {
    let job = job_named(name)?;
    let started = jobs.clock.now();
    let result = jobs.run(job).await;
    let finished = jobs.clock.now();
    // Recorded also if it failed, as for scheduled runs.
    jobs.record(job, started, finished, &result).await?;
    let summary = result.map_err(refused)?;
    Ok(Outcome::JobRan(JobRun {
        job: name.to_owned(),
        message: summary.unwrap_or_else(|| "nothing to do".to_owned()),
        duration_ms: u64::try_from(finished.millis_since(started)).unwrap_or_default(),
    }))
}
