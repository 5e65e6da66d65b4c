//! One layer of configuration, read into flat entries: a TOML text, or the environment. Each entry knows where it
//! came from. Unknown keys and wrong types are found here, layer by layer, because only here is there a line to
//! name; what a value means is decided after merging.
//!
//! TOML values keep their types: `"yes"` is not a bool and `1.9` is not an integer. Environment values are text,
//! so the key's own type decides how they are read, strictly.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::config::problem::{Origin, Problem, nearest, quoted};
use crate::config::schema::{self, Key, Kind};

/// What every variable that sets a key starts with. `ORDERFEED_CONFIG` does not, so it is no key.
const ENV_PREFIX: &str = "ORDERFEED__";

/// A value as written. `Debug` does not show text, because it may be a secret.
#[derive(Clone, PartialEq)]
pub(crate) enum Scalar {
    Text(String),
    Int(i64),
    Bool(bool),
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::Int(value) => write!(f, "Int({value})"),
            Self::Bool(value) => write!(f, "Bool({value})"),
        }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) path: Vec<String>,
    pub(crate) value: Scalar,
    pub(crate) origin: Origin,
}

/// One layer: its values, the tables it opens, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layer {
    pub(crate) entries: Vec<Entry>,
    pub(crate) tables: Vec<(Vec<String>, Origin)>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
    /// The keys and tables that the problems are about, or that they suggest: none of them is simply missing.
    pub(crate) spoken_of: Vec<String>,
}

impl Layer {
    /// Reads the defaults that are compiled in.
    pub(crate) fn defaults(text: &str) -> Self {
        Self::from_toml(text, &|_| Origin::Defaults)
    }

    /// Reads the text of a file. A syntax error leaves the layer empty but for that problem.
    pub(crate) fn file(path: &Path, text: &str) -> Self {
        let path: Arc<Path> = path.into();
        Self::from_toml(text, &|line| Origin::Line(Arc::clone(&path), line))
    }

    fn from_toml(text: &str, origin: &dyn Fn(usize) -> Origin) -> Self {
        let mut layer = Self::default();
        match DeTable::parse(text) {
            Ok(table) => {
                let place = |span: Range<usize>| origin(position(text, span.start).0);
                layer.read_table(&mut Vec::new(), table.get_ref(), &place);
            }
            Err(error) => {
                let (line, column) = position(text, error.span().map_or(0, |span| span.start));
                // The error's message names what was expected; its Display would also print the line, which may
                // hold a secret.
                let message = format!("is not TOML at column {column}: {}", one_line(error.message()));
                layer.problems.push(Problem {
                    place: origin(line),
                    key: String::new(),
                    message,
                });
            }
        }
        layer
    }

    fn read_table(
        &mut self,
        path: &mut Vec<String>,
        table: &DeTable<'_>,
        place: &dyn Fn(Range<usize>) -> Origin,
    ) {
        for (name, value) in table.iter() {
            path.push(name.get_ref().to_string());
            self.read_value(path, value.get_ref(), place(name.span()), place);
            path.pop();
        }
    }

    fn read_value(
        &mut self,
        path: &mut Vec<String>,
        value: &DeValue<'_>,
        origin: Origin,
        place: &dyn Fn(Range<usize>) -> Origin,
    ) {
        match (schema::find(path), value) {
            (Some(key), value) => match typed(key.kind, value) {
                Some(value) => self.entries.push(Entry {
                    path: path.clone(),
                    value,
                    origin,
                }),
                None => self.wrong_type(path, key, value, origin),
            },
            (None, DeValue::Table(table)) if schema::is_table(path) => {
                self.tables.push((path.clone(), origin));
                self.read_table(path, table, place);
            }
            (None, value) => self.unknown(path, matches!(value, DeValue::Table(_)), origin),
        }
    }

    fn wrong_type(&mut self, path: &[String], key: &Key, value: &DeValue<'_>, origin: Origin) {
        let shown = match value {
            DeValue::Integer(number) if !key.kind.is_secret() => format!("{number} is"),
            DeValue::Float(number) if !key.kind.is_secret() => format!("{number} is"),
            DeValue::String(text) if !key.kind.is_secret() => format!("{} is", quoted(text)),
            DeValue::Boolean(value) if !key.kind.is_secret() => format!("{value} is"),
            _ => "is".into(),
        };
        let message = format!(
            "{shown} of type {}; expected {}",
            value.type_str(),
            key.kind.expected()
        );
        self.complain(origin, dotted(path), message);
    }

    fn complain(&mut self, place: Origin, key: String, message: String) {
        self.spoken_of.push(key.clone());
        self.problems.push(Problem { place, key, message });
    }

