//! Messages about a configuration: where a value was written, what is wrong with it, and what would be right.
//!
//! No message holds a secret: values of secret keys, of unknown keys and of URLs that cannot be parsed are never quoted.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The place where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The defaults that are compiled in.
    Defaults,
    /// A file; the line counts from 1.
    Line(Arc<Path>, usize),
    /// A file as a whole, where no line can be named: a missing key, or the file's permissions.
    File(Arc<Path>),
    /// An environment variable, by name.
    Env(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults => f.write_str("defaults"),
            Self::Line(path, line) => write!(f, "{}:{line}", path.display()),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Env(name) => write!(f, "env {name}"),
        }
    }
}

/// One problem or warning: place, key, and a message that names the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The place of the offending value, or where the missing one belongs.
    pub place: Origin,
    /// The dotted key, such as `websites.base.datastream_id`; empty where a file as a whole is meant.
    pub key: String,
    pub message: String,
}

impl ConfigProblem {
    /// Creates a problem of a file as a whole, not of one key.
    pub(crate) fn without_key(place: Origin, message: impl Into<String>) -> Self {
        let (key, message) = (String::new(), message.into());
        Self { place, key, message }
    }

    /// Returns true if the problem is that the required secret was not found.
    #[must_use]
    pub fn is_missing_secret(&self) -> bool {
        self.key == CLIENT_SECRET && self.message.starts_with(NOT_SET)
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.is_empty() {
            true => write!(f, "{}: {}", self.place, self.message),
            false => write!(f, "{}: {}: {}", self.place, self.key, self.message),
        }
    }
}

/// The maximum number of lines that [`ConfigErrors`] prints; the last may be the number of further problems.
const SHOWN_LINES: usize = 12;

/// Everything that is wrong with a configuration, in the order of the files. The exit code is 78.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigProblem>);

/// The only secret that can be required.
pub(crate) const CLIENT_SECRET: &str = "edge.oauth.client_secret";
/// The start of the message about a required key that has no value.
pub(crate) const NOT_SET: &str = "is not set";
/// The first key that an operator sets. While it is missing and nothing else is wrong, the file was never edited.
const FIRST_KEY: &str = "services_connector.organization_id";

impl ConfigErrors {
    /// Reduces the errors of a configuration that was never edited, such as a package's after its installation, to one
    /// sentence: a list of all missing keys would hide the cause. Any other errors stay as they are.
    #[must_use]
    pub fn in_short(self) -> Self {
        let Some(first) = self.0.iter().find(|problem| problem.key == FIRST_KEY) else {
            return self;
        };
        // Any other error means that an operator has edited the file.
        if !self.0.iter().all(|problem| problem.message.starts_with(NOT_SET)) {
            return self;
        }
        let keys: Vec<&str> = self.0.iter().map(|problem| problem.key.as_str()).collect();
        let place = match &first.place {
            // The sentence is about the whole file, not about the line of one table.
            Origin::Line(path, _) => Origin::File(Arc::clone(path)),
            other => other.clone(),
        };
        let message = format!(
            "orderfeed is not configured yet; set {} here or in conf.d beside it (`orderfeed config check` explains each), \
             then start it again",
            keys.join(", ")
        );
        Self(vec![ConfigProblem::without_key(place, message)])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match self.0.len() {
            // Twelve lines as they are; of more, eleven and the number of the rest.
            all if all <= SHOWN_LINES => all,
            _ => SHOWN_LINES - 1,
        };
        for (index, problem) in self.0[..shown].iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{problem}")?;
        }
        match self.0.len() - shown {
            0 => Ok(()),
            more => write!(f, "\n… and {more} more"),
        }
    }
}

impl std::error::Error for ConfigErrors {}

/// Returns a value as messages show it: quoted, escaped, and cut where it is long.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Returns the candidate that `wrong` most likely stands for, if one is similar enough to suggest.
pub(crate) fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR: f64 = 0.82;
    let wrong = wrong.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&wrong, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(count: usize) -> ConfigErrors {
        let problem = ConfigProblem {
            place: Origin::Env("X".into()),
            key: "log.level".into(),
            message: "is wrong".into(),
        };
        ConfigErrors(vec![problem; count])
    }

    #[test]
    fn at_most_a_dozen_lines_are_shown() {
        assert_eq!(problems(12).to_string().lines().count(), 12);
        let many = problems(13).to_string();
        assert_eq!(many.lines().count(), 12);
        assert!(many.ends_with("… and 2 more"), "{many}");
        assert_eq!(problems(1).to_string(), "env X: log.level: is wrong");
    }

    #[test]
    fn a_file_that_was_never_edited_is_one_error() {
        let missing = |key: &str, message: &str| ConfigProblem {
            place: Origin::Line(Path::new("/a.toml").into(), 3),
            key: key.into(),
            message: message.into(),
        };
        let none = ConfigErrors(vec![
            missing(FIRST_KEY, "is not set; expected one"),
            missing("websites", "is not set; expected a table"),
        ]);
        let text = none.in_short().to_string();
        assert!(
            text.starts_with("/a.toml: orderfeed is not configured yet; set services"),
            "{text}"
        );
        assert!(
            text.contains("organization_id, websites here") && text.lines().count() == 1,
            "{text}"
        );
        let begun = ConfigErrors(vec![missing("websites", "is not set; expected a table")]);
        assert_eq!(begun.clone().in_short(), begun);
        let wrong = ConfigErrors(vec![
            missing(FIRST_KEY, "is not set"),
            missing("log.level", "is wrong"),
        ]);
        assert_eq!(wrong.clone().in_short(), wrong);
    }

    #[test]
    fn a_long_or_hostile_value_is_cut_and_escaped() {
        assert_eq!(quoted("a\n\u{1b}b"), "\"a\\n\\u{1b}b\"");
        assert_eq!(quoted(&"é".repeat(100)).chars().count(), 63);
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        assert_eq!(
            nearest("max_batch_byte", ["max_batch_bytes", "lanes"]),
            Some("max_batch_bytes")
        );
        assert_eq!(nearest("colour", ["max_batch_bytes", "lanes"]), None);
    }
}
