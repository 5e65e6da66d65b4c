//! Backups of the store, made while a daemon runs. A backup is verified, and appears as a whole or not at all.
//!
//! # Design
//!
//! SQLite's backup API copies the pages of one snapshot. A read transaction is held over all steps, so the copy is of the
//! moment at which it began, a writer in another process does not make it start over, and no process waits for it. `VACUUM
//! INTO` would do the same with a smaller file, but in one call: without progress, without a pause between two steps, and
//! with the time that rebuilding every index takes. Both keep the write-ahead log from shrinking meanwhile.
//!
//! The copy is written to `FILE.partial` (0600, locked), converted to a single file without a log, checked (integrity,
//! application id, schema, and the counts of the snapshot), synced to the disk, and only then renamed.
//!
//! # Crash cases
//!
//! A failure removes the partial file. A kill leaves it, under a name that is no backup's, and the next run overwrites
//! it.

mod error;
pub mod restore;

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use rustix::fs::{CWD, RenameFlags, renameat_with};

pub use error::BackupError;

use super::changelog::VersionId;
use super::error::StoreError;
use super::sql::count;
use super::{Reader, migrations};
use crate::store::file::beside;
use crate::store::file::identity::as_owner;
use crate::store::file::open::{distrust, read_only_any_schema};
use crate::store::file::owner::open_scratch;
use crate::store::file::space::{directory_of, free_bytes};

/// Pages copied in one step: 4 MiB with pages of the usual size.
const STEP: i32 = 1024;
/// Pause between two steps, which leaves the disk to others.
const PAUSE: Duration = Duration::from_millis(2);
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The treatment of an existing file with the name of the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Fails with [`BackupError::Exists`].
    Keep,
    /// Replaces the file atomically.
    Replace,
}

/// Counts by which a copy is compared with its original.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct StoreContents {
    /// Size of the file without its log, in bytes.
    pub bytes: u64,
    /// Schema version.
    pub schema: i64,
    /// Orders in the feed.
    pub orders: u64,
    /// Events in the outbox.
    pub events: u64,
    pub pending_events: u64,
    /// Head of the changelog.
    pub changelog_version: VersionId,
    /// Version up to which the changelog is indexed.
    pub view_version: VersionId,
}

/// Copies the store at `from` to the file `to`. If both are on one disk, `reserve` bytes of it stay free. `progress`
/// receives the bytes done and the total.
///
/// # Errors
/// See [`BackupError`]; `to` is then as it was.
pub fn backup(
    from: &Path,
    to: &Path,
    existing: Existing,
    reserve: u64,
    progress: impl FnMut(u64, u64),
) -> Result<StoreContents, BackupError> {
    refuse_name(from, to, existing)?;
    // Any schema: a backup is wanted above all before an upgrade.
    let source = as_owner(from, || read_only_any_schema(from))??;
    let shared = shares_disk(from, to);
    let partial = write(source, to, if shared { reserve } else { 0 }, progress)?;
    let contents = partial.contents.clone();
    partial.publish(to, existing)?;
    Ok(contents)
}

/// Checks a copy and returns its counts.
///
/// # Errors
/// `Unsound`, or the reason why it cannot be read.
pub fn check_backup(path: &Path) -> Result<StoreContents, BackupError> {
    let connection = open_copy(path)?;
    check(&connection, path)
}

/// A partial file. Dropping it deletes the file, unless it was published.
pub(super) struct Partial {
    path: PathBuf,
    file: File,
    pub(super) contents: StoreContents,
}

