//! Opening of files beside the store. None is opened through a link that another process put there, and each is a
//! regular file: opening a pipe would wait for its other end.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::store::error::StoreError;
use crate::store::file::space::directory_of;

/// Opens the database for reading and writing, with mode 0600 if it is created. An existing one may be a link, which is
/// the operator's choice; a link without a target is an error, because it would create a file elsewhere.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    open_or_create(path, OFlags::empty())
}

/// Opens the lock file like [`open_private`], but never follows a link, because its content is replaced.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    open_or_create(path, OFlags::NOFOLLOW)
}

/// Opens an existing file for reading, without following a link.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    regular(options(OFlags::NOFOLLOW).read(true).open(path)?)
}

/// Creates the directory of `path`, if it is missing.
pub(crate) fn create_private_dir(path: &Path) -> Result<(), StoreError> {
    let parent = directory_of(path);
    if parent.exists() {
        return Ok(());
    }
    let created = DirBuilder::new().recursive(true).mode(0o700).create(parent);
    created.map_err(|cause| StoreError::path(parent, &cause))
}

fn open_or_create(path: &Path, flags: OFlags) -> io::Result<File> {
    let mut options = options(flags);
    options.read(true).write(true).mode(0o600);
    match options.clone().create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => regular(options.open(path)?),
        created => created,
    }
}

/// Opens a file that is about to be truncated. Never follows a link. Returns `None` if it belongs to another user, or has
/// a second name: its content would be readable there.
pub(crate) fn open_scratch(path: &Path) -> io::Result<Option<File>> {
    let file = open_lock(path)?;
    let found = file.metadata()?;
    let is_own = found.uid() == rustix::process::geteuid().as_raw() && found.nlink() == 1;
    Ok(is_own.then_some(file))
}

fn options(flags: OFlags) -> OpenOptions {
    let mut options = OpenOptions::new();
    // NONBLOCK has no effect on a regular file.
    options.custom_flags((flags | OFlags::NONBLOCK).bits().cast_signed());
    options
}

fn regular(file: File) -> io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn files_that_are_overwritten_are_not_opened_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        fs::write(&target, "precious").unwrap();
        symlink(&target, &link).unwrap();
        open_scratch(&link).unwrap_err();
        open_lock(&link).unwrap_err();
        open_to_read(&link).unwrap_err();
        open_private(&link).unwrap();
        assert!(open_scratch(&dir.path().join("new")).unwrap().is_some());
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    }

    #[test]
    fn a_link_without_a_target_creates_nothing_and_a_pipe_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link, pipe) = (
            dir.path().join("target"),
            dir.path().join("link"),
            dir.path().join("pipe"),
        );
        symlink(&target, &link).unwrap();
        open_private(&link).unwrap_err();
        assert!(!target.exists());
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        for open in [open_private, open_lock, open_to_read] {
            let refused = open(&pipe).unwrap_err().to_string();
            assert!(refused.contains("not a regular file"), "{refused}");
        }
    }

    #[test]
    fn a_scratch_file_with_a_second_name_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let (file, other) = (dir.path().join("file"), dir.path().join("other"));
        fs::write(&file, "precious").unwrap();
        fs::hard_link(&file, &other).unwrap();
        assert!(open_scratch(&file).unwrap().is_none());
    }
}
