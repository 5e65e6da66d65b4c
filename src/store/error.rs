//! Errors of the store. Each message names what failed, why, and what an operator can do.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk, the file or SQLite failed; nothing of the transaction was kept.
    #[error("the store {fault}: {cause}; {}", self.remedy())]
    Failed {
        fault: Fault,
        /// SQLite's message.
        cause: String,
    },
    /// The file was written by a later version of this program.
    #[error("the store's schema is version {found}, but this program supports {known}; {}", self.remedy())]
    NewerSchema { found: i64, known: i64 },
    /// The file was written by an earlier version of this program, and is opened read-only.
    #[error("the store's schema is version {found}, but this program needs {known}; {}", self.remedy())]
    OlderSchema { found: i64, known: i64 },
    /// The file is a SQLite database, but not one of ours.
    #[error("{path} is a database of another program; {}", self.remedy())]
    Foreign { path: PathBuf },
    /// The path cannot be used.
    #[error("the store at {path} cannot be used: {cause}; {}", self.remedy())]
    Path {
        path: PathBuf,
        /// The operating system's message.
        cause: String,
    },
    /// A process of root could not take the identity of the store's owner.
    #[error("this process is root and cannot become user {uid}, who owns {path}: {cause}; {}", self.remedy())]
    Identity {
        path: PathBuf,
        uid: u32,
        /// The operating system's message.
        cause: String,
    },
    /// There is no store yet.
    #[error("there is no store at {path} yet; {}", self.remedy())]
    Missing { path: PathBuf },
    /// Another process holds the lock.
    #[error("the store is in use by {holder}; {}", self.remedy())]
    Locked {
        /// Command and process id, as written into the lock file.
        holder: String,
    },
    /// The content contradicts an invariant, which the text names.
    #[error("the store contradicts itself: {what}; {}", self.remedy(), what = .0)]
    Invariant(String),
    /// The store was closed while the request waited.
    #[error("the store is closed")]
    Closed,
}

/// A class of SQLite failures with a remedy of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    DiskFull,
    /// The file or its file system is read-only.
    ReadOnly,
    Corrupt,
    /// Reading or writing failed below SQLite.
    Io,
    /// Another process held the database for too long.
    Busy,
    /// Anything else: a bug.
    Other,
}

impl Fault {
    /// Returns true if every further transaction would fail until an operator (or a restart) changes something.
    pub const fn is_fatal(self) -> bool {
        matches!(self, Self::DiskFull | Self::ReadOnly | Self::Corrupt | Self::Io)
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::DiskFull => "free some space; nothing is lost, the work continues where it stopped",
            Self::ReadOnly => "make the file and its directory writable for the daemon's user",
            Self::Corrupt => "restore a backup; the source is read again from the backup's position",
            Self::Io => "check the disk and the kernel's log",
            Self::Busy => "find the other process that uses this file and end it",
            Self::Other => "this is a bug, please report it",
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::DiskFull => "has no space left on its disk",
            Self::ReadOnly => "cannot be written",
            Self::Corrupt => "is damaged",
            Self::Io => "cannot be read or written",
            Self::Busy => "is held by another process",
            Self::Other => "failed",
        })
    }
}

impl StoreError {
    pub(super) fn failed(fault: Fault, cause: impl ToString) -> Self {
        Self::Failed {
            fault,
            cause: cause.to_string(),
        }
    }

    pub(super) fn path(path: &Path, cause: &io::Error) -> Self {
        Self::Path {
            path: path.to_owned(),
            cause: cause.to_string(),
        }
    }

    /// Returns the remedy, with which the message ends; empty if there is none.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Failed { fault, .. } => fault.remedy(),
            Self::NewerSchema { .. } => {
                "install the version that wrote it, or restore a backup from before the upgrade"
            }
            Self::OlderSchema { .. } => "restart the daemon with this version, which migrates the store",
            Self::Foreign { .. } => "point store.path to a file of its own",
            Self::Path { .. } => "check store.path and the permissions of its directory",
            Self::Identity { .. } => "run the command as that user",
            Self::Missing { .. } => {
                "start the daemon first (`systemctl start orderfeed`), or check store.path"
            }
            Self::Locked { .. } => "stop it, or leave the work to it",
            Self::Invariant(_) => "restore a backup, or report this with a copy of the file",
            Self::Closed => "",
        }
    }

    /// Returns the message without the remedy.
    pub fn cause(&self) -> String {
        let mut text = self.to_string();
        text.truncate(text.len() - self.remedy().len());
        text.trim_end_matches("; ").to_owned()
    }

    /// Returns true if the daemon must stop, because every further transaction would fail the same way.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Failed { fault, .. } => fault.is_fatal(),
            Self::Invariant(_) | Self::NewerSchema { .. } | Self::Foreign { .. } => true,
            Self::Path { .. }
            | Self::Identity { .. }
            | Self::Missing { .. }
            | Self::OlderSchema { .. }
            | Self::Locked { .. }
            | Self::Closed => false,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let fault = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Fault::DiskFull,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Fault::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Fault::Corrupt,
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => Fault::Io,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Fault::Busy,
            _ => Fault::Other,
        };
        Self::failed(fault, error)
    }
}
