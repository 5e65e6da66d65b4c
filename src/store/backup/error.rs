//! Errors of backup and restore. Each message names its remedy.

use std::io;
use std::path::PathBuf;

use crate::store::error::StoreError;

/// The reason why there is no copy. Nothing of it remains.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The original cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{} exists; choose another name, or replace it with --force", path.display())]
    Exists { path: PathBuf },
    #[error("{} is the store itself; choose another name", path.display())]
    Itself { path: PathBuf },
    /// A log of another database would be read as the copy's own.
    #[error(
        "{} belongs to a database that is or was open under this name, and would be read into the copy; end the process \
         that uses it, remove it, or choose another name",
        path.display()
    )]
    Sidecar { path: PathBuf },
    /// Another process makes the same copy.
    #[error("another process is writing {}; wait for it, or choose another name", path.display())]
    InUse {
        /// The partial file.
        path: PathBuf,
    },
    /// The copy would be readable through it.
    #[error("{} belongs to another user, or has a second name; remove it, or choose another name", path.display())]
    NotOurs {
        /// The partial file.
        path: PathBuf,
    },
    #[error(
        "the copy needs {needed} bytes, but {} has {free} free, of which {reserve} are kept for the store \
         (store.disk_reserve); choose another disk, or free some space",
        path.display()
    )]
    NoSpace {
        path: PathBuf,
        needed: u64,
        free: u64,
        reserve: u64,
    },
    /// SQLite cannot write the copy.
    #[error("{} cannot be written: {cause}; nothing is left of the copy", path.display())]
    Target { path: PathBuf, cause: rusqlite::Error },
    /// A file cannot be created, renamed or synced.
    #[error("{}: {cause}", path.display())]
    File {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// The copy is damaged or differs from the original.
    #[error("{} is not a sound copy of a store: {cause}", path.display())]
    Unsound { path: PathBuf, cause: String },
}
