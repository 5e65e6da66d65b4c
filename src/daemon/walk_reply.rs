//! What whoever asked for a walk hears of it.

use tokio::sync::mpsc;

use crate::daemon::control::Progress;
use crate::daemon::work::RequestError;
use crate::indexer::{self, IndexError};

/// Sends a walk's progress on; a report that nobody takes in time is dropped.
pub(super) fn report_to(progress: mpsc::Sender<Progress>) -> impl FnMut(indexer::Progress) + Send {
    move |walk| {
        let _ = progress.try_send(Progress {
            done: walk.done,
            total: walk.total,
            events: walk.events,
        });
    }
}

/// "Somebody else is at it" has an exit code of its own.
pub(super) fn refused(error: IndexError) -> anyhow::Error {
    match error {
        IndexError::Busy(holder) => RequestError::Locked { holder }.into(),
        other => other.into(),
    }
}
