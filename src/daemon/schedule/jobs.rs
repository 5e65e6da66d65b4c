//! The cron jobs. Each returns a one-line summary for the history, or nothing if there was nothing to do.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::config::{Config, CronExpr};
use crate::daemon::schedule::nightly::NightlyVerification;
use crate::indexer::{BackfillOptions, IndexError, Indexer, Reach};
use crate::store::cron::{CronRun, CronStatus};
use crate::store::views::{IndexerStatus, ViewMode};
use crate::store::{Durability, Store, StoreError, Writer};
use orderfeed_model::clock::{Clock, UtcMillis};
use orderfeed_model::words;

/// Rows removed in one transaction, so that other writers do not wait long.
const CLEANUP_CHUNK: usize = 5_000;
/// Bodies whose persons are stored in one transaction.
const CONVERT_CHUNK: usize = 50;
/// Transactions of such a kind in one run.
const CONVERT_CHUNKS: usize = 100;
const HOUR_MS: i64 = 3_600_000;

words! {
    /// A cron job. The names are Commerce's, in configuration, log and `cron_schedule`.
    #[derive(Hash)]
    pub enum Job {
        /// Indexes the changelog, in schedule mode.
        UpdateAllViews = "indexer_update_all_views",
        /// Reindexes in full if the index is invalid.
        ReindexAllInvalid = "indexer_reindex_all_invalid",
        /// Removes indexed changelog rows, and old runs and backfills.
        CleanAllChangelogs = "indexer_clean_all_changelogs",
        /// Retries orders that could not be indexed.
        ResendFailedItems = "resend_failed_items",
        /// Removes bodies of delivered events past `store.body_retention`.
        CleanupDeliveredEvents = "cleanup_delivered_events",
        /// Compares the source with feed and outbox, and repairs differences.
        VerifySource = "verify_source",
    }
}

impl Job {
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|job| job.as_str() == name)
    }

    /// Returns true if the job runs at the first start instead of at its first slot. A new store is filled at once; it has
    /// nothing to clean or verify.
    pub const fn begins_at_once(self) -> bool {
        match self {
            Self::UpdateAllViews | Self::ReindexAllInvalid | Self::ResendFailedItems => true,
            Self::CleanAllChangelogs | Self::CleanupDeliveredEvents | Self::VerifySource => false,
        }
    }

    pub fn schedule(self, config: &Config) -> &CronExpr {
        let cron = &config.cron;
        match self {
            Self::UpdateAllViews => &cron.indexer_update_all_views,
            Self::ReindexAllInvalid => &cron.indexer_reindex_all_invalid,
            Self::CleanAllChangelogs => &cron.indexer_clean_all_changelogs,
            Self::ResendFailedItems => &cron.resend_failed_items,
            Self::CleanupDeliveredEvents => &cron.cleanup_delivered_events,
            Self::VerifySource => &cron.verify_source,
        }
    }
}

/// The result of a run: a summary, or `None` if there was nothing to do.
pub type JobResult = Result<Option<String>, IndexError>;

/// Returns status and message of a run for `cron_schedule`. `nothing` is the message of a run without work.
pub(super) fn recorded(result: &JobResult, nothing: &str) -> (CronStatus, String) {
    match result {
        Ok(summary) => (
            CronStatus::Success,
            summary.as_deref().unwrap_or(nothing).to_owned(),
        ),
        Err(error) => (CronStatus::Error, error.to_string()),
    }
}

#[derive(Clone)]
pub struct Jobs {
    pub indexer: Arc<Indexer>,
    pub clock: Clock,
    pub config: tokio::sync::watch::Receiver<Arc<Config>>,
    /// Ends a long job between two batches.
    pub stop: CancellationToken,
}

impl Jobs {
    /// Runs a job once. After an error, the part that was done stays.
    pub async fn run(&self, job: Job) -> JobResult {
        match job {
            Job::UpdateAllViews => self.update_all_views().await,
            Job::ReindexAllInvalid => self.reindex_all_invalid().await,
            Job::CleanAllChangelogs => self.clean_all_changelogs().await,
            Job::ResendFailedItems => self.resend_failed_items().await,
            Job::CleanupDeliveredEvents => self.cleanup_delivered_events().await,
            Job::VerifySource => self.verify_source().await.map(Some),
        }
    }

    /// Records a run outside the schedule in `cron_schedule`.
    pub async fn record(
        &self,
        job: Job,
        started: UtcMillis,
        finished: UtcMillis,
        result: &JobResult,
    ) -> Result<(), StoreError> {
        let (status, message) = recorded(result, "nothing to do");
        let run = CronRun {
            id: 0,
            job: job.as_str().to_owned(),
            status,
            message,
            scheduled_at: started,
            executed_at: Some(started),
            finished_at: Some(finished),
        };
        let write = move |writer: &mut Writer<'_>| writer.record_cron_run(&run).map(drop);
        self.store().write(Durability::Relaxed, write).await
    }

