//! The database file: opening, locking, the identity of root's commands, free space, and checks for damage.

pub(crate) mod check;
pub(crate) mod damage;
pub mod identity;
pub(crate) mod lock;
pub(crate) mod open;
pub(crate) mod owner;
pub mod space;
pub mod sqlite_locks;

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the store's file behind a symbolic link at `path`, so that every name of it has the same lock and socket.
pub(crate) fn behind_link(path: &Path) -> PathBuf {
    // A link to its directory leads to the same files, and its path may be shorter than the real one.
    let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    let real = is_link.then(|| fs::canonicalize(path).ok()).flatten();
    real.unwrap_or_else(|| path.to_owned())
}

/// Returns `path` with `suffix` appended to its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
