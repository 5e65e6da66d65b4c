//! The latest log lines, kept in memory for the web page of the log. Number and size are bounded; debug lines are left out,
//! because they would push out the lines that an operator needs.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use orderfeed_model::clock::UtcMillis;

const MOST_LINES: usize = 500;
/// Longest line that is kept, in bytes. Longer ones stay in the log itself.
const LONGEST_LINE: usize = 4096;

/// The lines, shared between the log and its readers.
#[derive(Clone, Debug, Default)]
pub struct RecentLog(Arc<Mutex<VecDeque<String>>>);

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentLine {
    pub at: UtcMillis,
    /// `error`, `warn` or `info`.
    pub level: String,
    /// Code of the catalogue in `docs/OPERATIONS.md`, if it has one.
    pub code: Option<String>,
    pub message: String,
    /// The other fields, by name.
    pub fields: Vec<(String, String)>,
}

impl RecentLog {
    /// Returns the lines, newest first.
    pub fn lines(&self) -> Vec<RecentLine> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().filter_map(|line| parse(line)).collect()
    }

    fn keep(&self, line: &[u8]) {
        let Ok(line) = str::from_utf8(line) else { return };
        if line.len() > LONGEST_LINE {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == MOST_LINES {
            kept.pop_front();
        }
        kept.push_back(line.to_owned());
    }
}

/// Parses a line in the JSON form of the log.
fn parse(line: &str) -> Option<RecentLine> {
    let Value::Object(mut fields) = serde_json::from_str(line).ok()? else {
        return None;
    };
    let mut take = |name: &str| fields.remove(name).map(text);
    let at = take("time")?;
    let (level, message, code) = (take("level")?, take("message")?, take("log_code"));
    take("target");
    Some(RecentLine {
        at: UtcMillis::parse_rfc3339(&at)?,
        level,
        code,
        message,
        fields: fields
            .into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect(),
    })
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Keeps what is written to it: one call is one line.
#[derive(Debug)]
pub struct Keeper(RecentLog);

impl io::Write for Keeper {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.keep(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for RecentLog {
    type Writer = Keeper;

    fn make_writer(&'a self) -> Keeper {
        Keeper(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::line;
    use orderfeed_model::clock::Clock;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn lines_keep_code_and_fields_and_the_oldest_are_dropped() {
        let log = RecentLog::default();
        let kept = line::kept_layer(Clock::manual(UtcMillis(1_000)), log.clone());
        let subscriber = tracing_subscriber::registry().with(kept);
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("sender", website = "base");
            let _entered = span.enter();
            for number in 0..MOST_LINES {
                tracing::info!(number, "a line");
            }
            tracing::debug!("is left out");
            tracing::warn!(log_code = "OF02-09", answer = "\"><script>\n", "The last line");
        });
        let lines = log.lines();
        assert_eq!(lines.len(), MOST_LINES);
        let fields = [("answer", "\"><script>\n"), ("website", "base")];
        let newest = RecentLine {
            at: UtcMillis(1_000),
            level: "warn".to_owned(),
            code: Some("OF02-09".to_owned()),
            message: "The last line".to_owned(),
            fields: fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        };
        assert_eq!(lines[0], newest);
        // The first line made room for the last one.
        assert_eq!(lines[MOST_LINES - 1].fields[0].1, "1");
    }
}
