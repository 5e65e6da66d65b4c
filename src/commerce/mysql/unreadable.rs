//! The tables that did not answer in time a moment ago, so that each batch of orders need not wait for them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Time for which a table that did not answer is not read again.
const REST: Duration = Duration::from_secs(10);

/// The tables that did not answer in time, each with the time at which it is read again.
#[derive(Debug, Default)]
pub(super) struct UnreadableTables(Mutex<HashMap<&'static str, Instant>>);

impl UnreadableTables {
    /// Records that a table did not answer.
    pub(super) fn add(&self, table: &'static str) {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.insert(table, Instant::now() + REST);
    }

    /// Returns true if a table did not answer a moment ago.
    pub(super) fn contains(&self, table: &str) -> bool {
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tables.get(table).is_some_and(|until| *until > Instant::now())
    }
}
