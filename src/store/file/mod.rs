//! The database file: opening, locking, ownership, free space, and checks for damage.

pub(crate) mod check;
pub(crate) mod damage;

pub(crate) mod lock;
pub(crate) mod open;
pub(crate) mod owner;
pub mod space;
pub mod sqlite_locks;

use std::path::{Path, PathBuf};

/// Returns `path` with `suffix` appended to its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
