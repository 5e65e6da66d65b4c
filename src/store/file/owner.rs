//! Whose the files are that root makes beside the store.
//!
//! A command that somebody runs as root, at night and in a hurry, must not leave files that the daemon's user cannot open.
//! SQLite gives its logs to whoever has the database; what we make ourselves goes to whoever has the directory.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use rustix::fs::OFlags;

use crate::store::file::space::directory_of;

/// Opens a file to read and write that others cannot read; made if it is missing. Only what is new here is given away: what
/// a link leads to is its owner's choice.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    open_or_make(path, OFlags::empty())
}

/// The same for the lock file, whose contents are replaced: a link is never followed.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    open_or_make(path, OFlags::NOFOLLOW)
}

fn open_or_make(path: &Path, flags: OFlags) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.custom_flags(flags.bits().cast_signed());
    options.read(true).write(true).mode(0o600);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            // One with the wrong owner must not look like somebody's choice at the next start.
            give(&file, path).inspect_err(|_| drop(fs::remove_file(path)))?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            options.create(true).truncate(false).open(path)
        }
        Err(error) => Err(error),
    }
}

/// Like [`open_private`] for a file that is about to be emptied: a link is never followed, and its owner stays.
pub(crate) fn open_scratch(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options.mode(0o600).open(path)
}

/// Gives a file that we made at `path` to the owner of its directory, if we are root.
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
    fn what_is_to_be_emptied_is_not_reached_through_a_link() {
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
