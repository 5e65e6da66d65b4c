//! A thread that owns a connection to the embedded database, so that no task of a caller waits for a disk. There are two:
//! a live change must not wait behind a page of history.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use crate::commerce::source::SourceError;

/// Number of statements that stay prepared: two per table, for a list of ids and for a range, and a few more.
const STATEMENTS: usize = 64;

type ConnectionTask = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle to the thread. When it is dropped, the thread finishes its tasks and ends.
#[derive(Debug)]
pub(super) struct SqliteThread {
    jobs: mpsc::Sender<ConnectionTask>,
}

impl SqliteThread {
    /// Opens the database and starts the thread.
    pub(super) fn start(path: &Path) -> Result<Self, SourceError> {
        let connection = open(path)?;
        let (jobs, queue) = mpsc::channel::<ConnectionTask>();
        let work = move || {
            let mut connection = connection;
            // Ends when the last handle is dropped.
            while let Ok(job) = queue.recv() {
                job(&mut connection);
            }
        };
        let started = std::thread::Builder::new()
            .name("commerce-sqlite".into())
            .spawn(work);
        started.map_err(|cause| SourceError::Unavailable {
            message: format!("the embedded store's thread cannot be started: {cause}"),
        })?;
        Ok(Self { jobs })
    }

    /// Runs `work` on the thread and waits for its result.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SourceError> {
        let (reply, answer) = oneshot::channel();
        let job: ConnectionTask = Box::new(move |connection| {
            // Fails if the caller was dropped, and then the result does not matter.
            let _ = reply.send(work(connection));
        });
        let gone = || SourceError::Unavailable {
            message: "the embedded store's thread has ended".into(),
        };
        self.jobs.send(job).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(|cause| explain(&cause))
    }
}

/// Opens a database that exists.
pub(super) fn open(path: &Path) -> Result<Connection, SourceError> {
    // Without SQLITE_OPEN_CREATE: a wrong path must not become an empty database.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|cause| SourceError::Misconfigured {
            message: format!("the embedded store {} cannot be opened: {cause}", path.display()),
            remedy: "check source.sqlite.path; `orderfeed demo` makes such a store".into(),
        })?;
    distrust(&connection).map_err(|cause| explain(&cause))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The shop writes at the same time.
    connection
        .busy_timeout(Duration::from_secs(5))
        .map_err(|cause| explain(&cause))?;
    Ok(connection)
}

/// Treats the file as untrusted: its schema may run no function with side effects.
pub(super) fn distrust(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    Ok(())
}

/// Translates an error of the driver.
pub(super) fn explain(error: &rusqlite::Error) -> SourceError {
    use rusqlite::ErrorCode;
    let message = format!("the embedded store: {error}");
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => SourceError::Misconfigured {
            message,
            remedy: "check source.sqlite.path: it is no SQLite database, or a damaged one".into(),
        },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => SourceError::Misconfigured {
            message,
            remedy: "let the account that orderfeed runs as write the file and its directory".into(),
        },
        _ => SourceError::Unavailable { message },
    }
}
