//! Sets up the log: its form, its destination, and its level, which can change at run time.
//!
//! Logs go to stderr, or natively to the journal where stderr is the journal. One event is one line, whatever a peer
//! wrote into a message ([`crate::ops::line`] escapes it).
//!
//! # What is never logged
//!
//! Secrets (client secrets, tokens, passwords, private keys: they are kept in `secrecy` types, which do not print), bodies of
//! requests and events, and anything that names or locates a person: e-mail, name, address, telephone, IP address, free
//! text of a shopper. An order is named by its entity id or number, an event by kind and document. Urls are logged without
//! user information and query. Libraries that might break this are limited to `warn`, see [`QUIET`].

use std::io::{self, IsTerminal};
use std::path::Path;

use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::config::{Log, LogFormat};
use crate::ops::journal::{self, Journal};
use crate::ops::line::{self, Style};
use crate::ops::recent::RecentLog;
use crate::ops::screen::Screen;
use crate::ops::stderr::Stderr;
use orderfeed_model::clock::Clock;

/// Filters for libraries that log too much at `info` and below, or that may log addresses and contents.
const QUIET: &str = "hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn,mysql_async=warn,\
                     config=warn,log=warn";

type Filtered = Layered<reload::Layer<EnvFilter, Registry>, Registry>;

/// Changes the level at run time, and holds the latest lines.
#[derive(Clone, Debug)]
pub struct LogHandle {
    recent: RecentLog,
    filter: reload::Handle<EnvFilter, Registry>,
}

/// The reason why the log cannot be set up, or its level cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The level is not a valid filter.
    #[error(
        "log.level {level:?} is not a filter: {cause}; expected a level such as \"info\" or \"info,orderfeed::delivery=debug\""
    )]
    BadLevel { level: String, cause: String },
    #[error(
        "log.format is \"journald\", but the journal cannot be reached: {0}; set it to \"auto\" or \"logfmt\""
    )]
    NoJournal(#[source] io::Error),
    #[error("logging was set up twice")]
    Twice,
}

impl LogHandle {
    /// Returns the latest lines; the copy follows the log.
    pub fn recent(&self) -> RecentLog {
        self.recent.clone()
    }

    /// Sets the level, in the form of `log.level`. If it is not valid, the old level stays.
    pub fn set_level(&self, level: &str) -> Result<(), LoggingError> {
        let filter = filter(level)?;
        self.filter.reload(filter).map_err(|_| LoggingError::Twice)
    }
}

/// Sets up the log of this process. May be called once.
pub fn init(log: &Log, clock: Clock) -> Result<LogHandle, LoggingError> {
    let (filter, handle) = reload::Layer::new(filter(&log.level)?);
    let output = output(choose(log.format, &Stderr::detect()), log.format, clock.clone())?;
    let recent = RecentLog::default();
    let registry = tracing_subscriber::registry()
        .with(filter)
        .with(output)
        .with(line::kept_layer(clock, recent.clone()));
    registry.try_init().map_err(|_| LoggingError::Twice)?;
    Ok(LogHandle {
        recent,
        filter: handle,
    })
}

/// The form of the log, and thereby its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Journal,
    Lines(Style),
}

fn choose(wanted: LogFormat, stderr: &Stderr) -> Form {
    let colour = stderr.allows_colour();
    match wanted {
        LogFormat::Journald => Form::Journal,
        LogFormat::Json => Form::Lines(Style::Json),
        LogFormat::Logfmt => Form::Lines(Style::Logfmt),
        LogFormat::Pretty => Form::Lines(Style::Pretty { colour }),
        LogFormat::Auto if stderr.is_journal() => Form::Journal,
        LogFormat::Auto if stderr.is_terminal() => Form::Lines(Style::Pretty { colour }),
        LogFormat::Auto => Form::Lines(Style::Logfmt),
    }
}

fn output(
    form: Form,
    wanted: LogFormat,
    clock: Clock,
) -> Result<Box<dyn Layer<Filtered> + Send + Sync>, LoggingError> {
    let style = match form {
        Form::Lines(style) => style,
        Form::Journal => match Journal::at(Path::new(journal::SOCKET)) {
            Ok(journal) => return Ok(Box::new(line::layer(Style::Journal, clock, journal))),
            Err(cause) if wanted == LogFormat::Journald => return Err(LoggingError::NoJournal(cause)),
            // `auto`: stderr ends in the journal as well.
            Err(_) => Style::Logfmt,
        },
    };
    // On a terminal, a progress bar may be at the bottom.
    Ok(match io::stderr().is_terminal() {
        true => Box::new(line::layer(style, clock, Screen)),
        false => Box::new(line::layer(style, clock, io::stderr)),
    })
}

fn filter(level: &str) -> Result<EnvFilter, LoggingError> {
    // The configured level comes last, so it can override the filters of libraries.
    EnvFilter::try_new(format!("{QUIET},{level}")).map_err(|cause| LoggingError::BadLevel {
        level: level.to_owned(),
        cause: cause.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::stderr::tests::{stderr, terminal};

    #[test]
    fn auto_chooses_the_journal_only_if_stderr_is_that_very_stream() {
        let auto = |stream| choose(LogFormat::Auto, &stderr(stream));
        assert_eq!(auto(Some("8:4711")), Form::Journal);
        assert_eq!(auto(Some("8:4712")), Form::Lines(Style::Logfmt));
        assert_eq!(auto(None), Form::Lines(Style::Logfmt));
    }

    #[test]
    fn a_terminal_gets_the_form_for_people_with_colour_unless_no_color_is_set() {
        let pretty = |colour| Form::Lines(Style::Pretty { colour });
        assert_eq!(choose(LogFormat::Auto, &terminal(false)), pretty(true));
        assert_eq!(choose(LogFormat::Auto, &terminal(true)), pretty(false));
        assert_eq!(choose(LogFormat::Pretty, &stderr(None)), pretty(false));
        assert_eq!(
            choose(LogFormat::Json, &terminal(false)),
            Form::Lines(Style::Json)
        );
    }

    #[test]
    fn a_level_may_name_modules_and_a_wrong_one_is_quoted() {
        filter("info").unwrap();
        filter("info,orderfeed::delivery=debug").unwrap();
        let refusal = filter("info,=,=x=").unwrap_err().to_string();
        assert!(refusal.contains("log.level \"info,=,=x=\""), "{refusal}");
    }
}
