//! "Update on Save": in realtime mode the changelog is indexed as soon as it grows.

use std::time::Duration;

use crate::daemon::schedule::jobs::Jobs;
use crate::indexer::IndexError;
use crate::store::views::ViewMode;
use crate::store::{StoreError, Topic};

const PAUSE: Duration = Duration::from_secs(1);

/// Indexes the changelog after each commit that touches it, until `jobs.stop`.
pub async fn run(jobs: Jobs) -> Result<(), StoreError> {
    let mut changelog = jobs.store().subscribe(Topic::Changelog);
    loop {
        // Before the update, so that a change during it wakes the loop again.
        changelog.borrow_and_update();
        let view = jobs.store().read(|reader| reader.view_state()).await?;
        let realtime = view.is_some_and(|view| view.mode == ViewMode::Realtime);
        let failed = realtime && update_fails(&jobs).await?;
        tokio::select! {
            biased;
            () = jobs.stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(PAUSE), if failed => {}
            changed = changelog.changed(), if !failed => {
                if changed.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

async fn update_fails(jobs: &Jobs) -> Result<bool, StoreError> {
    match jobs.update_now().await {
        Ok(_) => Ok(false),
        Err(IndexError::Store(error)) => Err(error),
        Err(error) => {
            // Debug, because capture already logs a source that is down.
            tracing::debug!(error = %error, "Indexing on save is retried");
            Ok(true)
        }
    }
}
