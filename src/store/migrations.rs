//! The migrations: numbered, forward-only steps of the schema, each in a transaction of its own. `PRAGMA user_version`
//! counts them.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::error::StoreError;

/// Identifies a file of this program: "ofee" in ASCII.
const APPLICATION_ID: i64 = 0x6f66_6565;

const STEPS: [&str; 14] = [
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_first_sync.sql"),
    include_str!("migrations/0003_attempts.sql"),
    include_str!("migrations/0004_privacy.sql"),
    include_str!("migrations/0005_interrupted.sql"),
    include_str!("migrations/0006_asked_pause.sql"),
    include_str!("migrations/0007_withheld.sql"),
    include_str!("migrations/0008_guard.sql"),
    include_str!("migrations/0009_person.sql"),
    include_str!("migrations/0010_birth.sql"),
    include_str!("migrations/0011_starts.sql"),
    include_str!("migrations/0012_later.sql"),
    include_str!("migrations/0013_pause.sql"),
    include_str!("migrations/0014_traffic.sql"),
];

/// The schema version of this program.
pub const CURRENT: i64 = STEPS.len() as i64;

/// Migrates the schema to [`CURRENT`].
///
/// # Errors
/// `NewerSchema` for a file of a later version, `Foreign` for a database of another program.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found = check(connection, path)?;
    for (version, step) in (1..).zip(STEPS).skip(usize::try_from(found).unwrap_or_default()) {
        // One step at a time: a kill leaves a schema that the next start continues from.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Returns the schema version of the file, 0 for an empty one.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    // An empty file has no application id yet.
    if tables > 0 && application != APPLICATION_ID {
        return Err(StoreError::Foreign {
            path: path.to_owned(),
        });
    }
    if version > CURRENT {
        return Err(StoreError::NewerSchema {
            found: version,
            known: CURRENT,
        });
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_of_an_earlier_version_keeps_to_its_website() {
        let connection = Connection::open_in_memory().unwrap();
        let (earlier, later) = STEPS.split_at(12);
        earlier
            .iter()
            .for_each(|step| connection.execute_batch(step).unwrap());
        let stored = "INSERT INTO website VALUES (7, 'base'); INSERT INTO asked_pause VALUES (7, 1234)";
        connection.execute_batch(stored).unwrap();
        later
            .iter()
            .for_each(|step| connection.execute_batch(step).unwrap());
        let row = connection.query_row("SELECT scope, owner, until FROM pause", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?))
        });
        assert_eq!(row.unwrap(), ("website".to_owned(), "base".to_owned(), 1234));
    }
}
