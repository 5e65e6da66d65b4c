//! Reads settings into typed values and collects every problem on the way: a value that does not fit is reported
//! and replaced by a stand-in, so that one run shows all that is wrong.

use std::path::PathBuf;
use std::str::FromStr;

use crate::config::layer::Scalar;
use crate::config::merge::{Setting, Settings};
use crate::config::problem::{NOT_SET, Origin, Problem, Warning, quoted};
use crate::config::schema::{self, Kind};
use crate::config::values::{Choice, HumanDuration, Unfit};

/// The settings and what has been found wrong with them so far.
pub(crate) struct Reader<'a> {
    pub(crate) settings: &'a Settings,
    /// Keys that the layers' own problems are about.
    spoken_of: Vec<&'a str>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Warning>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(settings: &'a Settings, spoken_of: Vec<&'a str>) -> Self {
        Self {
            settings,
            spoken_of,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The text of a key, if it is set.
    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        match &self.settings.values.get(key)?.value {
            Scalar::Text(text) => Some(text),
            Scalar::Int(_) | Scalar::Bool(_) => None,
        }
    }

    /// The text of a key that has a default.
    pub(crate) fn text_or(&self, key: &str, default: String) -> String {
        self.text(key).map_or(default, str::to_owned)
    }

    /// A bool, if it is set.
    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        match self.settings.values.get(key)?.value {
            Scalar::Bool(value) => Some(value),
            Scalar::Int(_) | Scalar::Text(_) => None,
        }
    }

    /// A path, relative ones starting at the directory of the configuration file.
    pub(crate) fn path(&self, key: &str) -> Option<PathBuf> {
        let directory = self.settings.file.parent().unwrap_or_else(|| "".as_ref());
        self.text(key).map(|text| directory.join(text))
    }

    /// A value that its type parses, if it is set.
    pub(crate) fn parsed<T: FromStr<Err = Unfit>>(&mut self, key: &str) -> Option<T> {
        self.read(key, str::parse)
    }

    /// A value out of a few names, or the default.
    pub(crate) fn choice<T: Choice>(&mut self, key: &str, default: T) -> T {
        self.read(key, T::choose).unwrap_or(default)
    }

    /// A value that `parse` understands, if it is set; else a problem and nothing.
    pub(crate) fn read<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Unfit>) -> Option<T> {
        let text = self.text(key)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(unfit) => {
                self.problem(key, format!("{} {unfit}", quoted(text)));
                None
            }
        }
    }

    /// A whole number within the range of its key, or the default.
    pub(crate) fn int<T: TryFrom<i64>>(&mut self, key: &str, default: T) -> T {
        let Some(Setting {
            value: Scalar::Int(value),
            ..
        }) = self.settings.values.get(key)
        else {
            return default;
        };
        let kind = self.kind(key);
        let in_range = matches!(kind, Some(Kind::Int(min, max)) if (min..=max).contains(value));
        match T::try_from(*value) {
            Ok(number) if in_range => number,
            _ => {
                let expected = kind.map(Kind::expected).unwrap_or_default();
                self.problem(key, format!("{value} is out of range; expected {expected}"));
                default
            }
        }
    }

    /// A duration within the range of its key, or the default.
    pub(crate) fn duration(&mut self, key: &str, default: HumanDuration) -> HumanDuration {
        let Some(value) = self.parsed::<HumanDuration>(key) else {
            return default;
        };
        let Some(kind @ Kind::Duration(min, max)) = self.kind(key) else {
            return value;
        };
        let within = min.parse().is_ok_and(|min: HumanDuration| value >= min)
            && max.parse().is_ok_and(|max: HumanDuration| value <= max);
        if !within {
            self.problem(
                key,
                format!("\"{value}\" is out of range; expected {}", kind.expected()),
            );
        }
        value
    }

    /// Reports a key that must be set and is not, unless it is there and was refused, or is plainly misspelt.
    pub(crate) fn missing(&mut self, key: &str, expected: &str) {
        let is_below = |inner: &str, outer: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest == "_file")
        };
        if self
            .spoken_of
            .iter()
            .any(|spoken| is_below(spoken, key) || is_below(key, spoken))
        {
            return;
        }
        let place = self.settings.place_of_missing(key);
        let message = format!("{NOT_SET}; expected {expected}");
        self.problems.push(Problem {
            place,
            key: key.to_owned(),
            message,
        });
    }

    /// Reports a key's value, or the table it belongs to.
    pub(crate) fn problem(&mut self, key: &str, message: String) {
        let place = self.place(key);
        self.problems.push(Problem {
            place,
            key: key.to_owned(),
            message,
        });
    }

    /// Notes something that does not stop a start.
    pub(crate) fn warn(&mut self, key: &str, message: String) {
        let place = self.place(key);
        self.warnings.push(Warning {
            place,
            key: key.to_owned(),
            message,
        });
    }

    /// Where a key is set, or where it would belong.
    pub(crate) fn place(&self, key: &str) -> Origin {
        let set = self
            .settings
            .values
            .get(key)
            .map(|setting| setting.origin.clone());
        set.or_else(|| self.settings.tables.get(key).cloned())
            .unwrap_or_else(|| self.settings.place_of_missing(key))
    }

    fn kind(&self, key: &str) -> Option<Kind> {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        schema::find(&path).map(|key| key.kind)
    }
}
