//! Inspection of a database: its tables and columns, its server, its clock.

use crate::commerce::fingerprint;
use crate::commerce::mysql::session::MysqlSession;
use crate::commerce::read::cells;
use crate::commerce::read::cells::SourceRow;
use crate::commerce::read::queries::{Queries, SqlDialect};
use crate::commerce::read::schema::Schema;
use crate::commerce::source::{SourceError, SourceInfo};
use crate::config::MysqlConfig;
use orderfeed_model::clock::UtcMillis;

/// A database's schema and the statements that fit it.
#[derive(Debug)]
pub(crate) struct Inspected {
    /// Tables and columns; names without prefix.
    pub(crate) schema: Schema,
    pub(crate) queries: Queries,
}

/// Reads the schema. A core table that is not visible is an error, which distinguishes a missing table from a missing grant.
pub(crate) async fn inspect(
    session: &mut MysqlSession<'_>,
    settings: &MysqlConfig,
) -> Result<Inspected, SourceError> {
    let prefix = settings.table_prefix.as_str();
    let schema = visible(session, settings).await?;
    // The catalogue hides what the account may not read, so a statement has to find out which it is.
    for table in schema.missing_core() {
        // Fails with 1142 (no grant) or 1146 (no table), and the table's name.
        session
            .execute(&format!("SELECT 1 FROM `{prefix}{table}` LIMIT 0"))
            .await?;
    }
    let queries = Queries::new(SqlDialect::Mysql, prefix, &schema);
    Ok(Inspected { schema, queries })
}

/// Returns the tables, columns and indexes that the account can see.
pub(crate) async fn visible(
    session: &mut MysqlSession<'_>,
    settings: &MysqlConfig,
) -> Result<Schema, SourceError> {
    let prefix = settings.table_prefix.as_str();
    let mut schema = Schema::default();
    // `_` is a wildcard to LIKE, so the prefix is compared by its length.
    let of_ours = format!(
        "TABLE_SCHEMA = DATABASE() AND LEFT(TABLE_NAME, {}) = '{prefix}'",
        prefix.len()
    );
    let sql = format!(
        "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE {of_ours} AND ({INTERESTING})"
    );
    session
        .rows(&sql, |row| {
            with_names(&row, prefix, |table, column| schema.add_column(table, column))
        })
        .await?;
    // The shortest index on a column last, and the primary key before others. One that the server ignores cannot be forced;
    // each server has a name of its own for that, and reads only its own comment.
    let sql = format!(
        "SELECT TABLE_NAME, MAX(CASE WHEN SEQ_IN_INDEX = 1 THEN COLUMN_NAME END), INDEX_NAME \
         FROM information_schema.STATISTICS WHERE {of_ours} AND ({INTERESTING}) AND INDEX_TYPE = 'BTREE' \
         AND SUB_PART IS NULL /*!80000 AND IS_VISIBLE = 'YES' */ /*M!100600 AND IGNORED = 'NO' */ \
         GROUP BY TABLE_NAME, INDEX_NAME ORDER BY COUNT(*) DESC, INDEX_NAME = 'PRIMARY', INDEX_NAME DESC"
    );
    session
        .rows(&sql, |row| {
            let index = cells::text(row.cell(2)).unwrap_or_default();
            with_names(&row, prefix, |table, column| {
                schema.add_index(table, column, &index)
            })
        })
        .await?;
    Ok(schema)
}

/// Limits the rows read from a catalogue that may hold thousands of tables.
const INTERESTING: &str = "TABLE_NAME LIKE '%sales\\_%' OR TABLE_NAME LIKE '%magento\\_rma%' OR TABLE_NAME LIKE '%eav\\_attribute%' \
     OR TABLE_NAME LIKE '%store%' OR TABLE_NAME LIKE '%orderfeed\\_log'";

/// Reads server, clock and fingerprint, and returns them with the notes on the schema.
pub(crate) async fn identify(
    session: &mut MysqlSession<'_>,
    inspected: &Inspected,
) -> Result<SourceInfo, SourceError> {
    let mut info = SourceInfo {
        notes: inspected.schema.notes(),
        ..SourceInfo::default()
    };
    let (product, now) = server_and_time(session).await?;
    info.product = product;
    info.database_time = now.unwrap_or_default();
    let mut oldest = Vec::new();
    session
        .rows(&inspected.queries.oldest_orders(fingerprint::ANCHORS), |row| {
            let columns = (0..4).map(|index| cells::text(row.cell(index)).unwrap_or_default());
            oldest.push(columns.collect::<Vec<_>>().join("|"));
        })
        .await?;
    info.fingerprint = fingerprint::fingerprint(&oldest);
    Ok(info)
}

/// Returns the server's product with its version, and its clock.
pub(crate) async fn server_and_time(
    session: &mut MysqlSession<'_>,
) -> Result<(String, Option<UtcMillis>), SourceError> {
    let mut found = (String::new(), None);
    session
        .rows("SELECT VERSION(), UTC_TIMESTAMP()", |row| {
            let now = cells::seconds(row.cell(1)).map(UtcMillis::from_secs);
            found = (product(&cells::text(row.cell(0)).unwrap_or_default()), now);
        })
        .await?;
    Ok(found)
}

/// Shortens a version: `10.11.6-MariaDB-0+deb12u1` → `MariaDB 10.11.6`; `8.0.36` → `MySQL 8.0.36`.
fn product(version: &str) -> String {
    let number = version.split('-').next().unwrap_or_default();
    let name = if version.to_lowercase().contains("mariadb") {
        "MariaDB"
    } else {
        "MySQL"
    };
    format!("{name} {number}")
}

fn with_names(row: &impl SourceRow, prefix: &str, mut add: impl FnMut(&str, &str)) {
    if let (Some(table), Some(column)) = (cells::text(row.cell(0)), cells::text(row.cell(1))) {
        add(table.get(prefix.len()..).unwrap_or_default(), &column);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_names_its_server() {
        assert_eq!(product("10.11.6-MariaDB-0+deb12u1"), "MariaDB 10.11.6");
        assert_eq!(product("8.0.36"), "MySQL 8.0.36");
    }
}
