//! The seams between a request and who does it.

use std::future::Future;
use std::pin::Pin;

use tokio::sync::mpsc;

use crate::daemon::control::{JobRun, Outcome, Progress, Rebuilt, ReindexOptions, Reply, Request, Resynced};
use crate::daemon::requests::resync::ResyncOptions;
use crate::daemon::requests::verify::VerifyOptions;
use crate::indexer::VerifyReport;
use crate::store::views::TITLE;

/// Work that was begun.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = anyhow::Result<T>> + Send + 'a>>;

/// Does what is asked: in the daemon behind the socket, or in the process of the command when no daemon runs.
pub trait ControlHandler: Send + Sync {
    /// Handles one request. Progress and lines go to `replies`, which may be closed at any time: the client went
    /// away, the work goes on. The caller sends the last reply. Dropping the future ends the work between two
    /// transactions.
    fn handle<'a>(&'a self, request: &'a Request, replies: mpsc::Sender<Reply>) -> BoxFuture<'a, Outcome>;
}

/// The work on the index that a request may need. Errors: [`RequestError::Locked`] where somebody else is at it;
/// anything else is told as it stands.
pub trait IndexWork: Send + Sync {
    /// Reindexes everything, by upsert; also while the indexer is suspended.
    fn reindex<'a>(
        &'a self,
        options: &'a ReindexOptions,
        progress: mpsc::Sender<Progress>,
    ) -> BoxFuture<'a, Rebuilt>;

    /// Synchronizes again; the options were validated.
    fn resync<'a>(
        &'a self,
        options: &'a ResyncOptions,
        progress: mpsc::Sender<Progress>,
    ) -> BoxFuture<'a, Resynced>;

    /// Compares the source with feed and outbox; the options were validated. Ends early when `progress` is closed.
    fn verify<'a>(
        &'a self,
        options: &'a VerifyOptions,
        progress: mpsc::Sender<Progress>,
    ) -> BoxFuture<'a, VerifyReport>;

    /// Runs a job once, now. `Err` with [`RequestError::UnknownJob`] if there is none of this name.
    fn run_job<'a>(&'a self, job: &'a str) -> BoxFuture<'a, JobRun>;
}

/// Why a request was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Somebody else works on the feed.
    #[error("operation skipped - process locked by \"{holder}\"; no data is lost, try again when it is done")]
    Locked {
        /// Who, such as `full sync(1234)`.
        holder: String,
    },
    /// [`RequestError::Locked`] in the words of `indexer:reindex`.
    #[error("{TITLE} index is locked by another reindex process. Skipping.\nIt is held by {holder}.")]
    ReindexLocked {
        /// Who.
        holder: String,
    },
    /// The store has no index yet.
    #[error(
        "the index has no state yet; start the daemon once (`systemctl start orderfeed`), or run `orderfeed indexer:reindex`"
    )]
    NeverStarted,
    /// No website of this code was ever seen.
    #[error("there is no website {code:?} in the store; known: {known}")]
    UnknownWebsite {
        /// What was asked for.
        code: String,
        /// What there is.
        known: String,
    },
    /// The feed holds no order of this number.
    #[error("the feed holds no order with the number {number:?}")]
    UnknownOrder {
        /// What was asked for.
        number: String,
    },
    /// No such job.
    #[error("there is no job {job:?}; the jobs are {known}")]
    UnknownJob {
        /// What was asked for.
        job: String,
        /// What there is.
        known: String,
    },
}
