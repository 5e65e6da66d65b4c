//! Checks the exit code of every error.

use std::path::PathBuf;

use anyhow::{Context, Error};

use super::*;

fn io(kind: io::ErrorKind) -> io::Error {
    io::Error::new(kind, "made up")
}

fn store(fault: Fault) -> Error {
    let cause = "made up".to_owned();
    StoreError::Failed { fault, cause }.into()
}

fn from_daemon(exit: u8) -> Error {
    let message = "made up".to_owned();
    ControlError::Failed { message, exit }.into()
}

#[test]
fn every_error_has_its_exit() {
    let path = || PathBuf::from("/x");
    let text = || "x".to_owned();
    let table: Vec<(Error, Exit)> = vec![
        (OutputError::from(io(io::ErrorKind::BrokenPipe)).into(), Exit::Ok),
        (
            OutputError::from(io(io::ErrorKind::StorageFull)).into(),
            Exit::IoErr,
        ),
        (anyhow::anyhow!("no"), Exit::Failed),
        (UsageError(text()).into(), Exit::Usage),
        (
            RequestError::UnknownJob {
                job: text(),
                known: text(),
            }
            .into(),
            Exit::Usage,
        ),
        (
            RequestError::UnknownWebsite {
                code: text(),
                known: text(),
            }
            .into(),
            Exit::Usage,
        ),
        (RequestError::UnknownOrder { number: text() }.into(), Exit::Usage),
        (RequestError::NeverStarted.into(), Exit::Unavailable),
        (RequestError::Locked { holder: text() }.into(), Exit::TempFail),
        (
            RequestError::ReindexLocked { holder: text() }.into(),
            Exit::TempFail,
        ),
        (ControlError::NoDaemon.into(), Exit::Unavailable),
        (ControlError::Lost.into(), Exit::Unavailable),
        (ControlError::NotPermitted { path: path() }.into(), Exit::NoPerm),
        (
            ControlError::PathTooLong {
                path: path(),
                length: 200,
                max: 100,
            }
            .into(),
            Exit::Config,
        ),
        (ControlError::Malformed { cause: text() }.into(), Exit::Software),
        (
            ControlError::Io {
                path: path(),
                cause: io(io::ErrorKind::Other),
            }
            .into(),
            Exit::IoErr,
        ),
        (store(Fault::DiskFull), Exit::IoErr),
        (store(Fault::Corrupt), Exit::IoErr),
        (store(Fault::Io), Exit::IoErr),
        (store(Fault::ReadOnly), Exit::NoPerm),
        (store(Fault::Busy), Exit::TempFail),
        (store(Fault::Other), Exit::Software),
        (
            StoreError::NewerSchema { found: 2, known: 1 }.into(),
            Exit::Config,
        ),
        (StoreError::Foreign { path: path() }.into(), Exit::Config),
        (
            StoreError::Path {
                path: path(),
                cause: text(),
            }
            .into(),
            Exit::Config,
        ),
        (StoreError::Missing { path: path() }.into(), Exit::Unavailable),
        (StoreError::Locked { holder: text() }.into(), Exit::TempFail),
        (StoreError::Invariant(text()).into(), Exit::Software),
        (StoreError::Closed.into(), Exit::Software),
        (
            SourceError::Unavailable { message: text() }.into(),
            Exit::Unavailable,
        ),
        (
            SourceError::Misconfigured {
                message: text(),
                remedy: text(),
            }
            .into(),
            Exit::Config,
        ),
        (
            SourceError::BadCursor {
                name: text(),
                value: text(),
            }
            .into(),
            Exit::Software,
        ),
        (ConfigErrors(vec![]).into(), Exit::Config),
        (LoggingError::Twice.into(), Exit::Config),
        (io(io::ErrorKind::PermissionDenied).into(), Exit::NoPerm),
        (io(io::ErrorKind::StorageFull).into(), Exit::IoErr),
    ];
    for (error, expected) in table {
        assert_eq!(Exit::of(&error), expected, "{error:?}");
    }
}

#[test]
fn what_wraps_another_error_ends_as_that_one() {
    let locked = || StoreError::Locked { holder: "x".into() };
    let data_space = StartError::OtherDataSpace {
        environment: "production",
        configured: "x".into(),
        stored: "y".into(),
    };
    let down = || SourceError::Unavailable { message: "x".into() };
    let aborted = DaemonError::Task {
        task: "x",
        cause: "x".into(),
    };
    let table: [(Error, Exit); 9] = [
        (
            DaemonError::Start(StartError::Store(locked())).into(),
            Exit::TempFail,
        ),
        (StartError::Store(locked()).into(), Exit::TempFail),
        (DaemonError::Start(data_space).into(), Exit::Config),
        (
            DaemonError::Control(ControlError::NoDaemon).into(),
            Exit::Unavailable,
        ),
        (DaemonError::StoreFatal("x".into()).into(), Exit::IoErr),
        (aborted.into(), Exit::Software),
        (DaemonError::Aborted.into(), Exit::Failed),
        (IndexError::Source(down()).into(), Exit::Unavailable),
        (IndexError::Busy("x".into()).into(), Exit::TempFail),
    ];
    for (error, expected) in table {
        assert_eq!(Exit::of(&error), expected, "{error:?}");
    }
}

#[test]
fn a_cause_below_added_context_decides() {
    let error = Err::<(), _>(StoreError::Locked { holder: "x".into() })
        .context("the store was needed")
        .context("nothing was done")
        .unwrap_err();
    assert_eq!(Exit::of(&error), Exit::TempFail);
}

#[test]
fn a_daemons_exit_becomes_the_commands() {
    for exit in Exit::ALL {
        assert_eq!(Exit::of(&from_daemon(exit.code())), exit);
    }
    assert_eq!(Exit::of(&from_daemon(200)), Exit::Failed);
}
