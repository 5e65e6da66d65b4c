//! Directories for the files of one command, readable by their owner only.

use std::fs::{DirBuilder, remove_dir_all};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// A directory with mode 0700, because it holds a store.
pub(super) struct PrivateDirectory {
    path: PathBuf,
    is_temporary: bool,
}

impl PrivateDirectory {
    /// Creates a directory that is removed on drop.
    pub(super) fn temporary() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("orderfeed-{}", Uuid::new_v4()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self {
            path,
            is_temporary: true,
        })
    }

    /// Uses or creates a directory that is kept.
    pub(super) fn kept(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self {
            path: path.to_owned(),
            is_temporary: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        if self.is_temporary {
            let _ = remove_dir_all(&self.path);
        }
    }
}
