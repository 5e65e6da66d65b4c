//! Execution of statements, which stay prepared, and their rows.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::commerce::read::cells;
use crate::commerce::read::cells::{CellRef, SourceRow};

/// Returns the first column of all rows, as whole numbers.
pub(super) fn numbers(
    connection: &Connection,
    sql: &str,
    parameter: Option<&str>,
) -> rusqlite::Result<Vec<i64>> {
    let mut numbers = Vec::new();
    for_each(connection, sql, parameter, |row| {
        numbers.extend(cells::integer(row.cell(0)))
    })?;
    Ok(numbers)
}

/// Passes every row of a statement to `take`.
pub(super) fn for_each(
    connection: &Connection,
    sql: &str,
    parameter: Option<&str>,
    mut take: impl FnMut(&mut SqliteRow<'_, '_>),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(parameter))?;
    while let Some(row) = rows.next()? {
        take(&mut SqliteRow(row));
    }
    Ok(())
}

/// A row of the driver.
pub(super) struct SqliteRow<'a, 's>(&'a rusqlite::Row<'s>);

impl SourceRow for SqliteRow<'_, '_> {
    fn cell(&self, index: usize) -> CellRef<'_> {
        match self.0.get_ref(index) {
            Ok(ValueRef::Integer(value)) => CellRef::Int(value),
            Ok(ValueRef::Real(value)) => CellRef::Real(value),
            Ok(ValueRef::Text(text) | ValueRef::Blob(text)) => CellRef::Text(text),
            Ok(ValueRef::Null) | Err(_) => CellRef::Null,
        }
    }

    fn take_text(&mut self, index: usize) -> Option<String> {
        cells::text(self.cell(index))
    }
}