/// Writes and checks a copy beside `to`.
pub(super) fn write(
    mut source: Connection,
    to: &Path,
    reserve: u64,
    progress: impl FnMut(u64, u64),
) -> Result<Partial, BackupError> {
    let snapshot = source
        .transaction_with_behavior(TransactionBehavior::Deferred)
        .map_err(StoreError::from)?;
    let contents = contents(&snapshot)?;
    let free = free_bytes(to).unwrap_or(u64::MAX);
    if free.saturating_sub(reserve) < contents.bytes {
        return Err(BackupError::NoSpace {
            path: directory_of(to).to_owned(),
            needed: contents.bytes,
            free,
            reserve,
        });
    }
    let partial = Partial::begin(to, contents)?;
    partial.copy(snapshot, progress)?;
    let copied = check(&open_copy(&partial.path)?, &partial.path)?;
    if copied != partial.contents {
        return Err(BackupError::Unsound {
            path: partial.path.clone(),
            cause: format!("it holds {copied:?}, the store {:?}", partial.contents),
        });
    }
    Ok(partial)
}

impl Partial {
    fn begin(to: &Path, contents: StoreContents) -> Result<Self, BackupError> {
        let path = beside(to, ".partial");
        let failed = |cause| of_file(&path, cause);
        let Some(file) = open_scratch(&path).map_err(failed)? else {
            return Err(BackupError::NotOurs { path });
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::InUse { path }),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let partial = Self { path, file, contents };
        // A killed run may have left content and wider permissions.
        partial
            .file
            .set_len(0)
            .map_err(|cause| of_file(&partial.path, cause))?;
        let narrow = fs::Permissions::from_mode(0o600);
        partial
            .file
            .set_permissions(narrow)
            .map_err(|cause| of_file(&partial.path, cause))?;
        // A log left by a killed run would be read into the copy.
        partial.remove_sidecars();
        Ok(partial)
    }

    fn copy(&self, snapshot: Transaction<'_>, mut progress: impl FnMut(u64, u64)) -> Result<(), BackupError> {
        let failed = |cause| BackupError::Target {
            path: self.path.clone(),
            cause,
        };
        let mut target = Connection::open(&self.path).map_err(failed)?;
        // Not `distrust`: a defensive connection refuses `journal_mode = OFF`, and no statement of the copy's schema runs.
        // No journal and no syncs: the file is synced as a whole at the end, before it gets its name.
        target
            .execute_batch(
                "PRAGMA trusted_schema = OFF; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF",
            )
            .map_err(failed)?;
        let total = self.contents.bytes;
        let steps = Backup::new(&snapshot, &mut target).map_err(failed)?;
        loop {
            let step = steps.step(STEP).map_err(failed)?;
            let (pages, left) = (steps.progress().pagecount, steps.progress().remaining);
            let done = total * u64::try_from(pages - left).unwrap_or_default();
            progress(done / u64::try_from(pages.max(1)).unwrap_or(1), total);
            if step == StepResult::Done {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        drop(steps);
        drop(snapshot);
        // A copy is one file, without a WAL.
        let mode: String = target
            .query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))
            .map_err(failed)?;
        if mode != "delete" {
            return Err(BackupError::Unsound {
                path: self.path.clone(),
                cause: format!("it keeps a log of its own (journal mode {mode})"),
            });
        }
        target.close().map_err(|(_, cause)| failed(cause))?;
        self.file.sync_all().map_err(|cause| of_file(&self.path, cause))
    }

    /// Renames the file to its final name, atomically.
    pub(super) fn publish(self, to: &Path, existing: Existing) -> Result<(), BackupError> {
        let replaced = || fs::rename(&self.path, to).map_err(|cause| of_file(to, cause));
        // `refuse_name` has checked the name, but another process may have taken it since.
        match existing {
            Existing::Replace => replaced()?,
            Existing::Keep => match renameat_with(CWD, &self.path, CWD, to, RenameFlags::NOREPLACE) {
                Ok(()) => {}
                Err(rustix::io::Errno::EXIST) => {
                    return Err(BackupError::Exists { path: to.to_owned() });
                }
                // The file system does not support NOREPLACE. The name was free a moment ago.
                Err(_) => replaced()?,
            },
        }
        let directory = directory_of(to);
        // The rename is durable only once the directory is.
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|cause| of_file(directory, cause))
    }

    fn remove_sidecars(&self) {
        for sidecar in SIDECARS {
            let _ = fs::remove_file(beside(&self.path, sidecar));
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After `publish` there is no file of this name.
        let _ = fs::remove_file(&self.path);
        self.remove_sidecars();
    }
}

