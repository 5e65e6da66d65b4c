//! The check for damage when a store is opened.
//!
//! A small store is checked before it is used. A large one would delay the start for seconds, so a thread checks it while
//! the daemon works; damage ends the daemon like any other failure of the store. Until then nothing is lost: a statement
//! that reads a damaged page fails by itself.

use std::path::Path;
use std::thread;

use rusqlite::{Connection, InterruptHandle};
use tokio::sync::watch;

use crate::store::error::{Fault, StoreError};

/// Larger files are checked in the background. SQLite checks about half a gigabyte per second once it is in memory.
const AT_ONCE_BYTES: u64 = 32 << 20;

/// Returns true if a file is small enough to be checked before it is used.
pub(crate) fn is_small(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |meta| meta.len() <= AT_ONCE_BYTES)
}

/// Checks the whole file, except that indexes match their tables, which takes much longer.
pub(crate) fn damage(connection: &Connection) -> Result<(), StoreError> {
    let result: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if result == "ok" {
        return Ok(());
    }
    let cause = format!("quick_check reports: {result}");
    Err(StoreError::failed(Fault::Corrupt, cause))
}

/// Starts a thread of the store.
pub(crate) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, StoreError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned
        .map_err(|cause| StoreError::failed(Fault::Other, format!("cannot start the thread {name}: {cause}")))
}

/// A check in the background. Dropping it interrupts the check.
pub(crate) struct BackgroundCheck {
    interrupt: InterruptHandle,
    thread: Option<thread::JoinHandle<()>>,
}

impl BackgroundCheck {
    /// Starts a check on a connection of its own. It reports damage on `fatal`.
    pub(crate) fn start(
        connection: Connection,
        fatal: watch::Sender<Option<String>>,
    ) -> Result<Self, StoreError> {
        let interrupt = connection.get_interrupt_handle();
        let work = move || {
            // An interrupted check is no damage, and not fatal.
            if let Err(error) = damage(&connection)
                && error.is_fatal()
            {
                fatal.send_replace(Some(error.to_string()));
            }
        };
        let thread = Some(spawn("store-check", work)?);
        Ok(Self { interrupt, thread })
    }
}

impl Drop for BackgroundCheck {
    fn drop(&mut self) {
        // Otherwise the end of the process would wait for seconds.
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
