//! Why a copy was not made or cannot be used, as sentences with their remedy.

use std::io;
use std::path::PathBuf;

use crate::store::error::StoreError;

/// Why there is no copy. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// What is to be copied cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The name is taken.
    #[error("{} exists; choose another name, or replace it with --force", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The name is the store's own.
    #[error("{} is the store itself; choose another name", path.display())]
    Itself {
        /// The file.
        path: PathBuf,
    },
    /// A log of another database would be taken for the copy's own.
    #[error(
        "{} belongs to a database that is or was open under this name, and would be read into the copy; end whoever uses \
         it, remove it, or choose another name",
        path.display()
    )]
    Sidecar {
        /// The log.
        path: PathBuf,
    },
    /// Somebody makes the same copy.
    #[error("another process is writing {}; wait for it, or choose another name", path.display())]
    InUse {
        /// The partial file.
        path: PathBuf,
    },
    /// It does not fit.
    #[error(
        "the copy needs {needed} bytes, but {} has {free} free, of which {reserve} are kept for the store \
         (store.disk_reserve); choose another disk, or free some space",
        path.display()
    )]
    NoSpace {
        /// Where it was to go.
        path: PathBuf,
        /// Bytes of the copy.
        needed: u64,
        /// Bytes that are free there.
        free: u64,
        /// Bytes that stay free.
        reserve: u64,
    },
    /// The copy cannot be written.
    #[error("{} cannot be written: {cause}; nothing is left of the copy", path.display())]
    Target {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        cause: rusqlite::Error,
    },
    /// A file cannot be made, renamed or brought to the disk.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's words.
        #[source]
        cause: io::Error,
    },
    /// A copy that cannot be relied on.
    #[error("{} is not a sound copy of a store: {cause}", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
}
