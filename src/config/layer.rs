//! One layer of configuration, a TOML text or the environment, read into flat entries that keep their origin.
//!
//! Unknown keys and wrong types are found here, layer by layer, because only here is there a line to name. The meaning of
//! a value is decided after merging.
//!
//! TOML values keep their types: `"yes"` is not a bool and `1.9` is not an integer. Environment values are text; the
//! type of the key decides how they are read, strictly.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use crate::config::problem::{ConfigProblem, Origin, nearest, quoted};
use crate::config::schema::{KeyKind, KeySpec, Schema};

/// The prefix of every variable that sets a key. `ORDERFEED_CONFIG` does not have it, so it is no key.
const ENV_PREFIX: &str = "ORDERFEED__";

/// A value as written. `Debug` hides text, because it may be a secret.
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

/// A value with its path and origin.
#[derive(Clone, Debug)]
pub(crate) struct LayerEntry {
    pub(crate) path: Vec<String>,
    pub(crate) value: Scalar,
    pub(crate) origin: Origin,
}

/// One layer: its values, the tables that it opens, and its problems.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layer {
    pub(crate) entries: Vec<LayerEntry>,
    pub(crate) tables: Vec<(Vec<String>, Origin)>,
    pub(crate) problems: Vec<ConfigProblem>,
    pub(crate) warnings: Vec<ConfigProblem>,
    /// The keys and tables that the problems name or suggest. None of them is also reported as missing.
    pub(crate) mentioned: Vec<String>,
}

/// Reads one layer, whose keys are those of `schema`.
struct LayerReader<'a> {
    schema: &'a Schema,
    layer: Layer,
}

impl Layer {
    /// Reads the defaults that are compiled in.
    pub(crate) fn defaults(schema: &Schema, text: &str) -> Self {
        LayerReader::new(schema).toml(text, &|_| Origin::Defaults)
    }

    /// Reads the text of a file. A syntax error leaves the layer with that one problem and no values.
    pub(crate) fn file(schema: &Schema, path: &Path, text: &str) -> Self {
        let path: Arc<Path> = path.into();
        LayerReader::new(schema).toml(text, &|line| Origin::Line(Arc::clone(&path), line))
    }

    /// Reads the variables that name the proxy of every program on the machine. They apply where no file sets the keys.
    pub(crate) fn proxy_variables(variables: &[(String, String)]) -> Self {
        let entry = |names: [&str; 2], key: &str| {
            let is_set =
                |(name, value): &&(String, String)| names.contains(&name.as_str()) && !value.is_empty();
            let (name, value) = variables.iter().find(is_set)?;
            Some(LayerEntry {
                path: vec!["edge".to_owned(), key.to_owned()],
                value: Scalar::Text(value.clone()),
                origin: Origin::Env(name.clone()),
            })
        };
        let proxy = entry(["https_proxy", "HTTPS_PROXY"], "proxy");
        let no_proxy = entry(["no_proxy", "NO_PROXY"], "no_proxy");
        Self {
            entries: proxy.into_iter().chain(no_proxy).collect(),
            ..Self::default()
        }
    }

    /// Reads `ORDERFEED__SECTION__KEY` variables: two underscores between the segments, lower-cased. A website code that
    /// is not all lower case, or that holds two underscores, can therefore be set in a file only.
    pub(crate) fn env(schema: &Schema, variables: &[(String, String)]) -> Self {
        let mut reader = LayerReader::new(schema);
        for (name, value) in variables {
            match name.strip_prefix(ENV_PREFIX) {
                Some(rest) => reader.read_variable(name, rest, value),
                None => reader.suspect_variable(name),
            }
        }
        reader.layer
    }
}

impl<'a> LayerReader<'a> {
    fn new(schema: &'a Schema) -> Self {
        Self {
            schema,
            layer: Layer::default(),
        }
    }

    fn toml(mut self, text: &str, origin: &dyn Fn(usize) -> Origin) -> Layer {
        match DeTable::parse(text) {
            Ok(table) => {
                let place = |span: Range<usize>| origin(position(text, span.start).0);
                self.read_table(&mut Vec::new(), table.get_ref(), &place);
            }
            Err(error) => {
                let (line, column) = position(text, error.span().map_or(0, |span| span.start));
                // The error's Display would also print the line, which may hold a secret. Its message names only what
                // was expected.
                let message = format!("is not TOML at column {column}: {}", one_line(error.message()));
                let problem = ConfigProblem::without_key(origin(line), message);
                self.layer.problems.push(problem);
            }
        }
        self.layer
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
        match (self.schema.find(path), value) {
            (Some(key), value) => match typed(key.kind, value) {
                Some(value) => self.layer.entries.push(LayerEntry {
                    path: path.clone(),
                    value,
                    origin,
                }),
                None => self.wrong_type(path, key, value, origin),
            },
            // The origin of the table is where a missing key of it is reported.
            (None, DeValue::Table(table)) if self.schema.is_table(path) => {
                self.layer.tables.push((path.clone(), origin));
                self.read_table(path, table, place);
            }
            (None, value) => self.unknown(path, matches!(value, DeValue::Table(_)), origin),
        }
    }

