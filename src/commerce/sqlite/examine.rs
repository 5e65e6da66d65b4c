//! The checks of `doctor` for an embedded store. They open it read-only: [`super::SqliteSource`] would install missing
//! triggers, which the checks must report.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

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
use crate::commerce::sqlite::capture::{newest_version, position};
use crate::commerce::sqlite::inspect::{existing_triggers, oldest, schema};
use crate::commerce::sqlite::rows::for_each;
use crate::commerce::sqlite::thread::{distrust, explain};

/// Checks everything that capture and reading need. Blocks.
pub fn examine(path: &Path, cursors: &Cursors) -> Result<Examination, SourceError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|cause| SourceError::Misconfigured {
            message: format!("the embedded store {} cannot be opened: {cause}", path.display()),
            remedy: "check source.sqlite.path".into(),
        })?;
    examine_open(&connection, cursors)
}

fn examine_open(connection: &Connection, cursors: &Cursors) -> Result<Examination, SourceError> {
    let failed = |cause| explain(&cause);
    distrust(connection).map_err(failed)?;
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
    if missing.iter().all(|missing| !missing.needed) {
        let queries = Queries::new(SqlDialect::Sqlite, "", &schema);
        examined.fingerprint = fingerprint::fingerprint(&oldest(connection, &queries).map_err(failed)?);
        let sql = "SELECT `code` FROM `store_website` WHERE `code` <> 'admin' ORDER BY `code`";
        for_each(connection, sql, None, |row| {
            examined.websites.extend(cells::text(row.cell(0)));
        })
        .map_err(failed)?;
    }
    examined.missing = missing;
    let report = set.compare(
        &existing_triggers(connection).map_err(failed)?,
        schema.has_table(LOG),
    );
    examined.triggers = Some(TriggerState::Ours(report));
    if cursors.0.contains_key(LOG) {
        let newest = newest_version(connection).map_err(failed)?;
        examined.positions = vec![TablePosition::by_key(LOG, position(cursors)?, newest)];
    }
    Ok(examined)
}
