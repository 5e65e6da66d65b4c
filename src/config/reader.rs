//! Access to the merged settings while they become typed values, and the list of everything that is wrong with them.

use std::path::PathBuf;

use crate::config::layer::Scalar;
use crate::config::merge::Settings;
use crate::config::problem::{ConfigProblem, NOT_SET, Origin, quoted};
use crate::config::values::{HumanDuration, InvalidValue};

/// The settings, and the problems and warnings found in them so far.
pub(crate) struct ConfigReader<'a> {
    pub(crate) settings: &'a Settings,
    /// Keys and tables that the problems of the layers mention.
    mentioned: Vec<&'a str>,
    pub(crate) problems: Vec<ConfigProblem>,
    pub(crate) warnings: Vec<ConfigProblem>,
}

impl<'a> ConfigReader<'a> {
    pub(crate) fn new(settings: &'a Settings, mentioned: Vec<&'a str>) -> Self {
        Self {
            settings,
            mentioned,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Returns the value in force of a key.
    pub(crate) fn value(&self, key: &str) -> Option<&'a Scalar> {
        self.settings.values.get(key).map(|setting| &setting.value)
    }

    /// Returns the default of a key, as compiled in.
    pub(crate) fn default(&self, key: &str) -> Option<&'a Scalar> {
        self.settings.defaults.get(key).map(|setting| &setting.value)
    }

    /// Returns the text in force of a key.
    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        match self.value(key)? {
            Scalar::Text(text) => Some(text),
            Scalar::Int(_) | Scalar::Bool(_) => None,
        }
    }

    /// Returns the path that a key holds. Relative ones start at the directory of the configuration file.
    pub(crate) fn path(&self, key: &str) -> Option<PathBuf> {
        let directory = self.settings.file.parent().unwrap_or_else(|| "".as_ref());
        self.text(key).map(|text| directory.join(text))
    }

    /// Returns what `parse` makes of the text of a key. Reports a text that it refuses.
    pub(crate) fn parsed<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        let text = self.text(key)?;
        parse(text)
            .map_err(|invalid| self.problem(key, format!("{} {invalid}", quoted(text))))
            .ok()
    }

    /// Reports `longer` if its duration is shorter than that of `shorter`; each is a key with its value.
    pub(crate) fn not_shorter(&mut self, longer: (&str, HumanDuration), shorter: (&str, HumanDuration)) {
        if longer.1 < shorter.1 {
            let message = format!(
                "\"{}\" is shorter than {}; expected at least \"{}\"",
                longer.1, shorter.0, shorter.1
            );
            self.problem(longer.0, message);
        }
    }

    /// Returns true if a problem of this key was reported.
    pub(crate) fn is_refused(&self, key: &str) -> bool {
        self.problems.iter().any(|problem| problem.key == key)
    }

    /// Reports a required key that is not set, unless a layer holds it and refused it, or holds a misspelling of it.
    pub(crate) fn missing(&mut self, key: &str, expected: &str) {
        let is_below = |inner: &str, outer: &str| {
            inner
                .strip_prefix(outer)
                // A refused `x_file` counts as an attempt to set `x`.
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest == "_file")
        };
        let is_about = |mentioned: &&str| is_below(mentioned, key) || is_below(key, mentioned);
        // One mistake is one message: a misspelt key is not also a missing one.
        if self.mentioned.iter().any(is_about) {
            return;
        }
        self.problems.push(ConfigProblem {
            place: self.settings.place_of_missing(key),
            key: key.to_owned(),
            message: format!("{NOT_SET}; expected {expected}"),
        });
    }

    /// Reports a problem with the value of a key, or with a table.
    pub(crate) fn problem(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(self.about(key, message.into()));
    }

    /// Adds a warning, which does not prevent a start.
    pub(crate) fn warn(&mut self, key: &str, message: impl Into<String>) {
        self.warnings.push(self.about(key, message.into()));
    }

    fn about(&self, key: &str, message: String) -> ConfigProblem {
        ConfigProblem {
            place: self.place(key),
            key: key.to_owned(),
            message,
        }
    }

    /// Returns the place where a key is set, or where it belongs.
    pub(crate) fn place(&self, key: &str) -> Origin {
        let set = self.settings.values.get(key).map(|setting| &setting.origin);
        set.or_else(|| self.settings.tables.get(key))
            .cloned()
            .unwrap_or_else(|| self.settings.place_of_missing(key))
    }
}
