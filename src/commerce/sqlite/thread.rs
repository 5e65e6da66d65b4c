//! A thread that talks to the embedded database, so that no caller's task ever waits for a disk. There are two: a live
//! change must not wait behind a page of history.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use crate::commerce::source::SourceError;

/// Statements that stay prepared: two a table, for a list of ids and for a range, and a few more.
const STATEMENTS: usize = 64;

type ConnectionTask = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle to the thread. When the last one goes, the thread finishes what it was given and ends.
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
            // Nobody listens any more if the caller gave up, and then the result does not matter.
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
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|cause| SourceError::Misconfigured {
            message: format!("the embedded store {} cannot be opened: {cause}", path.display()),
            remedy: "check source.sqlite.path; `orderfeed demo` makes such a store".into(),
        })?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The shop writes while we read.
    connection
        .busy_timeout(Duration::from_secs(5))
        .map_err(|cause| explain(&cause))?;
    Ok(connection)
}

/// A driver's error as ours.
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
            remedy: "the account that the program runs as must be able to write the file and its directory"
                .into(),
        },
        _ => SourceError::Unavailable { message },
    }
}
