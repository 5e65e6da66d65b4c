//! Who keeps SQLite's own locks, asked of the kernel without taking any.
//!
//! SQLite locks ranges of bytes by POSIX locks (<https://sqlite.org/walformat.html>, "WAL-Index Format" and "File
//! Format"): in the `-shm` file byte 120 is the right to write; in the database itself two ranges near 1 GiB say that
//! somebody writes outside of the log, or keeps everybody out (`locking_mode = exclusive`). `F_GETLK` names the process.
//!
//! A process that closes any descriptor of a file loses all its POSIX locks on it. So this must not run in a process
//! that has the store open.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};

/// `WAL_WRITE_LOCK` in the `-shm` file.
const WAL_WRITER: (u64, u64) = (120, 1);
/// From `PENDING_BYTE` to the reserved byte of the database: somebody writes, or is about to.
const DATABASE_WRITER: (u64, u64) = (0x4000_0000, 2);
/// The shared bytes of the database. Every reader has a read lock there; a write lock keeps everybody out.
const DATABASE_SHARED: (u64, u64) = (0x4000_0002, 510);

/// The process that may write to the store right now, or keeps others from it: its id, 0 if it cannot be named from
/// here (another container). `None` if there is none, or it cannot be found out.
pub fn writing_process(store: &Path) -> Option<u32> {
    let index = with_suffix(store, "-shm");
    holder(&index, WAL_WRITER, FlockType::WriteLock)
        .or_else(|| holder(store, DATABASE_WRITER, FlockType::ReadLock))
        .or_else(|| holder(store, DATABASE_SHARED, FlockType::ReadLock))
}

/// Who has a lock that a lock of type `wanted` on the range would wait for.
fn holder(path: &Path, (start, length): (u64, u64), wanted: FlockType) -> Option<u32> {
    let file = File::open(path).ok()?;
    let question = Flock {
        start,
        length,
        pid: None,
        typ: wanted,
        offset_type: FlockOffsetType::Set,
    };
    let found = fcntl_getlk(&file, &question).ok()??;
    let pid = found.pid.map_or(0, |pid| pid.as_raw_nonzero().get());
    Some(u32::try_from(pid).unwrap_or(0))
}

fn with_suffix(store: &Path, suffix: &str) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_holds_what_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(writing_process(&dir.path().join("orderfeed.db")), None);
    }
}
