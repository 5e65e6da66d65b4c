//! What is said about a configuration: where a value came from, what is wrong with it, and what would be right.
//! No message holds a secret: values of secret keys, of unknown keys and of unreadable urls are never quoted.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The defaults that are compiled in.
    Defaults,
    /// A file; the line counts from 1.
    Line(Arc<Path>, usize),
    /// A file as a whole, where there is no line to name: a missing key, or the file's permissions.
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

/// One thing that is wrong: place, key, and a message that names the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the offending value is, or where the missing one belongs.
    pub place: Origin,
    /// The dotted key, such as `websites.base.datastream_id`; empty where a file as a whole is meant.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    /// Whether all that is wrong is that a required secret was found nowhere.
    #[must_use]
    pub fn is_missing_secret(&self) -> bool {
        self.key == CLIENT_SECRET && self.message.starts_with(NOT_SET)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.is_empty() {
            true => write!(f, "{}: {}", self.place, self.message),
            false => write!(f, "{}: {}: {}", self.place, self.key, self.message),
        }
    }
}

/// Something an operator should know that does not stop a start. Same form as a [`Problem`].
pub type Warning = Problem;

/// Most lines that [`ConfigErrors`] prints, the last of which may say how many more there are.
const SHOWN_LINES: usize = 12;

/// Everything that is wrong with a configuration, in the order of the files. The exit code is 78.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<Problem>);

/// The only secret that is ever required.
pub(crate) const CLIENT_SECRET: &str = "edge.oauth.client_secret";
/// How the message about a required key begins that has no value.
pub(crate) const NOT_SET: &str = "is not set";
/// The first key that anybody sets. While it is missing, and nothing else is wrong, nobody has begun.
const FIRST_KEY: &str = "services_connector.organization_id";

impl ConfigErrors {
    /// One sentence for a configuration that nobody has begun to fill in, such as a package's after its installation: a
    /// list of everything that could be said about it would hide that. Anything else stays as it is.
    #[must_use]
    pub fn in_short(self) -> Self {
        let Some(first) = self.0.iter().find(|problem| problem.key == FIRST_KEY) else {
            return self;
        };
        if !self.0.iter().all(|problem| problem.message.starts_with(NOT_SET)) {
            return self;
        }
        let keys: Vec<&str> = self.0.iter().map(|problem| problem.key.as_str()).collect();
        let place = match &first.place {
            Origin::Line(path, _) => Origin::File(Arc::clone(path)),
            other => other.clone(),
        };
        let message = format!(
            "orderfeed is not configured yet; set {} here or in conf.d beside it (`orderfeed config check` explains each), \
             then start it again",
            keys.join(", ")
        );
        Self(vec![Problem {
            place,
            key: String::new(),
            message,
        }])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = match self.0.len() {
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

/// A value as it stands in a message: quoted, escaped, and cut where it is long.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The candidate that `wrong` was most likely meant to be, if one is near enough to be worth suggesting.
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
        let problem = Problem {
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
    fn who_has_not_begun_is_told_in_one_sentence() {
        let missing = |key: &str, message: &str| Problem {
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
