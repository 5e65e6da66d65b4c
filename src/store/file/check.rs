//! Looking whether the file is sound, within a time limit, beside whoever writes it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rusqlite::ErrorCode;

use crate::store::{StoreError, StoreView};

/// What SQLite's `quick_check` found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// Nothing wrong.
    Sound,
    /// Damage, in SQLite's words.
    Damaged(String),
    /// Not finished within the limit; nothing wrong so far.
    Unfinished,
}

impl StoreView {
    /// Checks the pages and records of the file, for at most `limit`. Reads the whole file, takes no lock that a writer
    /// would wait for.
    ///
    /// # Errors
    /// If the file cannot be read at all.
    pub fn quick_check(&self, limit: Duration) -> Result<Integrity, StoreError> {
        let interrupt = self.connection.get_interrupt_handle();
        let (finished, waiting) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        });
        let verdict: Result<String, _> = self
            .connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
        drop(finished);
        match verdict {
            Ok(verdict) if verdict == "ok" => Ok(Integrity::Sound),
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
    async fn a_sound_file_is_sound_while_it_is_in_use() {
        let (dir, _store) = testing::fresh();
        let view = StoreView::open(&dir.path().join("orderfeed.db")).unwrap();
        let found = view.quick_check(Duration::from_secs(20)).unwrap();
        assert_eq!(found, Integrity::Sound);
    }
}
