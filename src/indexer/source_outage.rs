//! Outages of the source: logged when they start, as reminders and when they end, and stored for `status` while they last.

use std::time::Duration;

use super::{IndexError, Indexer};
use crate::commerce::source::SourceError;
use crate::ops::outage_log::{OutageLine, OutageLog, Recovery};
use crate::store::meta::StoredFailure;
use crate::store::{Durability, Writer};
use orderfeed_model::clock::UtcMillis;

/// The outage that lasts, if there is one.
#[derive(Debug, Default)]
pub(super) struct SourceOutage {
    log: OutageLog,
    /// The outage in the store; `None` before the first poll, because the store may hold one of an earlier process.
    stored: Option<Option<StoredFailure>>,
}

impl SourceOutage {
    /// Logs a failure if a line is due, and stores it when the outage starts or its cause changes.
    ///
    /// # Errors
    /// If the store fails.
    pub(super) async fn failed(
        &mut self,
        indexer: &Indexer,
        error: &SourceError,
        backoff: Duration,
    ) -> Result<(), IndexError> {
        let now = indexer.clock.now();
        self.log_failure(now, error, backoff);
        let before = self.stored.as_ref().and_then(Option::as_ref);
        let since = before.map_or(now, StoredFailure::since);
        let (message, remedy) = error.message_and_remedy(indexer.config().source.kind);
        let failure = StoredFailure::new(since, message, remedy);
        self.store(indexer, Some(failure)).await
    }

    /// Ends the outage.
    ///
    /// # Errors
    /// If the store fails.
    pub(super) async fn recovered(&mut self, indexer: &Indexer) -> Result<(), IndexError> {
        self.log_recovery(indexer.clock.now());
        self.store(indexer, None).await
    }

    async fn store(&mut self, indexer: &Indexer, failure: Option<StoredFailure>) -> Result<(), IndexError> {
        if self.stored.as_ref() == Some(&failure) {
            return Ok(());
        }
        let stored = failure.clone();
        let write = move |writer: &mut Writer<'_>| writer.set_source_failure(stored.as_ref());
        indexer.store.write(Durability::Relaxed, write).await?;
        self.stored = Some(failure);
        Ok(())
    }

    fn log_failure(&mut self, now: UtcMillis, error: &SourceError, backoff: Duration) {
        match self.log.failed(now) {
            Some(OutageLine::Start) => tracing::warn!(
                log_code = "OF03-01",
                retry_in_s = backoff.as_secs(),
                error = %error,
                "The source cannot be read; it is retried until it answers, nothing is lost meanwhile",
            ),
            Some(OutageLine::Reminder { failures, since }) => tracing::warn!(
                log_code = "OF03-02",
                failures,
                for_s = now.millis_since(since) / 1000,
                retry_in_s = backoff.as_secs(),
                error = %error,
                "The source still cannot be read",
            ),
            None => {}
        }
    }

    fn log_recovery(&mut self, now: UtcMillis) {
        if let Some(Recovery { failures, lasted_ms }) = self.log.recovered(now) {
            tracing::info!(
                failures,
                after_s = lasted_ms / 1000,
                "The source answers again; capture resumes where it stopped",
            );
        }
    }
}
