//! Exit codes: one enum over sysexits(3), and the one place that maps errors to them.
//!
//! | code | name | when |
//! |---|---|---|
//! | 0 | `Ok` | success; also if the reader of stdout closed it (`\| head`) |
//! | 1 | `Failed` | the command ran, and the answer is no |
//! | 2 | `Usage` | the command line is wrong |
//! | 69 | `Unavailable` | the source, the edge, a store or a daemon is not available; `saas:resync --wait` left events that cannot be sent |
//! | 70 | `Software` | a bug, or a store that contradicts itself |
//! | 74 | `IoErr` | the disk failed or is full |
//! | 75 | `TempFail` | another process holds the lock; try again later |
//! | 77 | `NoPerm` | the operating system denies permission |
//! | 78 | `Config` | the configuration or the path of the store cannot be used; systemd does not restart on it |

use std::io;
use std::process::ExitCode;

use crate::cli::context::ContextError;
use crate::cli::output::OutputError;
use crate::commerce::source::SourceError;
use crate::config::ConfigErrors;
use crate::daemon::control::ControlError;
use crate::daemon::control::resync::Contradiction;
use crate::daemon::control::selection::BadKey;
use crate::daemon::lifecycle::start::StartError;
use crate::daemon::requests::error::RequestError;
use crate::daemon::run::DaemonError;
use crate::delivery::http::page::PageError;
use crate::indexer::IndexError;
use crate::ops::logging::LoggingError;
use crate::store::backup::BackupError;
use crate::store::{Fault, StoreError};
use crate::storefront::StorefrontError;
use crate::storefront::packages::PackageError;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    Ok = 0,
    Failed = 1,
    Usage = 2,
    Unavailable = 69,
    Software = 70,
    IoErr = 74,
    TempFail = 75,
    NoPerm = 77,
    Config = 78,
}

/// A command line that clap accepts although it is wrong, with the reason.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

