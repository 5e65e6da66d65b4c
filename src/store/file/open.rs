//! Opening of the database: permissions, pragmas, schema, and consistency.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::store::Reader;
use crate::store::error::StoreError;
use crate::store::file::damage;
use crate::store::file::lock::claim;
use crate::store::file::owner::{create_private_dir, open_private};
use crate::store::migrations;
use crate::store::views::VIEW_ID;

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest size of the WAL file after a checkpoint, in bytes.
const WAL_LIMIT: i64 = 64 << 20;
/// Page caches; negative numbers are KiB. Larger ones are not faster: the writer accesses feed and events in the order of
/// their ids, and the readers read each batch once.
const WRITER_CACHE: i64 = -8_000;
const READER_CACHE: i64 = -2_000;

/// Opens the database for writing. Its file is locked as long as the returned one is open, which must be longer than the
/// connection: closing it would release SQLite's own locks.
pub(crate) fn writable(path: &Path) -> Result<(Connection, File), StoreError> {
    let file = prepare_files(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    distrust(&connection)?;
    // Checked before anything is changed: it may be a file of another program.
    migrations::check(&connection, path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", WAL_LIMIT)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", WRITER_CACHE)?;
    // Deleted content is overwritten, so that no erased or expired body stays in a free page.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.set_prepared_statement_cache_capacity(128);
    keep_plans(&connection)?;
    migrations::migrate(&mut connection, path)?;
    check_consistency(&connection, path)?;
    Ok((connection, file))
}

pub(crate) fn read_only(path: &Path) -> Result<Connection, StoreError> {
    let connection = read_only_any_schema(path)?;
    let found = migrations::check(&connection, path)?;
    if found < migrations::CURRENT {
        return Err(StoreError::OlderSchema {
            found,
            known: migrations::CURRENT,
        });
    }
    Ok(connection)
}

/// Treats the file as untrusted: its schema may run no function with side effects, and no statement may change the
/// schema or the file other than by SQL.
pub(crate) fn distrust(connection: &Connection) -> Result<(), StoreError> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    Ok(())
}

/// Makes query plans independent of bound values (SQLite's "query planner stability guarantee"). Otherwise a statement on
/// a table with a partial index is compiled again whenever it is bound: a fifth of the work of a first sync.
fn keep_plans(connection: &Connection) -> Result<(), StoreError> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Opens a store read-only, even if an earlier version of this program wrote it.
pub(crate) fn read_only_any_schema(path: &Path) -> Result<Connection, StoreError> {
    // In a directory that may not be entered, a file only seems to be missing: that is another error.
    match fs::metadata(path) {
        Ok(found) if found.is_file() => {}
        // Opening a pipe would wait for its other end.
        Ok(_) => {
            return Err(StoreError::path(
                path,
                &io::Error::other("it is not a regular file"),
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::Missing {
                path: path.to_owned(),
            });
        }
        Err(cause) => return Err(StoreError::path(path, &cause)),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    distrust(&connection)?;
    connection.pragma_update(None, "cache_size", READER_CACHE)?;
    connection.set_prepared_statement_cache_capacity(64);
    keep_plans(&connection)?;
    migrations::check(&connection, path)?;
    Ok(connection)
}

/// Truncates the WAL on a connection of its own, in parallel with the writer. Returns false if readers prevented it.
pub(crate) fn truncate_wal(path: &Path) -> Result<bool, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    distrust(&connection)?;
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}

/// Creates missing files with the narrowest permissions. Wider permissions of an existing file are the operator's choice,
/// and only logged. Returns the locked database.
fn prepare_files(path: &Path) -> Result<File, StoreError> {
    create_private_dir(path)?;
    let failed = |cause| StoreError::path(path, &cause);
    let file = open_private(path).map_err(failed)?;
    claim(&file, path)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(
            log_code = "OF04-01",
            path = %path.display(),
            mode = format!("{:o}", mode & 0o777),
            "The store can be read by others than its owner; chmod 600 it",
        );
    }
    Ok(file)
}

