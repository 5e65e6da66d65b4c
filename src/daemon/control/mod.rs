//! The control protocol: the requests that a command sends to a running daemon, and the daemon's answers.
//!
//! Each connection carries one request. The client writes one line of JSON; the daemon answers with lines of JSON: any
//! number of `progress` and `line`, then exactly one `done` or `failed`. The work continues if the client disconnects.

pub mod persons;
pub mod resync;
pub mod selection;
pub mod serve;
pub mod socket;
pub mod verify;

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::daemon::control::persons::{EraseOptions, Erased, PersonId, SuppressOptions, Suppressed};
use crate::daemon::control::resync::ResyncOptions;
use crate::daemon::control::selection::Selection;
use crate::daemon::control::verify::VerifyOptions;
use crate::indexer::VerifyReport;
use crate::store::views::ViewMode;

/// Longest line in either direction, in bytes. [`resync::MAX_IDS`] order numbers fit.
pub const MAX_LINE: usize = 1 << 20;

/// A request. Each variant belongs to one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    Ping,
    SetMode {
        mode: ViewMode,
    },
    Reindex(ReindexOptions),
    /// `indexer:reset`: invalidates the index, so that the next scheduled run reindexes in full.
    Reset,
    SetStatus {
        status: Status,
        /// The operator, for the log and `status`.
        #[serde(default)]
        by: Option<String>,
    },
    Resync(ResyncOptions),
    /// `saas:resync --stop`.
    StopResync,
    Verify(VerifyOptions),
    Hint {
        /// Order numbers or entity ids.
        names: Vec<String>,
    },
    CronRun {
        /// Name of the job, such as `indexer_update_all_views`.
        job: String,
    },
    RetryParked(Selection),
    DiscardParked {
        selection: Selection,
        /// The operator's reason, stored with the events.
        reason: String,
    },
    /// `suppress add` and `suppress import`.
    Suppress(SuppressOptions),
    Unsuppress {
        persons: Vec<PersonId>,
    },
    Erase(EraseOptions),
    PauseDelivery {
        /// Code of the website; `None` for all websites.
        website: Option<String>,
    },
    ResumeDelivery {
        /// Code of the website; `None` for all websites.
        website: Option<String>,
    },
}

/// A status of the index that an operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A full reindex is required.
    Invalid,
    /// Nothing is indexed until this is changed again.
    Suspended,
    /// Up to date.
    Valid,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReindexOptions {
    /// Orders per batch, instead of `index.batch_size`.
    pub batch_size: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    Progress(Progress),
    /// A message for the operator.
    Line {
        /// Without a line break.
        text: String,
    },
    Done(Outcome),
    Failed {
        /// The cause and the remedy.
        message: String,
        /// Exit code of the command; see `cli::exit`.
        exit: u8,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Orders read so far.
    pub done: u64,
    /// Orders to read, 0 while that is unknown.
    pub total: u64,
    /// Events queued so far; while `--wait` waits, events delivered.
    pub events: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Pong {
        pid: u32,
        version: String,
    },
    /// Equal modes mean that nothing changed.
    Mode {
        from: ViewMode,
        to: ViewMode,
    },
    Reindexed(Rebuilt),
    Invalidated,
    /// Both as in `indexer_state`.
    Status {
        from: String,
        to: String,
    },
    Resynced(Resynced),
    ResyncStopped {
        /// False if no resync ran or was interrupted.
        was_running: bool,
        /// Orders that it had read.
        orders: u64,
        /// Events that it had queued; they are still sent.
        events: u64,
    },
    Verified(Box<VerifyReport>),
    Hinted(Hinted),
    JobRan(JobRun),
    /// The outcome of [`Request::RetryParked`] and [`Request::DiscardParked`].
    Parked {
        /// Events that were retried or discarded.
        events: u64,
        /// Keys of the selection that are not parked.
        missing: u64,
    },
    Suppressed(Suppressed),
    Unsuppressed {
        /// Persons that were on the list.
        removed: u64,
        /// Persons that were not on it.
        missing: u64,
    },
    Erased(Erased),
    /// The outcome of [`Request::PauseDelivery`] and [`Request::ResumeDelivery`].
    Delivery {
        changed: Vec<String>,
        /// Websites whose sender was in the requested state already.
        unchanged: Vec<String>,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilt {
    pub orders: u64,
    /// New events.
    pub events: u64,
    /// Orders that could not be indexed; each is retried alone.
    pub failures: u64,
    pub duration_ms: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resynced {
    pub orders: u64,
    /// Events queued; with `--dry-run`, events that would be queued.
    pub events: u64,
    /// Those of `events` that had been delivered before (`--force`).
    pub again: u64,
    /// Orders that could not be indexed, and ids that do not exist.
    pub failures: u64,
    /// Websites that `--wait` did not wait for, because their events cannot be delivered.
    #[serde(default, rename = "standing_still")]
    pub blocked: Vec<BlockedWebsite>,
    pub duration_ms: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hinted {
    /// Orders that were put into the changelog.
    pub orders: u64,
    /// Names without an order.
    pub unknown: u64,
}

/// A website whose events cannot be delivered until an operator acts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedWebsite {
    pub website: String,
    pub events: u64,
    /// The cause and the remedy.
    pub reason: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRun {
    pub job: String,
    /// The job's summary, as in `cron history`.
    pub message: String,
    pub duration_ms: u64,
}

/// The reason for which a request has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("no daemon is running on this store; start it with `systemctl start orderfeed`")]
    NoDaemon,
    #[error("this user may not use {}; run the command as the daemon's user or as root", path.display())]
    NotPermitted { path: PathBuf },
    /// Linux limits the path of a Unix socket to 108 bytes.
    #[error(
        "the path of the control socket, {}, has {length} bytes; at most {max} are possible; choose a shorter store.path",
        path.display()
    )]
    PathTooLong {
        path: PathBuf,
        length: usize,
        max: usize,
    },
    /// The connection ended before the last reply.
    #[error(
        "the daemon ended before it answered; see its log for the reason; its next start continues the work"
    )]
    Lost,
    /// The last reply was [`Reply::Failed`].
    #[error("{message}")]
    Failed { message: String, exit: u8 },
    #[error(
        "the daemon's answer cannot be parsed ({cause}); if the daemon has another version, restart it after an upgrade"
    )]
    Malformed { cause: String },
    #[error("the control socket {} failed: {cause}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}
