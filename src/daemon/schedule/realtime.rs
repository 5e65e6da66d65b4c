//! "Update on Save": in realtime mode the changelog is drained as soon as something is in it.

use std::time::Duration;

use crate::daemon::schedule::jobs::Jobs;
use crate::indexer::IndexError;
use crate::store::views::ViewMode;
use crate::store::{Reader, StoreError, Topic};

/// Pause after a failure; capture tells about a source that is down.
const PAUSE: Duration = Duration::from_secs(1);

/// Drains whenever a commit touched the changelog, until `jobs.stop`.
///
/// # Errors
/// If the store fails.
pub async fn run(jobs: Jobs) -> Result<(), StoreError> {
    let mut changelog = jobs.indexer.store().subscribe(Topic::Changelog);
    loop {
        changelog.borrow_and_update();
        let view = jobs
            .indexer
            .store()
            .read(|reader: &Reader<'_>| reader.view_state())
            .await?;
        let realtime = view.is_some_and(|view| view.mode == ViewMode::Realtime);
        let failed = realtime && fails(&jobs).await?;
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

async fn fails(jobs: &Jobs) -> Result<bool, StoreError> {
    match jobs.update_now().await {
        Ok(_) => Ok(false),
        Err(IndexError::Store(error)) => Err(error),
        Err(error) => {
            tracing::debug!(error = %error, "Indexing on save waits");
            Ok(true)
        }
    }
}
