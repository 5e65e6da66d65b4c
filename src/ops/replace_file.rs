//! Replaces a file as a whole: a reader sees the old text or the new one, also after a power cut.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Writes `text` to `path`, with this mode. `own` may change the owner of the open file.
///
/// # Errors
/// Those of the system; then the older file is unchanged.
pub fn replace_file(
    path: &Path,
    text: &str,
    mode: u32,
    own: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let directory = path.parent().unwrap_or("".as_ref());
    let mut file = tempfile::Builder::new()
        .prefix(".orderfeed-")
        .permissions(fs::Permissions::from_mode(mode))
        .tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    own(file.as_file())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The name is durable only with its directory.
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_the_older_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        replace_file(&path, "one", 0o640, |_| Ok(())).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        let refused = replace_file(&path, "two", 0o600, |_| Err(io::Error::other("not owned")));
        assert!(refused.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        replace_file(&path, "three", 0o600, |_| Ok(())).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
