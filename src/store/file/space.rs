//! Free space beside a file.

use std::path::Path;

/// Returns the bytes available to this process on the file system of `path`, or on the one where it would be created.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let mut directories = directory_of(path).ancestors().map(or_here);
    // A directory that does not exist yet is created on the file system of its nearest ancestor.
    let existing = directories.find(|directory| directory.exists())?;
    let found = rustix::fs::statvfs(existing).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Returns the directory of `path`; the current one for a bare name.
pub fn directory_of(path: &Path) -> &Path {
    or_here(path.parent().unwrap_or(path))
}

fn or_here(path: &Path) -> &Path {
    match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_does_not_exist_yet_has_the_space_of_its_file_system() {
        for path in [
            "Cargo.toml",
            "none",
            "none/such/orderfeed.db",
            "/none/such/orderfeed.db",
        ] {
            assert!(free_bytes(Path::new(path)).is_some_and(|free| free > 0), "{path}");
        }
    }
}
