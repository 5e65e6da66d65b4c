//! Facts about the store's directory and files, the free space, and the daemon's user.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Access;

use crate::config::Config;
use crate::doctor::collect::detached::detached;
use crate::doctor::daemon::Holder;
use crate::doctor::files::{FileEntry, FileFacts};
use crate::store::file::beside;
use crate::store::file::space::{directory_of, free_bytes};

const LIMIT: Duration = Duration::from_secs(5);
/// The user that the package creates.
const SERVICE: &str = "orderfeed";
const SUFFIXES: [&str; 5] = ["", "-wal", "-shm", ".lock", ".sock"];

pub(super) async fn collect(config: &Config) -> FileFacts {
    let (path, reserve) = (config.store.path.clone(), config.store.disk_reserve.0);
    let directory = directory_of(&path).to_owned();
    let hung = FileFacts {
        entry: Some(Err("no answer from the file system within 5 s".to_owned())),
        directory: directory.clone(),
        reserve,
        ..FileFacts::default()
    };
    detached(LIMIT, move || facts(&path, directory, reserve))
        .await
        .unwrap_or(hung)
}

impl FileFacts {
    /// Drops this user's lack of permission if the daemon runs as another user.
    #[must_use]
    pub(super) fn of_daemon(mut self, holder: Option<&Holder>) -> Self {
        let pid = holder.and_then(|holder| holder.pid);
        let owner = pid.and_then(|pid| fs::metadata(format!("/proc/{pid}")).ok());
        if owner.is_some_and(|owner| owner.uid() != rustix::process::geteuid().as_raw()) {
            // The daemon runs, so it can write, whatever this user may do.
            self.refused = None;
        }
        self
    }
}

fn facts(store: &Path, directory: PathBuf, reserve: u64) -> FileFacts {
    let entry = match fs::metadata(&directory) {
        Ok(metadata) => Some(Ok(entry(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Err(error.to_string())),
    };
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    let refused = match entry {
        Some(Ok(_)) => rustix::fs::access(&directory, wanted).err(),
        _ => None,
    };
    let is_root = rustix::process::geteuid().is_root();
    FileFacts {
        free: free_bytes(store),
        refused: refused.map(|error| io::Error::from(error).to_string()),
        // Root may write everywhere, so only the service user's permissions mean something.
        service: if is_root { service() } else { None },
        files: files(store),
        reserve,
        sizes: (size(store, ""), size(store, "-wal")),
        entry,
        directory,
    }
}

fn entry(metadata: &fs::Metadata) -> FileEntry {
    FileEntry {
        uid: metadata.uid(),
        gid: metadata.gid(),
        mode: metadata.mode(),
    }
}

fn files(store: &Path) -> Vec<(PathBuf, FileEntry)> {
    let paths = SUFFIXES.iter().map(|suffix| beside(store, suffix));
    paths
        .filter_map(|path| {
            let metadata = fs::metadata(&path).ok()?;
            Some((path, entry(&metadata)))
        })
        .collect()
}

fn size(store: &Path, suffix: &str) -> u64 {
    fs::metadata(beside(store, suffix)).map_or(0, |file| file.len())
}

/// Returns the daemon's user (name, uid, gid), if the package created one.
fn service() -> Option<(String, u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("orderfeed:"))?;
    let mut fields = line.split(':').skip(2);
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((SERVICE.to_owned(), uid, gid))
}
