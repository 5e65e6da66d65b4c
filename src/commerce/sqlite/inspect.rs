//! The schema of the embedded database, its triggers, and its identity.

use rusqlite::Connection;

use crate::commerce::changes::triggers::{ExistingTrigger, TriggerSet};
use crate::commerce::changes::watched::LOG;
use crate::commerce::fingerprint;
use crate::commerce::read::cells;
use crate::commerce::read::cells::SourceRow;
use crate::commerce::read::queries::Queries;
use crate::commerce::read::schema::Schema;
use crate::commerce::sqlite::rows::for_each;

pub(super) fn schema(connection: &Connection) -> rusqlite::Result<Schema> {
    let mut schema = Schema::default();
    let sql =
        "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'";
    for_each(connection, sql, None, |row| {
        if let (Some(table), Some(column)) = (cells::text(row.cell(0)), cells::text(row.cell(1))) {
            schema.add_column(&table, &column);
        }
    })?;
    Ok(schema)
}

/// Creates missing triggers and replaces altered ones, all or none.
pub(super) fn install(connection: &mut Connection, set: &TriggerSet) -> rusqlite::Result<()> {
    let report = set.compare(&existing_triggers(connection)?, true);
    // Nothing is written if nothing is missing: opening must not lock the shop.
    let log_exists = connection.table_exists(None, LOG)?;
    if log_exists && report.is_complete() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute_batch(&set.create_log())?;
    for trigger in set.triggers() {
        if report.missing.contains(&trigger.name) || report.altered.contains(&trigger.name) {
            transaction.execute_batch(&format!(
                "DROP TRIGGER IF EXISTS `{}`; {}",
                trigger.name, trigger.create
            ))?;
        }
    }
    transaction.commit()
}

/// Returns all triggers of the database.
pub(super) fn existing_triggers(connection: &Connection) -> rusqlite::Result<Vec<ExistingTrigger>> {
    let mut found = Vec::new();
    let sql = "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger'";
    for_each(connection, sql, None, |row| {
        let text = |index| cells::text(row.cell(index)).unwrap_or_default();
        found.push(ExistingTrigger {
            name: text(0),
            table: text(1),
            body: text(2),
        });
    })?;
    Ok(found)
}

/// Returns the oldest orders, as the fingerprint takes them.
pub(super) fn oldest(connection: &Connection, queries: &Queries) -> rusqlite::Result<Vec<String>> {
    let mut oldest = Vec::new();
    for_each(
        connection,
        &queries.oldest_orders(fingerprint::ANCHORS),
        None,
        |row| {
            let columns = (0..4).map(|index| cells::text(row.cell(index)).unwrap_or_default());
            oldest.push(columns.collect::<Vec<_>>().join("|"));
        },
    )?;
    Ok(oldest)
}
