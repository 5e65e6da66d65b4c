//! Reasons for which a request is refused.

use crate::indexer::IndexError;
use crate::store::views::TITLE;

/// A refusal. `cli::exit` assigns the exit codes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Another backfill or update holds the lease of the feed. The first part is Commerce's text.
    #[error("operation skipped - process locked by \"{holder}\"; no data is lost, try again when it is done")]
    Locked {
        /// The operation and its process, such as `full sync(1234)`.
        holder: String,
    },
    /// [`RequestError::Locked`] as Commerce's `indexer:reindex` prints it.
    #[error("{TITLE} index is locked by another reindex process. Skipping.\nIt is held by {holder}.")]
    ReindexLocked { holder: String },
    /// [`crate::daemon::control::Request::StopResync`] ended the resync.
    #[error("an operator stopped the resync; the events that it queued are still sent")]
    ResyncStopped,
    /// The store has no index yet.
    #[error(
        "the index has no state yet; start the daemon once (`systemctl start orderfeed`), or run `orderfeed indexer:reindex`"
    )]
    NeverStarted,
    #[error("the store has no website {code:?}; known: {known}")]
    UnknownWebsite { code: String, known: String },
    #[error("the feed holds no order with the number {number:?}")]
    UnknownOrder { number: String },
    #[error("there is no job {job:?}; the jobs are {known}")]
    UnknownJob { job: String, known: String },
}

impl RequestError {
    pub(crate) fn unknown_website<'a>(code: &str, known: impl IntoIterator<Item = &'a String>) -> Self {
        let known: Vec<&str> = known.into_iter().map(String::as_str).collect();
        let known = match known.is_empty() {
            true => "none yet".to_owned(),
            false => known.join(", "),
        };
        let code = code.to_owned();
        Self::UnknownWebsite { code, known }
    }
}

/// Turns a lease held by another process into [`RequestError::Locked`], which has an exit code of its own.
pub(crate) fn refused(error: IndexError) -> anyhow::Error {
    match error {
        IndexError::Busy(holder) => RequestError::Locked { holder }.into(),
        other => other.into(),
    }
}
