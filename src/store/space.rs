//! Free space beside a file.

use std::path::Path;

/// Free bytes for us on the file system of `path`, which need not exist; `None` if its directory cannot be asked.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(directory_of(path)).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// The directory that `path` is in.
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
