//! Looks for damage in the file.
//!
//! A small store is looked through before anything else happens. A large one would hold up the start for seconds, so a
//! thread of its own looks through it while the daemon works; damage that it finds ends the daemon like any other failure
//! of the store. Until then nothing is lost by working on: each statement that meets a damaged page fails by itself.

use std::path::Path;
use std::thread;

use rusqlite::{Connection, InterruptHandle};
use tokio::sync::watch;

use crate::store::error::{Fault, StoreError};

/// Larger files are looked through beside the work. SQLite checks about half a gigabyte a second once it is in memory.
const AT_ONCE_BYTES: u64 = 32 << 20;

/// Whether a file is so small that it is checked before it is used.
pub(crate) fn is_small(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |meta| meta.len() <= AT_ONCE_BYTES)
}

/// The whole file, without what only costs time (that indexes match their tables).
pub(crate) fn damage(connection: &Connection) -> Result<(), StoreError> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(StoreError::Failed {
        fault: Fault::Corrupt,
        cause: format!("quick_check says: {verdict}"),
    })
}

/// A check beside the work. It ends when this is dropped.
pub(crate) struct BackgroundCheck {
    interrupt: InterruptHandle,
    thread: Option<thread::JoinHandle<()>>,
}

impl BackgroundCheck {
    /// Looks through the file behind a connection of its own, and says in `fatal` what is wrong with it.
    pub(crate) fn start(
        connection: Connection,
        fatal: watch::Sender<Option<String>>,
    ) -> Result<Self, StoreError> {
        let interrupt = connection.get_interrupt_handle();
        let work = move || {
            if let Err(error) = damage(&connection)
                && error.is_fatal()
            {
                fatal.send_replace(Some(error.to_string()));
            }
        };
        let spawned = thread::Builder::new().name("store-check".to_owned()).spawn(work);
        let thread = spawned.map_err(|cause| StoreError::Failed {
            fault: Fault::Other,
            cause: format!("no thread store-check: {cause}"),
        })?;
        Ok(Self {
            interrupt,
            thread: Some(thread),
        })
    }
}

impl Drop for BackgroundCheck {
    fn drop(&mut self) {
        self.interrupt.interrupt();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for BackgroundCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BackgroundCheck")
    }
}
