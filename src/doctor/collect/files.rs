//! The store's directory and files, the space, and who the daemon is.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Access;

use crate::config::Config;
use crate::doctor::collect::detached::detached;
use crate::doctor::daemon::Holder;
use crate::doctor::files::{Entry, Facts};
use crate::store::file::space::{directory_of, free_bytes};

const LIMIT: Duration = Duration::from_secs(5);
/// The user that the package makes.
const SERVICE: &str = "orderfeed";
/// What lies beside the store.
const SUFFIXES: [&str; 5] = ["", "-wal", "-shm", ".lock", ".sock"];

pub(super) async fn look(config: &Config) -> Facts {
    let (path, reserve) = (config.store.path.clone(), config.store.disk_reserve.0);
    let directory = directory_of(&path).to_owned();
    let hung = Facts {
        entry: Some(Err("no answer from the file system within 5 s".to_owned())),
        directory: directory.clone(),
        reserve,
        ..Facts::default()
    };
    detached(LIMIT, move || facts(&path, directory, reserve))
        .await
        .unwrap_or(hung)
}

impl Facts {
    /// What another user may not do says nothing about a daemon that runs as somebody else.
    #[must_use]
    pub(super) fn of_daemon(mut self, holder: Option<&Holder>) -> Self {
        let pid = holder.and_then(|holder| holder.pid);
        let owner = pid.and_then(|pid| fs::metadata(format!("/proc/{pid}")).ok());
        if owner.is_some_and(|owner| owner.uid() != rustix::process::geteuid().as_raw()) {
            self.refused = None;
        }
        self
    }
}

fn facts(store: &Path, directory: PathBuf, reserve: u64) -> Facts {
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
    Facts {
        free: free_bytes(store),
        refused: refused.map(|error| io::Error::from(error).to_string()),
        service: if is_root { service() } else { None },
        files: files(store),
        reserve,
        sizes: (size(store, ""), size(store, "-wal")),
        entry,
        directory,
    }
}

fn entry(metadata: &fs::Metadata) -> Entry {
    Entry {
        uid: metadata.uid(),
        gid: metadata.gid(),
        mode: metadata.mode(),
    }
}

fn beside(store: &Path, suffix: &str) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn files(store: &Path) -> Vec<(PathBuf, Entry)> {
    let paths = SUFFIXES.iter().map(|suffix| beside(store, suffix));
    let found = paths.filter_map(|path| {
        let metadata = fs::metadata(&path).ok()?;
        Some((path, entry(&metadata)))
    });
    // The lock's text is for everyone to read, and the kernel's lock is not in its mode bits.
    found.collect()
}

fn size(store: &Path, suffix: &str) -> u64 {
    fs::metadata(beside(store, suffix)).map_or(0, |file| file.len())
}

/// The daemon's user: name, user and group, if the package made one.
fn service() -> Option<(String, u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("orderfeed:"))?;
    let mut fields = line.split(':').skip(2);
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((SERVICE.to_owned(), uid, gid))
}