    async fn update_all_views(&self) -> JobResult {
        let view = self.store().read(|reader| reader.view_state()).await?;
        if view.is_some_and(|view| view.mode == ViewMode::Realtime) {
            return Ok(None);
        }
        // In realtime mode, the task that waits for changes does this.
        match self.update_now().await {
            // The intake logs its pause itself.
            Err(IndexError::Paused) => Ok(None),
            other => other,
        }
    }

    /// Indexes the changelog in either mode.
    pub async fn update_now(&self) -> JobResult {
        let update = match self.indexer.update_view(|| self.stop.is_cancelled()).await {
            Ok(update) => update,
            // An operator suspended the index; that is no failure.
            Err(IndexError::Suspended) => return Ok(None),
            Err(error) => return Err(error),
        };
        let done = update.indexed;
        Ok((done.orders > 0).then(|| {
            format!(
                "indexed {} orders ({} changed), {} events queued",
                done.orders, done.changed, done.events
            )
        }))
    }

    async fn reindex_all_invalid(&self) -> JobResult {
        let state = self.store().read(|reader| reader.indexer_state()).await?;
        if state.is_none_or(|state| state.status != IndexerStatus::Invalid) {
            return Ok(None);
        }
        self.reindex().await.map(Some)
    }

    /// Reindexes in full, or continues an interrupted reindex. Returns the summary.
    pub async fn reindex(&self) -> Result<String, IndexError> {
        let options = BackfillOptions {
            reach: Reach::History,
            ..BackfillOptions::default()
        };
        let report = self
            .indexer
            .reindex(options, || self.stop.is_cancelled(), |_| {})
            .await?;
        let done = report.indexed;
        Ok(format!(
            "rebuilt the index: {} orders, {} events queued",
            done.orders, done.events
        ))
    }

    async fn clean_all_changelogs(&self) -> JobResult {
        let version = self.store().read(|reader| reader.view_version()).await?;
        let rows = self
            .repeat(move |writer| writer.clean_changelog(version, CLEANUP_CHUNK))
            .await?;
        let now = self.clock.now();
        let keep = self.config.borrow().cron.history_retention.millis();
        self.store()
            .write(Durability::Relaxed, move |writer| {
                // Successful runs are kept for an hour only, because they are many and hold little.
                writer.prune_cron_history(now.plus_millis(-HOUR_MS.min(keep)), now.plus_millis(-keep))?;
                writer.prune_backfills(now.plus_millis(-keep))
            })
            .await?;
        Ok((rows > 0).then(|| format!("removed {rows} changelog rows")))
    }

    async fn resend_failed_items(&self) -> JobResult {
        // A safety check: settling a batch releases those that wait for it.
        let released = self
            .store()
            .write(Durability::Durable, |writer| {
                writer.release_orphaned_dependencies()
            })
            .await?;
        if released > 0 {
            tracing::warn!(
                log_code = "OF06-06",
                batches = released,
                "Batches waited for others that are final; they are released"
            );
        }
        self.convert_persons().await?;
        let retried = self.indexer.retry_failures().await?;
        Ok((retried.orders > 0)
            .then(|| format!("retried {} orders, {} still fail", retried.orders, retried.failed)))
    }

    /// Converts a limited number of bodies that an earlier version wrote; the next run continues.
    async fn convert_persons(&self) -> Result<(), StoreError> {
        for _ in 0..CONVERT_CHUNKS {
            let step = |writer: &mut Writer<'_>| writer.convert_persons(CONVERT_CHUNK);
            let more = self.store().write_low_priority(Durability::Relaxed, step).await?;
            if !more || self.stop.is_cancelled() {
                break;
            }
        }
        Ok(())
    }

    async fn cleanup_delivered_events(&self) -> JobResult {
        let before = self
            .clock
            .now()
            .plus_millis(-self.config.borrow().store.body_retention.millis());
        let batches = self
            // Fewer per transaction than rows of the changelog, because batches have bodies.
            .repeat(move |writer| writer.remove_delivered(before, CLEANUP_CHUNK / 10))
            .await?;
        if batches > 0 {
            // The write-ahead log still holds the removed bodies. If a reader prevents this, the next run does it.
            self.store().truncate_wal().await?;
        }
        Ok((batches > 0).then(|| format!("removed {batches} delivered batches")))
    }

    async fn verify_source(&self) -> Result<String, IndexError> {
        let config = self.config.borrow().clone();
        let verification = NightlyVerification {
            indexer: &self.indexer,
            clock: &self.clock,
            config: &config,
            stop: &self.stop,
        };
        verification.run().await
    }

    /// Repeats small transactions until one finds nothing to do. Returns the number of rows.
    async fn repeat(
        &self,
        step: impl Fn(&mut Writer<'_>) -> Result<usize, StoreError> + Copy + Send + 'static,
    ) -> Result<usize, IndexError> {
        let mut total = 0;
        while !self.stop.is_cancelled() {
            let done = self
                .store()
                .write(Durability::Relaxed, move |writer| step(writer))
                .await?;
            total += done;
            if done == 0 {
                break;
            }
        }
        Ok(total)
    }

    pub(crate) fn store(&self) -> &Store {
        self.indexer.store()
    }
}
