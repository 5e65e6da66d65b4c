//! The thorough look of `doctor` at an embedded store. Opens it for reading alone: [`super::SqliteSource`] would put
//! missing triggers in place, and the finding with them.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::commerce::changes::triggers::TriggerSet;
use crate::commerce::changes::watched::LOG;
use crate::commerce::examination::{
    Examination, MissingKind, MissingObject, TablePosition, TriggerState, missing_columns, tables,
};
use crate::commerce::fingerprint;
use crate::commerce::read::cells;
use crate::commerce::read::cells::SourceRow;
use crate::commerce::read::queries::{Queries, SqlDialect};
use crate::commerce::source::{Cursors, SourceError};
use crate::commerce::sqlite::thread::explain;
use crate::commerce::sqlite::{for_each, found, oldest, position, schema};

/// Looks at everything that capture and reading need. Blocks.
///
/// # Errors
/// If there is no such database, or it cannot be read.
pub fn examine(path: &Path, cursors: &Cursors) -> Result<Examination, SourceError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|cause| SourceError::Misconfigured {
            message: format!("the embedded store {} cannot be opened: {cause}", path.display()),
            remedy: "check source.sqlite.path".into(),
        })?;
    look(&connection, cursors)
}

fn look(connection: &Connection, cursors: &Cursors) -> Result<Examination, SourceError> {
    let failed = |cause| explain(&cause);
    connection
        .busy_timeout(std::time::Duration::from_secs(5))
        .map_err(failed)?;
    let schema = schema(connection).map_err(failed)?;
    let set = TriggerSet::new(SqlDialect::Sqlite, "", &schema);
    let absent = |(table, effect): (&'static str, Option<&'static str>)| MissingObject {
        table: table.to_owned(),
        what: MissingKind::Table,
        needed: effect.is_none(),
        effect,
        grant: None,
    };
    let tables = tables().into_iter().filter(|(table, _)| !schema.has_table(table));
    let mut missing: Vec<MissingObject> = tables.map(absent).collect();
    missing.extend(missing_columns(&schema, ""));
    let mut examined = Examination {
        product: format!("SQLite {}", rusqlite::version()),
        ..Examination::default()
    };
    if missing.iter().all(|lack| !lack.needed) {
        let queries = Queries::new(SqlDialect::Sqlite, "", &schema);
        examined.fingerprint = fingerprint::fingerprint(&oldest(connection, &queries).map_err(failed)?);
        let sql = "SELECT `code` FROM `store_website` WHERE `code` <> 'admin' ORDER BY `code`";
        for_each(connection, sql, None, |row| {
            examined.websites.extend(cells::text(row.cell(0)));
        })
        .map_err(failed)?;
    }
    examined.missing = missing;
    let report = set.compare(&found(connection).map_err(failed)?, schema.has_table(LOG));
    examined.triggers = Some(TriggerState::Ours(report));
    if cursors.0.contains_key(LOG) {
        let newest = newest(connection).map_err(failed)?;
        examined.positions = vec![TablePosition::by_key(LOG, position(cursors)?, newest)];
    }
    Ok(examined)
}

/// The highest number that the log ever gave: its rows go away once they are read.
fn newest(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
    let newest = connection.query_row(sql, [LOG], |row| row.get(0)).optional()?;
    Ok(newest.unwrap_or_default())
}
