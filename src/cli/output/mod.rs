//! The only module that prints: data to stdout, talk to stderr. Colour only where a person looks and did not ask for
//! none (<https://no-color.org>). A reader that has gone away (`| head`) ends the command quietly.

pub mod progress;
pub mod table;
pub mod watch;

use std::io::{self, IsTerminal, Write};

use crate::ops::sentence::sentence;
use crate::ops::stderr::Stderr;

/// Why nothing more can be printed.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The reader of stdout went away. Not a failure.
    #[error("the reader of the output went away")]
    Closed,
    /// Stdout cannot be written, such as a full disk behind a redirection.
    #[error("the output cannot be written: {0}")]
    Failed(#[source] io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Failed(error),
        }
    }
}

/// Whether text may carry colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// A terminal, and NO_COLOR is not set.
    Colour,
    /// A pipe, a file, or NO_COLOR.
    Plain,
}

impl Paint {
    /// What stdout may carry.
    pub fn for_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match io::stdout().is_terminal() && !unwanted {
            true => Self::Colour,
            false => Self::Plain,
        }
    }
}

/// Prints data, exactly as it stands.
///
/// # Errors
/// If stdout is closed or cannot be written.
pub fn data(text: &str) -> Result<(), OutputError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Prints a line of data.
///
/// # Errors
/// As [`data`].
pub fn line(text: &str) -> Result<(), OutputError> {
    data(&format!("{text}\n"))
}

/// Prints a value as JSON, indented, for scripts.
///
/// # Errors
/// As [`data`].
pub fn json(value: &impl serde::Serialize) -> Result<(), OutputError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| OutputError::Failed(error.into()))?;
    line(&text)
}

/// Tells the operator something beside the data. Lost if nobody listens.
pub fn talk(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Replaces the current line of the terminal: for a bar of progress.
pub fn redraw(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "\r\u{1b}[K{text}");
    let _ = stderr.flush();
}

/// Whether [`talk`] reaches a person.
pub fn talks_to_a_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Says why a command failed; an error also to the journal, if that is where stderr goes.
pub fn failure(error: &anyhow::Error) {
    talk(&Stderr::detect().with_priority(&format!("orderfeed: {}", sentence(error))));
}

/// Prints what clap has to say: help and version to stdout, complaints to stderr.
///
/// # Errors
/// As [`data`].
pub fn clap(error: &clap::Error) -> Result<(), OutputError> {
    let stderr = Stderr::detect();
    if error.use_stderr() && stderr.is_journal() {
        talk(&stderr.with_priority(&error.to_string()));
        return Ok(());
    }
    Ok(error.print()?)
}
