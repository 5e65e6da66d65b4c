//! The locks. `flock` on `<store>.lock` decides which process runs; `flock` on the database refuses a second one that uses
//! another name of the same file. The kernel releases both when their holder dies, in whatever way, so nothing has to be
//! cleaned up by hand. The content of the lock file only names the holder.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::store::error::StoreError;
use crate::store::file::owner::{create_private_dir, open_lock, open_to_read};
use crate::store::file::{behind_link, beside};
use orderfeed_model::clock::UtcMillis;

const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// The lock on a store, held until it is dropped.
#[derive(Debug)]
pub struct StoreLock {
    _file: File,
}

impl StoreLock {
    /// Takes the lock for `purpose`, such as `orderfeed run`.
    ///
    /// # Errors
    /// `Locked` with the holder; `Path` if the file cannot be created.
    pub fn acquire(store: &Path, purpose: &str) -> Result<Self, StoreError> {
        let path = lock_file(store);
        create_private_dir(store)?;
        let failed = |cause: io::Error| StoreError::path(&path, &cause);
        let mut file = open_lock(&path).map_err(failed)?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked {
                    holder: read_holder(&mut file),
                });
            }
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        // The file is never deleted: two processes could then hold locks on two files of the same name.
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        write!(file, "{purpose} (process {})", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }

    /// Returns the time at which the lock was last taken: the file is written then.
    pub fn since(store: &Path) -> Option<UtcMillis> {
        let written = std::fs::metadata(lock_file(store)).ok()?.modified().ok()?;
        let age = written.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(UtcMillis(i64::try_from(age.as_millis()).ok()?))
    }

    /// Returns the holder of the lock. `None` also if the lock file cannot be opened.
    pub fn holder(store: &Path) -> Option<String> {
        Self::try_holder(store).ok().flatten()
    }

    /// Returns the holder of the lock.
    pub fn try_holder(store: &Path) -> io::Result<Option<String>> {
        let mut file = match open_to_read(&lock_file(store)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(read_holder(&mut file)),
            _ => None,
        })
    }
}

/// Locks the database itself for this process, so that two names of one file (hard links) do not make two stores of it.
/// The lock is independent of SQLite's locks and lasts as long as `database` is open.
///
/// # Errors
/// `Locked` if another process has it.
pub(crate) fn claim(database: &File, path: &Path) -> Result<(), StoreError> {
    match try_lock(database) {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            holder: "another process, under another name of its file".to_owned(),
        }),
        Err(TryLockError::Error(cause)) => Err(StoreError::path(path, &cause)),
    }
}

fn lock_file(store: &Path) -> PathBuf {
    beside(&behind_link(store), ".lock")
}

/// Tries to take the lock. A process that reads the holder ([`StoreLock::try_holder`]) shares the lock for an instant,
/// which must not keep a daemon from starting: so a taken lock is tried a few times.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 1..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
            done => return done,
        }
    }
    file.try_lock()
}

fn read_holder(file: &mut File) -> String {
    let mut text = String::new();
    match file
        .rewind()
        .and_then(|()| file.take(200).read_to_string(&mut text))
    {
        Ok(_) if !text.is_empty() => text,
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_the_holder_and_the_lock_is_free_after_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("a.db");
        let first = StoreLock::acquire(&store, "orderfeed run").unwrap();
        let refused = StoreLock::acquire(&store, "orderfeed indexer:reindex")
            .unwrap_err()
            .to_string();
        assert!(refused.contains("orderfeed run (process "), "{refused}");
        assert!(StoreLock::holder(&store).unwrap().starts_with("orderfeed run"));
        drop(first);
        assert_eq!(StoreLock::holder(&store), None);
        StoreLock::acquire(&store, "orderfeed run").unwrap();
    }
}
