//! Short forms for statements, and the one mapping between an enum and its stored words or codes.

use rusqlite::{OptionalExtension, Params, Row};

use super::{Reader, StoreError, Writer};
use orderfeed_model::clock::UtcMillis;

impl Reader<'_> {
    /// Reads every row of a query.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        // Cached by its text, so the same literal is compiled once per connection.
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params, read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Reads the first row of a query, if there is one.
    pub(super) fn first<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params, read).optional()?)
    }

    /// Reads the one row of a query that always has one, such as an aggregate.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params, read)?)
    }
}

impl Writer<'_> {
    /// Runs a statement. Returns the number of rows that it changed.
    pub(super) fn execute(&mut self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        Ok(self.connection.prepare_cached(sql)?.execute(params)?)
    }

    /// Runs a statement whose number of changed rows does not matter.
    pub(super) fn run(&mut self, sql: &str, params: impl Params) -> Result<(), StoreError> {
        self.execute(sql, params).map(drop)
    }
}

/// Reads a number that is never negative. SQLite's integers are signed.
pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default())
}

pub(super) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<UtcMillis>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(UtcMillis))
}

/// Converts a number for SQLite, whose integers are signed. One that does not fit becomes the largest.
pub(super) fn signed(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// Declares an enum with the stored word of each variant. Reading another word is an error: a default would hide damage.
macro_rules! stored_words {
    ($(#[$about:meta])* $visible:vis enum $name:ident { $($variants:tt)+ }) => {
        orderfeed_model::words! { $(#[$about])* $visible enum $name { $($variants)+ } }
        $crate::store::sql::stored!($name, as_str, as_str);
    };
}

/// Declares an enum with the stored integer of each variant.
macro_rules! stored_codes {
    ($(#[$about:meta])* $visible:vis enum $name:ident {
        $($(#[$doc:meta])* $variant:ident = $code:literal,)+
    }) => {
        $(#[$about])*
        $visible enum $name {
            $($(#[$doc])* $variant = $code,)+
        }

        impl $name {
            const ALL: [Self; [$(Self::$variant),+].len()] = [$(Self::$variant),+];

            const fn code(self) -> i64 {
                self as i64
            }
        }
        $crate::store::sql::stored!($name, code, as_i64);
    };
}

/// Stores an enum as what `$write` returns, and finds the variant again by it.
macro_rules! stored {
    ($type:ident, $write:ident, $read:ident) => {
        impl rusqlite::ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.$write().into())
            }
        }

        impl rusqlite::types::FromSql for $type {
            fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                let stored = value.$read()?;
                let known = Self::ALL
                    .iter()
                    .copied()
                    .find(|known| known.$write() == stored);
                known.ok_or_else(|| {
                    let cause = format!(concat!("{:?} is no ", stringify!($type)), stored);
                    rusqlite::types::FromSqlError::Other(cause.into())
                })
            }
        }
    };
}

pub(super) use {stored, stored_codes, stored_words};
