//! The holders of SQLite's own locks, read from the kernel without taking any.
//!
//! SQLite locks ranges of bytes by POSIX locks (<https://sqlite.org/walformat.html>, "WAL-Index Format" and "File
//! Format"): byte 120 of the `-shm` file is the write lock; two ranges near 1 GiB of the database are locked by a process
//! that writes outside of the log, or that excludes all others (`locking_mode = exclusive`). `F_GETLK` returns the
//! process.
//!
//! A process that closes any descriptor of a file loses all its POSIX locks on it. So this must not run in a process
//! that has the store open.

use std::fs::File;
use std::path::Path;

use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};

use crate::store::file::beside;

/// `WAL_WRITE_LOCK` in the `-shm` file.
const WAL_WRITER: (u64, u64) = (120, 1);
/// From `PENDING_BYTE` to the reserved byte of the database: locked by a process that writes or is about to.
const DATABASE_WRITER: (u64, u64) = (0x4000_0000, 2);
/// The shared bytes of the database. Every reader has a read lock there; a write lock excludes all others.
const DATABASE_SHARED: (u64, u64) = (0x4000_0002, 510);

/// Returns the id of the process that may write to the store right now, or excludes others from it. The id is 0 if the
/// process has none here (another container). `None` if there is no such process, or the files cannot be opened.
pub fn writing_process(store: &Path) -> Option<u32> {
    // In WAL mode a writer holds only the first; the others are for rollback journals and exclusive mode.
    let index = beside(store, "-shm");
    holder(&index, WAL_WRITER, FlockType::WriteLock)
        .or_else(|| holder(store, DATABASE_WRITER, FlockType::ReadLock))
        .or_else(|| holder(store, DATABASE_SHARED, FlockType::ReadLock))
}

/// Returns the holder of a lock that conflicts with a lock of type `wanted` on the range.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_has_no_holder() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(writing_process(&dir.path().join("orderfeed.db")), None);
    }
}
