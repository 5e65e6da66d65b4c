//! `meta` and `website`: what the store is bound to, and short numbers for website codes.

use rusqlite::OptionalExtension;

use super::{Reader, StoreError, Writer};

/// The number that stands for a website code in the other tables. Given once, never reused.
pub type WebsiteId = i64;

/// `meta`: when the source last answered, in milliseconds.
pub const SOURCE_CHECKED_AT: &str = "source_checked_at";

/// `meta`: which database the store was filled from.
pub const SOURCE_FINGERPRINT: &str = "source_fingerprint";

/// `meta`: the data space that is part of every event's identity.
pub const DATA_SPACE: &str = "data_space_id";

impl Reader<'_> {
    /// A value of `meta`.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }

    /// All websites that ever were: number and code.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn websites(&self) -> Result<Vec<(WebsiteId, String)>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, code FROM website ORDER BY id")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Writer<'_> {
    /// Sets a value of `meta`.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn set_meta(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
        self.connection.prepare_cached(sql)?.execute([key, value])?;
        Ok(())
    }

    /// The number of this website code, given now if it is new.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn website_id(&mut self, code: &str) -> Result<WebsiteId, StoreError> {
        self.connection
            .prepare_cached("INSERT INTO website (code) VALUES (?1) ON CONFLICT DO NOTHING")?
            .execute([code])?;
        let mut statement = self
            .connection
            .prepare_cached("SELECT id FROM website WHERE code = ?1")?;
        Ok(statement.query_row([code], |row| row.get(0))?)
    }

    #[cfg(test)]
    pub(crate) fn limit_pages_for_test(&mut self, pages: u32) -> Result<(), StoreError> {
        self.connection.pragma_update(None, "max_page_count", pages)?;
        Ok(())
    }
}
