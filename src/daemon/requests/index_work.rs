//! What a request may ask of the index, over the indexer: in the daemon and in a command that found none running.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::daemon::control::{JobRun, Progress, Rebuilt, ReindexOptions, Resynced};
use crate::daemon::requests::backfill_reply::{refused, report_to};
use crate::daemon::requests::resync::ResyncOptions;
use crate::daemon::requests::resync_work;
use crate::daemon::requests::verify::VerifyOptions;
use crate::daemon::requests::verify_work;
use crate::daemon::requests::work::{BoxFuture, IndexWork, RequestError};
use crate::daemon::schedule::jobs::{Job, Jobs};
use crate::indexer::{BackfillOptions, BackfillReport, IndexError, Reach, VerifyReport};
use crate::store::cron::CronRun;
use crate::store::{Durability, Writer};

/// The work on the index, done with the daemon's own jobs.
pub struct DaemonIndexWork {
    /// The jobs.
    pub jobs: Jobs,
}

impl IndexWork for DaemonIndexWork {
    fn reindex<'a>(
        &'a self,
        options: &'a ReindexOptions,
        progress: mpsc::Sender<Progress>,
    ) -> BoxFuture<'a, Rebuilt> {
        Box::pin(async move {
            let backfill = BackfillOptions {
                reach: Reach::History,
                batch_size: options.batch_size,
                ..BackfillOptions::default()
            };
            let stop = || self.jobs.stop.is_cancelled();
            let report = self
                .jobs
                .indexer
                .reindex(backfill, stop, report_to(progress))
                .await
                .map_err(refused)?;
            Ok(rebuilt(&report))
        })
    }

    fn resync<'a>(
        &'a self,
        options: &'a ResyncOptions,
        progress: mpsc::Sender<Progress>,
    ) -> BoxFuture<'a, Resynced> {
        Box::pin(resync_work::resync(&self.jobs, options, progress))
    }

    fn verify<'a>(
        &'a self,
        options: &'a VerifyOptions,
        progress: mpsc::Sender<Progress>,
    ) -> BoxFuture<'a, VerifyReport> {
        Box::pin(verify_work::verify(&self.jobs, options, progress))
    }

    fn run_job<'a>(&'a self, job: &'a str) -> BoxFuture<'a, JobRun> {
        Box::pin(async move {
            let known = || Job::ALL.map(Job::as_str).join(", ");
            let job = Job::from_name(job).ok_or_else(|| RequestError::UnknownJob {
                job: job.to_owned(),
                known: known(),
            })?;
            let started = self.jobs.clock.now();
            let result = self.jobs.run(job).await;
            let finished = self.jobs.clock.now();
            self.keep(job, &result, (started, finished)).await?;
            let message = result
                .map_err(refused)?
                .unwrap_or_else(|| "nothing to do".to_owned());
            let duration_ms = u64::try_from(finished.millis_since(started)).unwrap_or_default();
            Ok(JobRun {
                job: job.as_str().to_owned(),
                message,
                duration_ms,
            })
        })
    }
}

impl DaemonIndexWork {
    async fn keep(
        &self,
        job: Job,
        result: &Result<Option<String>, IndexError>,
        (started, finished): (
            orderfeed_model::clock::UtcMillis,
            orderfeed_model::clock::UtcMillis,
        ),
    ) -> anyhow::Result<()> {
        let (status, message) = match result {
            Ok(message) => (
                "success",
                message.clone().unwrap_or_else(|| "nothing to do".to_owned()),
            ),
            Err(error) => ("error", error.to_string()),
        };
        let row = CronRun {
            id: 0,
            job: job.as_str().to_owned(),
            status: status.to_owned(),
            message,
            scheduled_at: started,
            executed_at: Some(started),
            finished_at: Some(finished),
        };
        let write = move |writer: &mut Writer<'_>| writer.record_cron_run(&row);
        self.jobs
            .indexer
            .store()
            .write(Durability::Relaxed, write)
            .await?;
        Ok(())
    }
}

fn rebuilt(report: &BackfillReport) -> Rebuilt {
    Rebuilt {
        orders: report.indexed.orders,
        events: report.indexed.events,
        failures: report.indexed.failed,
        duration_ms: u64::try_from(report.elapsed_ms).unwrap_or_default(),
    }
}

/// Shared by everyone who handles requests.
pub fn index_work(jobs: Jobs) -> Arc<dyn IndexWork> {
    Arc::new(DaemonIndexWork { jobs })
}