    fn wrong_type(&mut self, path: &[String], key: &KeySpec, value: &DeValue<'_>, origin: Origin) {
        let shown = match value {
            // A secret of the wrong type may still be the secret, so it is not quoted.
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
        self.refuse(origin, dotted(path), message);
    }

    fn refuse(&mut self, place: Origin, key: String, message: String) {
        self.layer.mentioned.push(key.clone());
        self.layer.problems.push(ConfigProblem { place, key, message });
    }

    fn unknown(&mut self, path: &[String], is_table: bool, place: Origin) {
        if self.schema.is_table(path) {
            let message = match path {
                // A value where a website's code should be: the table header lacks the code.
                [table, _] if self.schema.children(&path[..1]) == ["*"] => format!(
                    "is not a known key; expected a table for each website's code, such as [{table}.base]"
                ),
                _ => format!("is a table; expected its keys, such as {}", self.example(path)),
            };
            return self.refuse(place, dotted(path), message);
        }
        let what = if is_table {
            "is not a known table"
        } else {
            "is not a known key"
        };
        let suggestion = self.suggestion(path);
        let advice = match &suggestion {
            Some(meant) => format!("did you mean {meant}?"),
            None => self.expected_here(path),
        };
        // The suggested key is most likely meant: it must not be reported as missing as well.
        self.layer.mentioned.extend(suggestion);
        self.refuse(place, dotted(path), format!("{what}; {advice}"));
    }

    fn read_variable(&mut self, name: &str, rest: &str, value: &str) {
        let path: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
        let origin = Origin::Env(name.to_owned());
        let Some(key) = self.schema.find(&path) else {
            return self.unknown(&path, false, origin);
        };
        match parsed(key.kind, value) {
            Some(value) => self.layer.entries.push(LayerEntry { path, value, origin }),
            None => {
                let message = format!("{} is not {}", quoted(value), key.kind.expected());
                self.refuse(origin, dotted(&path), message);
            }
        }
    }

    /// Warns of a variable that has one underscore too few and would otherwise be ignored silently.
    fn suspect_variable(&mut self, name: &str) {
        let Some(rest) = name.strip_prefix("ORDERFEED_") else {
            return;
        };
        let path: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
        if self.schema.find(&path).is_some() {
            let message = format!("is not read; write {ENV_PREFIX}{rest} to set this key");
            self.layer.warnings.push(ConfigProblem {
                place: Origin::Env(name.to_owned()),
                key: dotted(&path),
                message,
            });
        }
    }

    /// Returns the number of leading segments of an unknown path that name a table. The segment after them is the wrong
    /// one.
    fn known_depth(&self, path: &[String]) -> usize {
        (0..path.len())
            .find(|&depth| !self.schema.is_table(&path[..=depth]))
            .unwrap_or(path.len() - 1)
    }

    fn suggestion(&self, path: &[String]) -> Option<String> {
        let (parent, wrong) = path.split_at(self.known_depth(path));
        let siblings = self.schema.children(parent);
        let near = nearest(
            wrong.first()?,
            siblings.iter().copied().filter(|name| *name != "*"),
        );
        let full = |name: &str| [parent, &[name.to_owned()]].concat().join(".");
        near.map(full).or_else(|| self.same_name_elsewhere(path))
    }

    fn expected_here(&self, path: &[String]) -> String {
        let siblings = self.schema.children(&path[..self.known_depth(path)]);
        format!("expected one of {}", siblings.join(", "))
    }

    /// Returns a key of the same name in another table: the table's header may have been forgotten.
    fn same_name_elsewhere(&self, path: &[String]) -> Option<String> {
        let name = path.last()?;
        let holds = |key: &&KeySpec| key.path.rsplit('.').next() == Some(name) && !key.path.contains('*');
        self.schema.keys.iter().find(holds).map(|key| key.path.clone())
    }

    fn example(&self, path: &[String]) -> String {
        let name = self.schema.children(path).first().copied().unwrap_or_default();
        format!("{}.{}", dotted(path), name.replace('*', "base"))
    }
}

/// Returns a TOML value as this kind of key takes it, without any conversion between types.
fn typed(kind: KeyKind, value: &DeValue<'_>) -> Option<Scalar> {
    match (kind, value) {
        (
            KeyKind::Text | KeyKind::Secret | KeyKind::SecretUrl | KeyKind::Duration(..),
            DeValue::String(text),
        ) => Some(Scalar::Text(text.to_string())),
        (KeyKind::Bool, DeValue::Boolean(value)) => Some(Scalar::Bool(*value)),
        // TOML also writes integers as 0x, 0o and 0b.
        (KeyKind::Int(..), DeValue::Integer(number)) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(Scalar::Int),
        _ => None,
    }
}

/// Returns the text of a variable as this kind of key takes it. Empty means unset, whatever the kind.
fn parsed(kind: KeyKind, text: &str) -> Option<Scalar> {
    match (kind, text) {
        // An environment variable cannot be removed by a later layer, but it can be empty.
        (_, "") => Some(Scalar::Text(String::new())),
        (KeyKind::Bool, "true") => Some(Scalar::Bool(true)),
        (KeyKind::Bool, "false") => Some(Scalar::Bool(false)),
        // No "yes", "1" or "on": what one reader takes for true another takes for text.
        (KeyKind::Bool, _) => None,
        (KeyKind::Int(..), number) => number.parse().ok().map(Scalar::Int),
        (_, text) => Some(Scalar::Text(text.to_owned())),
    }
}

/// Returns a path as messages and TOML write it. A segment that is no bare key is quoted, so that it can neither forge a
/// line of output nor be taken for two segments.
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

/// Returns line and column of a byte offset, both from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
