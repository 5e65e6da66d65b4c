//! The control protocol: what a command may ask of a running daemon, and what the daemon answers.
//!
//! One request a connection: the client writes one line of JSON, the daemon answers with lines of JSON, any number of
//! `progress` and `line`, and exactly one `done` or `failed` at the end. A client that goes away does not end the work.

pub mod serve;
pub mod socket;

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::daemon::requests::persons::{EraseOptions, Erased, PersonId, SuppressOptions, Suppressed};
use crate::daemon::requests::resync::ResyncOptions;
use crate::daemon::requests::selection::Selection;
use crate::daemon::requests::verify::VerifyOptions;
use crate::indexer::VerifyReport;

/// Longest line in either direction, in bytes: [`crate::daemon::requests::resync::MAX_IDS`] order numbers fit.
pub const MAX_LINE: usize = 1 << 20;

/// What a command asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// Are you there?
    Ping,
    /// `indexer:set-mode`.
    SetMode {
        /// The mode that is wanted.
        mode: Mode,
    },
    /// `indexer:reindex`.
    Reindex(ReindexOptions),
    /// `indexer:reset`: the next scheduled run reindexes in full.
    Reset,
    /// `indexer:set-status`.
    SetStatus {
        /// The status that is wanted.
        status: Status,
    },
    /// `saas:resync`.
    Resync(ResyncOptions),
    /// `verify`.
    Verify(VerifyOptions),
    /// `cron run`.
    CronRun {
        /// The job, such as `indexer_update_all_views`.
        job: String,
    },
    /// `failed retry`.
    RetryParked(Selection),
    /// `failed discard`.
    DiscardParked {
        /// Which dead letters.
        selection: Selection,
        /// Why, for whoever looks later.
        reason: String,
    },
    /// `suppress add` and `suppress import`.
    Suppress(SuppressOptions),
    /// `suppress remove`.
    Unsuppress {
        /// Whom.
        persons: Vec<PersonId>,
    },
    /// `privacy erase`.
    Erase(EraseOptions),
    /// `delivery pause`.
    PauseDelivery {
        /// A website's code; all websites if `None`.
        website: Option<String>,
    },
    /// `delivery resume`.
    ResumeDelivery {
        /// A website's code; all websites if `None`.
        website: Option<String>,
    },
}

/// How the index is kept up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// "Update on Save": as soon as a change is captured.
    Realtime,
    /// "Update by Schedule": by the cron job.
    Schedule,
}

/// A status that an operator may set.
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

/// Options of `indexer:reindex`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReindexOptions {
    /// Orders in one batch, instead of `index.batch_size`.
    pub batch_size: Option<u32>,
}

/// What the daemon answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// How far the work is.
    Progress(Progress),
    /// A line for the operator.
    Line {
        /// Without line break.
        text: String,
    },
    /// The work is done. The last reply.
    Done(Outcome),
    /// The work failed. The last reply.
    Failed {
        /// What happened and what to do.
        message: String,
        /// The exit code that the command ends with; see `cli::exit`.
        exit: u8,
    },
}

/// How far a long work is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Orders read so far.
    pub done: u64,
    /// Orders in all, 0 if that is not known yet.
    pub total: u64,
    /// Events that were queued, or in the phase of `--wait`, delivered.
    pub events: u64,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// To [`Request::Ping`].
    Pong {
        /// The daemon's process id.
        pid: u32,
        /// The daemon's version.
        version: String,
    },
    /// To [`Request::SetMode`]; the same twice means that nothing changed.
    Mode {
        /// Before.
        from: Mode,
        /// Now.
        to: Mode,
    },
    /// To [`Request::Reindex`].
    Reindexed(Rebuilt),
    /// To [`Request::Reset`].
    Invalidated,
    /// To [`Request::SetStatus`].
    Status {
        /// Before, in the words of `indexer_state`.
        from: String,
        /// Now.
        to: String,
    },
    /// To [`Request::Resync`].
    Resynced(Resynced),
    /// To [`Request::Verify`].
    Verified(VerifyReport),
    /// To [`Request::CronRun`].
    JobRan(JobRun),
    /// To [`Request::RetryParked`] and [`Request::DiscardParked`].
    Parked {
        /// Events that were retried or discarded.
        events: u64,
        /// Keys that were named but are not parked.
        missing: u64,
    },
    /// To [`Request::Suppress`].
    Suppressed(Suppressed),
    /// To [`Request::Unsuppress`].
    Unsuppressed {
        /// Persons that were on the list.
        removed: u64,
        /// Persons that were not.
        missing: u64,
    },
    /// To [`Request::Erase`].
    Erased(Erased),
    /// To [`Request::PauseDelivery`] and [`Request::ResumeDelivery`].
    Delivery {
        /// Websites whose sender changed.
        changed: Vec<String>,
        /// Websites that were as wanted already.
        unchanged: Vec<String>,
    },
}

/// What a full reindex did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilt {
    /// Orders read.
    pub orders: u64,
    /// Events that are new.
    pub events: u64,
    /// Orders that could not be indexed; they are retried alone.
    pub failures: u64,
    /// How long it took.
    pub duration_ms: u64,
}

/// What a resync did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resynced {
    /// Orders looked at.
    pub orders: u64,
    /// Events queued; with `--dry-run`, events that would be.
    pub events: u64,
    /// Of these, events that had been delivered before (`--force`).
    pub again: u64,
    /// Orders that could not be indexed, or ids that do not exist.
    pub failures: u64,
    /// What `--wait` did not wait for, because it cannot leave by itself.
    #[serde(default)]
    pub standing_still: Vec<StandingStill>,
    /// How long it took.
    pub duration_ms: u64,
}

/// Events of a website that cannot leave by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingStill {
    /// The website's code.
    pub website: String,
    /// Events that wait.
    pub events: u64,
    /// Why, and what to do.
    pub reason: String,
}

/// What a job that was run by hand did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRun {
    /// The job.
    pub job: String,
    /// What it did, as in `cron history`.
    pub message: String,
    /// How long it took.
    pub duration_ms: u64,
}

/// Why a request did not come to a good end.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens on the socket.
    #[error("no daemon is running on this store; start it with `systemctl start orderfeed`")]
    NoDaemon,
    /// The daemon belongs to somebody else.
    #[error("{} may not be used by this user; run the command as the daemon's user or as root", path.display())]
    NotPermitted {
        /// The socket.
        path: PathBuf,
    },
    /// Unix sockets have short names.
    #[error(
        "the control socket {} is {length} bytes long, but a socket's path may have {max}; choose a shorter store.path",
        path.display()
    )]
    PathTooLong {
        /// The socket.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
        /// What is possible.
        max: usize,
    },
    /// The connection ended before the answer.
    #[error(
        "the daemon went away before it answered; its log says why, and what it had begun goes on at its next start"
    )]
    Lost,
    /// The daemon did not do it.
    #[error("{message}")]
    Failed {
        /// What happened and what to do.
        message: String,
        /// The exit code.
        exit: u8,
    },
    /// The answer cannot be understood.
    #[error(
        "the daemon's answer cannot be understood ({cause}); is it of another version? restart it after an upgrade"
    )]
    Malformed {
        /// What is wrong with it.
        cause: String,
    },
    /// The socket failed.
    #[error("the control socket {} failed: {cause}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// The operating system's words.
        #[source]
        cause: io::Error,
    },
}
