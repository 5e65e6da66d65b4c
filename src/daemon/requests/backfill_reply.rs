//! What whoever asked for a backfill hears of it.

use tokio::sync::mpsc;

use crate::daemon::control::Progress;
use crate::daemon::requests::work::RequestError;
use crate::indexer::{self, IndexError};

/// Sends a backfill's progress on; a report that nobody takes in time is dropped.
pub(crate) fn report_to(progress: mpsc::Sender<Progress>) -> impl FnMut(indexer::Progress) + Send {
    move |backfill| {
        let _ = progress.try_send(Progress {
            done: backfill.done,
            total: backfill.total,
            events: backfill.events,
        });
    }
}

/// "Somebody else is at it" has an exit code of its own.
pub(crate) fn refused(error: IndexError) -> anyhow::Error {
    match error {
        IndexError::Busy(holder) => RequestError::Locked { holder }.into(),
        other => other.into(),
    }
}
