//! `meta` and `website`: single values, and the numbers of website codes.

use serde::{Deserialize, Serialize};

use super::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

/// The number of a website code in the other tables. Given once, never reused.
pub type WebsiteId = i64;

/// Key in `meta`: time at which the source last answered, in milliseconds.
pub const SOURCE_CHECKED_AT: &str = "source_checked_at";

/// Key in `meta`: the tables of the source whose changes are late, one sentence per line.
pub const SOURCE_LATE: &str = "source_late";

/// Key in `meta`: the database that the store was filled from.
pub const SOURCE_FINGERPRINT: &str = "source_fingerprint";

/// Key in `meta`: the kind of the source that the cursors belong to.
pub const SOURCE_KIND: &str = "source_kind";

/// Key in `meta`: the requests that the source sent to the shop in the last minute; empty if it counts none.
pub const SOURCE_REQUESTS: &str = "source_requests";

/// Key in `meta`: the warnings about the source that apply, as JSON.
const SOURCE_WARNINGS: &str = "source_warnings";

/// A condition of the source that an administrator should change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredWarning {
    /// Code of its log line.
    pub code: String,
    pub message: String,
    pub remedy: String,
}

/// Key in `meta`: the user who suspended the index; empty while it is not suspended.
pub const INDEX_SUSPENDED_BY: &str = "index_suspended_by";

/// Key in `meta`: the outage of the source that lasts, as JSON; empty while the source answers.
const SOURCE_FAILURE: &str = "source_failure";

/// An outage of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFailure {
    /// In milliseconds since the epoch.
    since: i64,
    pub message: String,
    pub remedy: String,
}

impl StoredFailure {
    pub fn new(since: UtcMillis, message: String, remedy: String) -> Self {
        let since = since.0;
        Self {
            since,
            message,
            remedy,
        }
    }

    pub const fn since(&self) -> UtcMillis {
        UtcMillis(self.since)
    }
}

/// Key in `meta`: the data space, which is part of every event's identity.
pub const DATA_SPACE: &str = "data_space_id";

impl Reader<'_> {
    /// Returns a value of `meta`.
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.first("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
    }

    /// Returns the warnings about the source that applied when it was last checked.
    pub fn source_warnings(&self) -> Result<Vec<StoredWarning>, StoreError> {
        let stored = self.meta(SOURCE_WARNINGS)?;
        // A later version may have stored another shape; the next check replaces it.
        Ok(stored
            .and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or_default())
    }

    /// Returns the outage of the source that lasts.
    pub fn source_failure(&self) -> Result<Option<StoredFailure>, StoreError> {
        let stored = self.meta(SOURCE_FAILURE)?;
        // A later version may have stored another shape; the next failure replaces it.
        Ok(stored.and_then(|json| serde_json::from_str(&json).ok()))
    }

    /// Returns the number and the code of every website that ever had one.
    pub fn websites(&self) -> Result<Vec<(WebsiteId, String)>, StoreError> {
        let sql = "SELECT id, code FROM website ORDER BY id";
        self.all(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
    }
}

impl Writer<'_> {
    /// Sets a value of `meta`.
    pub fn set_meta(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
        self.run(sql, [key, value])
    }

    /// Replaces the warnings about the source.
    pub fn set_source_warnings(&mut self, warnings: &[StoredWarning]) -> Result<(), StoreError> {
        let json = serde_json::to_string(warnings).unwrap_or_default();
        self.set_meta(SOURCE_WARNINGS, &json)
    }

    /// Stores the outage of the source, or its end.
    pub fn set_source_failure(&mut self, failure: Option<&StoredFailure>) -> Result<(), StoreError> {
        let json = failure.map(serde_json::to_string).and_then(Result::ok);
        self.set_meta(SOURCE_FAILURE, &json.unwrap_or_default())
    }

    /// Returns the number of a website code, and gives it one if it is new.
    pub fn website_id(&mut self, code: &str) -> Result<WebsiteId, StoreError> {
        self.execute(
            "INSERT INTO website (code) VALUES (?1) ON CONFLICT DO NOTHING",
            [code],
        )?;
        let sql = "SELECT id FROM website WHERE code = ?1";
        self.reader().one(sql, [code], |row| row.get(0))
    }

    #[cfg(test)]
    pub(crate) fn limit_pages_for_test(&mut self, pages: u32) -> Result<(), StoreError> {
        self.connection.pragma_update(None, "max_page_count", pages)?;
        Ok(())
    }
}