/// Suffixes of the files that SQLite keeps beside a database.
pub(super) const SIDECARS: [&str; 3] = ["-wal", "-shm", "-journal"];

fn refuse_name(from: &Path, to: &Path, existing: Existing) -> Result<(), BackupError> {
    let same = |one: &Path, other: &Path| match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    };
    if same(from, to) {
        return Err(BackupError::Itself { path: to.to_owned() });
    }
    // Also a dangling link counts as taken.
    let taken = to.is_dir() || fs::symlink_metadata(to).is_ok() && existing == Existing::Keep;
    if taken {
        return Err(BackupError::Exists { path: to.to_owned() });
    }
    let sidecars = SIDECARS.iter().map(|sidecar| beside(to, sidecar));
    match sidecars.into_iter().find(|sidecar| sidecar.exists()) {
        Some(path) => Err(BackupError::Sidecar { path }),
        None => Ok(()),
    }
}

fn shares_disk(from: &Path, to: &Path) -> bool {
    let disk = |path: &Path| fs::metadata(directory_of(path)).map(|found| found.dev()).ok();
    disk(from) == disk(to)
}

/// A backup that is open for reading. It can be read although its path may have become inaccessible.
pub struct OpenBackup(Connection);

impl OpenBackup {
    /// Opens the backup at `path`.
    ///
    /// # Errors
    /// If it cannot be read, or is not a store.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        open_copy(path).map(Self)
    }
}

/// Opens a copy read-only. Without a WAL it is opened as immutable, which also works on a read-only disk.
fn open_copy(path: &Path) -> Result<Connection, BackupError> {
    if !path.is_file() {
        return Err(of_file(path, io::ErrorKind::NotFound.into()));
    }
    let has_log = fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    if has_log {
        return Ok(read_only_any_schema(path)?);
    }
    let mut uri = "file:".to_owned();
    // In a URI, every other byte must be escaped.
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(*byte))
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags).map_err(StoreError::from)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(StoreError::from)?;
    distrust(&connection)?;
    migrations::check(&connection, path)?;
    Ok(connection)
}

fn check(connection: &Connection, path: &Path) -> Result<StoreContents, BackupError> {
    let unsound = |cause: String| BackupError::Unsound {
        path: path.to_owned(),
        cause,
    };
    let result: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|cause| unsound(cause.to_string()))?;
    if result != "ok" {
        return Err(unsound(format!("integrity_check reports: {result}")));
    }
    let contents = contents(connection)?;
    match contents {
        StoreContents { schema: 0, .. } => Err(unsound("it is empty".to_owned())),
        StoreContents {
            view_version,
            changelog_version,
            ..
        } if view_version > changelog_version => Err(unsound(format!(
            "it is indexed up to version {view_version}, but its changelog ends at {changelog_version}"
        ))),
        contents => Ok(contents),
    }
}

fn contents(connection: &Connection) -> Result<StoreContents, StoreError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let bytes = (pragma("page_count")?.saturating_mul(pragma("page_size")?)).unsigned_abs();
    let schema = pragma("user_version")?;
    if schema == 0 {
        return Ok(StoreContents {
            bytes,
            ..StoreContents::default()
        });
    }
    let reader = Reader { connection };
    let rows = |table: &str| reader.one(&format!("SELECT count(*) FROM {table}"), [], |row| count(row, 0));
    Ok(StoreContents {
        bytes,
        schema,
        orders: rows("sales_data_exporter_orders_v2")?,
        events: rows("outbox_event")?,
        pending_events: reader.pending_events()?,
        changelog_version: reader.changelog_head()?,
        view_version: reader.view_version()?,
    })
}

pub(super) fn of_file(path: &Path, cause: io::Error) -> BackupError {
    BackupError::File {
        path: path.to_owned(),
        cause,
    }
}
