//! Ownership of files that root creates beside the store.
//!
//! A command that an operator runs as root must not leave files that the daemon's user cannot open. SQLite gives its logs
//! to the owner of the database; files created here are given to the owner of the directory.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use rustix::fs::OFlags;

use crate::store::file::space::directory_of;

/// Opens a file for reading and writing, with mode 0600 if it is created. Only a new file changes its owner: the target of
/// a link is its owner's choice.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    open_or_create(path, OFlags::empty())
}

/// Opens the lock file like [`open_private`], but never follows a link, because its content is replaced.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    open_or_create(path, OFlags::NOFOLLOW)
}

fn open_or_create(path: &Path, flags: OFlags) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.custom_flags(flags.bits().cast_signed());
    options.read(true).write(true).mode(0o600);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            // A file with the wrong owner is deleted, or the next start would take it for the operator's choice.
            give(&file, path).inspect_err(|_| drop(fs::remove_file(path)))?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            options.create(true).truncate(false).open(path)
        }
        Err(error) => Err(error),
    }
}

/// Opens a file that is about to be truncated. Never follows a link, and keeps the owner.
pub(crate) fn open_scratch(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options.mode(0o600).open(path)
}

/// Gives a new file at `path` to the owner of its directory, if this process is root.
pub(crate) fn give(file: &File, path: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let directory = fs::metadata(directory_of(path))?;
    match directory.uid() {
        0 => Ok(()),
        uid => fchown(file, Some(uid), Some(directory.gid())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_overwritten_are_not_opened_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        open_scratch(&link).unwrap_err();
        open_lock(&link).unwrap_err();
        open_private(&link).unwrap();
        open_scratch(&dir.path().join("new")).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    }
}