    fn unknown(&mut self, path: &[String], is_table: bool, place: Origin) {
        if schema::is_table(path) {
            let message = match path {
                // A value where a website's code should be: the table header lacks the code.
                [table, _] if schema::children(&path[..1]) == ["*"] => format!(
                    "is not a known key; expected a table for each website's code, such as [{table}.base]"
                ),
                _ => format!("is a table; expected its keys, such as {}", example(path)),
            };
            return self.complain(place, dotted(path), message);
        }
        let what = if is_table {
            "is not a known table"
        } else {
            "is not a known key"
        };
        let suggestion = suggestion(path);
        let advice = match &suggestion {
            Some(meant) => format!("did you mean {meant}?"),
            None => expected_here(path),
        };
        self.spoken_of.extend(suggestion);
        self.complain(place, dotted(path), format!("{what}; {advice}"));
    }

    /// Reads `ORDERFEED__SECTION__KEY` variables: two underscores between the parts, lower-cased. A website code
    /// that is not all lower case, or that holds two underscores, can therefore be set in a file only.
    pub(crate) fn env(variables: &[(String, String)]) -> Self {
        let mut layer = Self::default();
        for (name, value) in variables {
            match name.strip_prefix(ENV_PREFIX) {
                Some(rest) => layer.read_variable(name, rest, value),
                None => layer.suspect_variable(name),
            }
        }
        layer
    }

    fn read_variable(&mut self, name: &str, rest: &str, value: &str) {
        let path: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
        let origin = Origin::Env(name.to_owned());
        let Some(key) = schema::find(&path) else {
            return self.unknown(&path, false, origin);
        };
        match parsed(key.kind, value) {
            Some(value) => self.entries.push(Entry { path, value, origin }),
            None => {
                let message = format!("{} is not {}", quoted(value), key.kind.expected());
                self.complain(origin, dotted(&path), message);
            }
        }
    }

    /// A variable with one underscore too few is silently nothing; say so where it is plain what was meant.
    fn suspect_variable(&mut self, name: &str) {
        let Some(rest) = name.strip_prefix("ORDERFEED_") else {
            return;
        };
        let path: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
        if schema::find(&path).is_some() {
            let message = format!("is not read; write {ENV_PREFIX}{rest} to set this key");
            self.warnings.push(Problem {
                place: Origin::Env(name.to_owned()),
                key: dotted(&path),
                message,
            });
        }
    }
}

/// A TOML value as this key takes it, without any conversion between types.
fn typed(kind: Kind, value: &DeValue<'_>) -> Option<Scalar> {
    match (kind, value) {
        (Kind::Text | Kind::Secret | Kind::SecretUrl | Kind::Duration(..), DeValue::String(text)) => {
            Some(Scalar::Text(text.to_string()))
        }
        (Kind::Bool, DeValue::Boolean(value)) => Some(Scalar::Bool(*value)),
        (Kind::Int(..), DeValue::Integer(number)) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(Scalar::Int),
        _ => None,
    }
}

/// A variable's text as this key takes it. Empty means unset, whatever the key's type.
fn parsed(kind: Kind, text: &str) -> Option<Scalar> {
    match (kind, text) {
        (_, "") => Some(Scalar::Text(String::new())),
        (Kind::Bool, "true") => Some(Scalar::Bool(true)),
        (Kind::Bool, "false") => Some(Scalar::Bool(false)),
        (Kind::Bool, _) => None,
        (Kind::Int(..), number) => number.parse().ok().map(Scalar::Int),
        (_, text) => Some(Scalar::Text(text.to_owned())),
    }
}

/// How many leading segments of an unknown path name a table: the segment after them is the one to correct.
fn known_depth(path: &[String]) -> usize {
    (0..path.len())
        .find(|&depth| !schema::is_table(&path[..=depth]))
        .unwrap_or(path.len() - 1)
}

fn suggestion(path: &[String]) -> Option<String> {
    let (parent, wrong) = path.split_at(known_depth(path));
    let siblings = schema::children(parent);
    let near = nearest(
        wrong.first()?,
        siblings.iter().copied().filter(|name| *name != "*"),
    );
    let full = |name: &str| [parent, &[name.to_owned()]].concat().join(".");
    near.map(full)
        .or_else(|| same_name_elsewhere(path).map(str::to_owned))
}

fn expected_here(path: &[String]) -> String {
    let siblings = schema::children(&path[..known_depth(path)]);
    format!("expected one of {}", siblings.join(", "))
}

/// A key of the same name in another table: the table header may have been forgotten.
fn same_name_elsewhere(path: &[String]) -> Option<&'static str> {
    let name = path.last()?;
    let holds = |key: &&Key| key.path.rsplit('.').next() == Some(name) && !key.path.contains('*');
    schema::KEYS.iter().find(holds).map(|key| key.path)
}

fn example(path: &[String]) -> String {
    let name = schema::children(path).first().copied().unwrap_or_default();
    format!("{}.{}", dotted(path), name.replace('*', "base"))
}

/// A path as it is written in a message and in TOML: a segment that is no bare key is quoted, so that it can neither
/// forge a line nor be taken for two segments.
pub(crate) fn dotted(path: &[String]) -> String {
    let is_bare = |segment: &str| {
        !segment.is_empty()
            && segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    let written = |segment: &String| match is_bare(segment) {
        true => segment.clone(),
        false => quoted(segment),
    };
    path.iter().map(written).collect::<Vec<_>>().join(".")
}

/// Line and column, both from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
