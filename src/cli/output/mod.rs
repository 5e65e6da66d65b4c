//! The only module that prints: data to stdout, notices to stderr. Colour only on a terminal, unless `NO_COLOR` is set
//! (<https://no-color.org>). A closed stdout (`| head`) ends the command without an error.

pub mod address;
pub mod progress;
pub mod table;
pub mod watch;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::cli::output::address::{Addressee, addressed, addressed_json};
use crate::ops::sentence::sentence;
use crate::ops::stderr::Stderr;

#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The reader closed stdout, which is not a failure: the exit code is 0.
    #[error("stdout was closed by its reader")]
    Closed,
    /// For example a full disk behind a redirection.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    Colour,
    Plain,
}

impl Paint {
    /// Chooses for stdout: colour on a terminal, unless `NO_COLOR` is set.
    pub fn for_stdout() -> Self {
        // As no-color.org defines it: an empty value does not count.
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match io::stdout().is_terminal() && !unwanted {
            true => Self::Colour,
            false => Self::Plain,
        }
    }
}

pub fn data(text: &str) -> Result<(), OutputError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    // Otherwise a full disk would be noticed at exit, where nothing reports it.
    Ok(stdout.flush()?)
}

pub fn line(text: &str) -> Result<(), OutputError> {
    data(&format!("{text}\n"))
}

pub fn json(value: &impl Serialize) -> Result<(), OutputError> {
    data(&json_text(value)?)
}

/// Prints a result: as JSON for scripts, or as the text that `render` returns.
pub fn result<T: Serialize>(
    as_json: bool,
    value: &T,
    render: impl FnOnce() -> String,
) -> Result<(), OutputError> {
    result_for(None, as_json, value, render)
}

/// Prints a result as [`result`] does, with the commands in its messages addressed to a shop of several.
pub fn result_for<T: Serialize>(
    shop: Option<&Addressee>,
    as_json: bool,
    value: &T,
    render: impl FnOnce() -> String,
) -> Result<(), OutputError> {
    data(&match as_json {
        true => addressed_json(shop, json_text(value)?),
        false => addressed(shop, render()),
    })
}

fn json_text(value: &impl Serialize) -> Result<String, OutputError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| OutputError::Failed(error.into()))?;
    Ok(text + "\n")
}

/// Writes a line to stderr that is not part of the data. A failure to write is ignored.
pub fn notice(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes the text before an input to stderr, without a line break.
pub fn prompt(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// Returns true if a user can see a progress bar.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Reports why a command failed. In the journal the line has the priority of an error.
pub fn error(error: &anyhow::Error, shop: Option<&Addressee>) {
    let text = addressed(shop, format!("orderfeed: {}", sentence(error)));
    notice(&Stderr::detect().with_priority(&text));
}

/// Prints clap's message: help and version to stdout, errors to stderr.
pub fn clap(error: &clap::Error) -> Result<(), OutputError> {
    let stderr = Stderr::detect();
    if error.use_stderr() && stderr.is_journal() {
        notice(&stderr.with_priority(&error.to_string()));
        return Ok(());
    }
    // clap chooses the stream and the colours.
    Ok(error.print()?)
}
