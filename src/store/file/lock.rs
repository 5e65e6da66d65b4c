//! The lock file: `flock` on `<store>.lock` is the truth about who runs. The kernel frees it when its holder dies,
//! however it dies, so there is nothing to clean up by hand. Its content only names the holder for others to read.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::store::error::StoreError;
use orderfeed_model::clock::UtcMillis;

const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// Held for as long as the value lives.
#[derive(Debug)]
pub struct StoreLock {
    _file: File,
}

impl StoreLock {
    /// Takes the lock for `purpose`, such as `orderfeed run`.
    ///
    /// # Errors
    /// `Locked` names the holder; `Path` if the file cannot be made.
    pub fn acquire(store: &Path, purpose: &str) -> Result<Self, StoreError> {
        let path = lock_path(store);
        crate::store::file::open::create_private_dir(store)?;
        let failed = |cause: std::io::Error| StoreError::Path {
            path: path.clone(),
            cause: cause.to_string(),
        };
        let mut file = crate::store::file::owner::open_lock(&path).map_err(failed)?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked {
                    holder: read_holder(&mut file),
                });
            }
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        write!(file, "{purpose} (process {})", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }

    /// Since when the holder has had it, if anybody does: the file is written when the lock is taken.
    pub fn since(store: &Path) -> Option<UtcMillis> {
        let written = std::fs::metadata(lock_path(store)).ok()?.modified().ok()?;
        let age = written.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(UtcMillis(i64::try_from(age.as_millis()).ok()?))
    }

    /// Who holds the lock right now, if anybody; nobody also if that may not be seen.
    pub fn holder(store: &Path) -> Option<String> {
        Self::try_holder(store).ok().flatten()
    }

    /// The same, and why it cannot be seen.
    ///
    /// # Errors
    /// If the lock file is there and cannot be opened.
    pub fn try_holder(store: &Path) -> io::Result<Option<String>> {
        let mut file = match File::open(lock_path(store)) {
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

/// Tries to take the lock. Whoever looks who has it ([`StoreLock::try_holder`]) shares it for an instant: that must not keep a
/// daemon from starting, so a lock that is taken is tried a few times.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 1..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
            done => return done,
        }
    }
    file.try_lock()
}

fn lock_path(store: &Path) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(".lock");
    path.into()
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
    fn a_second_holder_is_told_who_has_it_and_gets_it_when_the_first_is_gone() {
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