/// Checks for damage, and that the view is not ahead of the changelog (I8): both would make the daemon skip changes
/// without notice.
fn check_consistency(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    if damage::is_small(path) {
        damage::damage(connection)?;
    }
    let reader = Reader { connection };
    let (version, head) = (reader.view_version()?, reader.changelog_head()?);
    if version > head {
        return Err(StoreError::Invariant(format!(
            "{VIEW_ID} is indexed up to version {version}, but its changelog ends at {head}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Durability, testing};

    #[tokio::test]
    async fn a_view_ahead_of_its_changelog_is_refused() {
        let (dir, store) = testing::fresh();
        store
            .write(Durability::Durable, |w| w.force_view_version_for_test(7))
            .await
            .unwrap();
        drop(store);
        let refused = writable(&dir.path().join("orderfeed.db"))
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("indexed up to version 7, but its changelog ends at 0"),
            "{refused}"
        );
    }

    #[test]
    fn new_files_and_directories_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/down/orderfeed.db");
        writable(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[test]
    fn only_a_writer_migrates_an_older_schema() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("older.db");
        fs::write(&path, "").unwrap();
        assert!(matches!(
            read_only(&path),
            Err(StoreError::OlderSchema { found: 0, .. })
        ));
        writable(&path).unwrap();
        read_only(&path).unwrap();
    }

    #[test]
    fn a_newer_schema_and_a_foreign_database_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let newer = dir.path().join("newer.db");
        writable(&newer)
            .unwrap()
            .0
            .pragma_update(None, "user_version", 99)
            .unwrap();
        assert!(matches!(
            writable(&newer),
            Err(StoreError::NewerSchema { found: 99, .. })
        ));
        let foreign = dir.path().join("foreign.db");
        Connection::open(&foreign)
            .unwrap()
            .execute_batch("CREATE TABLE t (a)")
            .unwrap();
        assert!(matches!(writable(&foreign), Err(StoreError::Foreign { .. })));
        let text = dir.path().join("text.db");
        fs::write(&text, "this is not a database, it only has its name ".repeat(40)).unwrap();
        let refused = writable(&text).unwrap_err();
        assert!(refused.is_fatal(), "{refused}");
    }

    #[test]
    fn a_manipulated_file_runs_no_function_and_its_schema_cannot_be_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orderfeed.db");
        let (connection, file) = writable(&path).unwrap();
        let view = "CREATE VIEW trap AS SELECT fts3_tokenizer('simple')";
        connection.execute_batch(view).unwrap();
        let reader = read_only(&path).unwrap();
        for connection in [&connection, &reader] {
            let trap = connection.query_row("SELECT * FROM trap", [], |_| Ok(()));
            let refused = trap.unwrap_err().to_string();
            assert!(refused.contains("unsafe use of fts3_tokenizer"), "{refused}");
        }
        let overwrite = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = '' WHERE name = 'trap'";
        let refused = connection.execute_batch(overwrite).unwrap_err().to_string();
        assert!(refused.contains("may not be modified"), "{refused}");
        drop((connection, file));
    }

    #[test]
    fn statements_beside_partial_indexes_are_compiled_once() {
        let dir = tempfile::tempdir().unwrap();
        let (connection, _file) = writable(&dir.path().join("orderfeed.db")).unwrap();
        let sql = "SELECT id FROM outbox_batch WHERE website_id = ?1 AND class = ?2 AND state = 0";
        let mut statement = connection.prepare(sql).unwrap();
        for website in 1..9 {
            assert!(!statement.exists([website, 0]).unwrap());
        }
        assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
    }

    #[test]
    fn damage_in_a_large_store_is_found_in_the_background() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orderfeed.db");
        let (connection, file) = writable(&path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE ballast (a); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000)
                 INSERT INTO ballast SELECT zeroblob(8000) FROM n; PRAGMA wal_checkpoint(TRUNCATE)",
            )
            .unwrap();
        drop((connection, file));
        assert!(!damage::is_small(&path));
        // The last pages are ballast, which no other statement reads.
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let end = file.metadata().unwrap().len();
        std::os::unix::fs::FileExt::write_all_at(&file, &[0x5a; 65_536], end - 65_536).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = crate::store::Store::open(&path).unwrap();
        let mut fatal = store.fatal();
        runtime.block_on(fatal.changed()).unwrap();
        assert!(fatal.borrow().as_deref().unwrap().contains("restore a backup"));
    }
}
