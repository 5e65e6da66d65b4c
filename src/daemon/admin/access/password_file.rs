//! The hash in force: read again when its file was replaced.

use std::path::{Path, PathBuf};

use crate::daemon::admin::access::password;
use crate::daemon::admin::access::password::Stamp;

#[derive(Debug, Default)]
pub(crate) struct PasswordFile {
    path: PathBuf,
    stamp: Option<Stamp>,
    hash: Option<String>,
}

impl PasswordFile {
    /// Returns the hash in force; `None` if there is no file or it holds no hash.
    pub(crate) fn hash(&self) -> Option<String> {
        self.hash.clone()
    }

    /// Reads the file at `path` if it is not the one that was read last. Returns true if it is not.
    pub(crate) fn refresh(&mut self, path: &Path) -> bool {
        // Before the file is read: one that is replaced meanwhile is read again next time.
        let stamp = Stamp::of(path);
        if self.path == path && self.stamp == stamp {
            return false;
        }
        self.hash = match stamp.as_ref().map(|_| password::read(path)) {
            Some(Ok(hash)) => Some(hash),
            Some(Err(error)) => {
                tracing::warn!(
                    log_code = "OF09-05",
                    path = %path.display(),
                    %error,
                    "The password of the web pages cannot be used; no operator can log in",
                );
                None
            }
            None => None,
        };
        (self.path, self.stamp) = (path.to_owned(), stamp);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        let mut file = PasswordFile::default();
        assert!(file.refresh(&path) && !file.refresh(&path) && file.hash().is_none());
        let hash = password::hash("correct horse").unwrap();
        password::write(&path, &hash, |_| Ok(())).unwrap();
        assert!(file.refresh(&path) && !file.refresh(&path));
        assert_eq!(file.hash(), Some(hash));
        std::fs::write(&path, "no hash").unwrap();
        assert!(file.refresh(&path) && file.hash().is_none());
    }
}