impl Exit {
    const ALL: [Self; 9] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::Unavailable,
        Self::Software,
        Self::IoErr,
        Self::TempFail,
        Self::NoPerm,
        Self::Config,
    ];

    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns the exit code of an error: that of its first cause with a code of its own, otherwise `Failed`.
    pub fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(of_cause).unwrap_or(Self::Failed)
    }

    /// Returns the exit code with this number, as a daemon sent it; `Failed` for a number that is not in the table.
    fn from_code(code: u8) -> Self {
        Self::ALL
            .into_iter()
            .find(|exit| exit.code() == code)
            // A daemon of a later version may send a code that is not in the table.
            .unwrap_or(Self::Failed)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Returns the exit code of an error, for the daemon's answers over the control socket.
pub fn code_of(error: &anyhow::Error) -> u8 {
    Exit::of(error).code()
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    // A cause has one type, so the order of the lines does not matter.
    (cause.downcast_ref().map(of_output))
        .or_else(|| cause.downcast_ref().map(of_control))
        .or_else(|| cause.downcast_ref().map(of_context))
        .or_else(|| cause.downcast_ref().map(of_request))
        .or_else(|| cause.downcast_ref().map(of_daemon))
        .or_else(|| cause.downcast_ref().map(of_start))
        .or_else(|| cause.downcast_ref().map(of_index))
        .or_else(|| cause.downcast_ref().map(of_store))
        .or_else(|| cause.downcast_ref().map(of_source))
        .or_else(|| cause.downcast_ref().map(of_backup))
        .or_else(|| cause.downcast_ref().map(of_storefront))
        .or_else(|| cause.is::<PageError>().then_some(Exit::Unavailable))
        .or_else(|| cause.downcast_ref().map(of_io))
        .or_else(|| (cause.is::<ConfigErrors>() || cause.is::<LoggingError>()).then_some(Exit::Config))
        .or_else(|| cause.is::<UsageError>().then_some(Exit::Usage))
        .or_else(|| (cause.is::<Contradiction>() || cause.is::<BadKey>()).then_some(Exit::Usage))
}

fn of_output(error: &OutputError) -> Exit {
    match error {
        // `orderfeed … | head` must not fail in a script with `pipefail`.
        OutputError::Closed => Exit::Ok,
        OutputError::Failed(_) => Exit::IoErr,
    }
}

fn of_control(error: &ControlError) -> Exit {
    match error {
        ControlError::NoDaemon | ControlError::Lost => Exit::Unavailable,
        ControlError::NotPermitted { .. } => Exit::NoPerm,
        ControlError::PathTooLong { .. } => Exit::Config,
        ControlError::Failed { exit, .. } => Exit::from_code(*exit),
        // Most likely daemon and command are of different versions.
        ControlError::Malformed { .. } => Exit::Software,
        ControlError::Io { cause, .. } => of_io(cause),
    }
}

fn of_request(error: &RequestError) -> Exit {
    match error {
        RequestError::Locked { .. } | RequestError::ReindexLocked { .. } => Exit::TempFail,
        RequestError::NeverStarted => Exit::Unavailable,
        RequestError::ResyncStopped => Exit::Failed,
        RequestError::UnknownWebsite { .. }
        | RequestError::UnknownOrder { .. }
        | RequestError::UnknownJob { .. } => Exit::Usage,
    }
}

// The next four wrap other errors transparently, so the wrapped error does not appear in the chain of causes.

fn of_context(error: &ContextError) -> Exit {
    match error {
        ContextError::Config(_) => Exit::Config,
        ContextError::Store(error) => of_store(error),
    }
}

fn of_daemon(error: &DaemonError) -> Exit {
    match error {
        DaemonError::Start(error) => of_start(error),
        DaemonError::Source(error) => of_source(error),
        DaemonError::Store(error) => of_store(error),
        DaemonError::StoreFatal(_) => Exit::IoErr,
        DaemonError::Control(error) => of_control(error),
        DaemonError::Task { .. } => Exit::Software,
        // A second signal ended the daemon in the middle of its work.
        DaemonError::Aborted => Exit::Failed,
    }
}

fn of_start(error: &StartError) -> Exit {
    match error {
        StartError::Store(error) => of_store(error),
        StartError::OtherDataSpace { .. } | StartError::OtherSource { .. } => Exit::Config,
    }
}

fn of_index(error: &IndexError) -> Exit {
    match error {
        IndexError::Source(error) => of_source(error),
        IndexError::Store(error) => of_store(error),
        IndexError::Busy(_) | IndexError::Stopped | IndexError::Paused | IndexError::SwitchedOff(_) => {
            Exit::TempFail
        }
        IndexError::Suspended | IndexError::BackfillOptions { .. } => Exit::Failed,
        IndexError::Derive(_) => Exit::Software,
    }
}

fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Failed { fault, .. } => match fault {
            Fault::DiskFull | Fault::Corrupt | Fault::Io => Exit::IoErr,
            Fault::ReadOnly => Exit::NoPerm,
            Fault::Busy => Exit::TempFail,
            Fault::Other => Exit::Software,
        },
        StoreError::NewerSchema { .. } | StoreError::Foreign { .. } | StoreError::Path { .. } => Exit::Config,
        StoreError::Identity { .. } => Exit::NoPerm,
        // The next start of the daemon creates or migrates the store.
        StoreError::Missing { .. } | StoreError::OlderSchema { .. } => Exit::Unavailable,
        StoreError::Locked { .. } => Exit::TempFail,
        StoreError::Invariant(_) | StoreError::Closed => Exit::Software,
    }
}

fn of_backup(error: &BackupError) -> Exit {
    match error {
        BackupError::Store(error) => of_store(error),
        BackupError::File { cause, .. } => of_io(cause),
        BackupError::InUse { .. } => Exit::TempFail,
        BackupError::NoSpace { .. } | BackupError::Target { .. } => Exit::IoErr,
        BackupError::Exists { .. }
        | BackupError::Itself { .. }
        | BackupError::Sidecar { .. }
        | BackupError::NotOurs { .. }
        | BackupError::Unsound { .. } => Exit::Failed,
    }
}

fn of_storefront(error: &StorefrontError) -> Exit {
    match error {
        StorefrontError::Package(PackageError::Unreadable { cause, .. }) => of_io(cause),
        StorefrontError::Package(PackageError::Missing { .. }) => Exit::Unavailable,
        StorefrontError::Package(PackageError::Altered { .. }) => Exit::Failed,
        StorefrontError::Off { .. }
        | StorefrontError::NoneOn
        | StorefrontError::NoStoreView { .. }
        | StorefrontError::Incomplete { .. } => Exit::Config,
        StorefrontError::Json(_) => Exit::Software,
    }
}

fn of_source(error: &SourceError) -> Exit {
    match error {
        SourceError::Unavailable { .. } | SourceError::TooSlow { .. } => Exit::Unavailable,
        SourceError::Stopped => Exit::TempFail,
        SourceError::Misconfigured { .. } => Exit::Config,
        // The daemon stored the cursor itself.
        SourceError::BadCursor { .. } | SourceError::TooLarge { .. } => Exit::Software,
    }
}

fn of_io(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Exit::NoPerm,
        _ => Exit::IoErr,
    }
}

#[cfg(test)]
mod tests;
