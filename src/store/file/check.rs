//! A check of the file with a time limit, in parallel with a process that writes it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rusqlite::ErrorCode;

use crate::store::{StoreError, StoreView};

/// The result of SQLite's `quick_check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Integrity {
    Sound,
    /// Damaged, with SQLite's message.
    Damaged(String),
    /// Not finished within the limit; no damage so far.
    Unfinished,
}

impl StoreView {
    /// Checks the pages and records of the file, for at most `limit`. Reads the whole file, and takes no lock that delays a
    /// writer.
    pub fn quick_check(&self, limit: Duration) -> Result<Integrity, StoreError> {
        let interrupt = self.connection.get_interrupt_handle();
        let (finished, waiting) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            // A disconnected channel means that the check has ended.
            if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        });
        let result: Result<String, _> = self
            .connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
        // Ends the timer thread.
        drop(finished);
        match result {
            Ok(text) if text == "ok" => Ok(Integrity::Sound),
            Ok(damage) => Ok(Integrity::Damaged(damage)),
            Err(error) => match error.sqlite_error_code() {
                Some(ErrorCode::OperationInterrupted) => Ok(Integrity::Unfinished),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                    Ok(Integrity::Damaged(error.to_string()))
                }
                _ => Err(error.into()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    #[tokio::test]
    async fn a_file_in_use_can_be_checked() {
        let (dir, _store) = testing::fresh();
        let view = StoreView::open(&dir.path().join("orderfeed.db")).unwrap();
        let found = view.quick_check(Duration::from_secs(20)).unwrap();
        assert_eq!(found, Integrity::Sound);
    }
}
