//! The layers laid over each other, later over earlier, key by key. The merging itself is the crate `config`'s;
//! every value carries the number of its entry through it as its origin, so that afterwards each effective value
//! still knows its place. What the crate would convert (types, numbers in text) is already typed when it gets here.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use config::{Map, Source, Value, ValueKind};

use crate::config::layer::{Entry, Layer, Scalar, dotted};
use crate::config::problem::Origin;

/// A merged value and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) value: Scalar,
    pub(crate) origin: Origin,
}

/// Every value in force, by dotted key. Keys that are `""` are left out: that means unset, and the default of the
/// key, if it has one, is in force again.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) values: BTreeMap<String, Setting>,
    /// The first place that mentions a table, so that a missing key can be told where it belongs.
    pub(crate) tables: BTreeMap<String, Origin>,
    /// Where keys were set to `""`.
    pub(crate) unset: BTreeMap<String, Origin>,
    /// The main configuration file.
    pub(crate) file: Arc<Path>,
}

impl Settings {
    /// Merges layers, the defaults first.
    ///
    /// # Errors
    /// Only if the merging crate refuses a key, which the schema does not let happen.
    pub(crate) fn merge(file: &Path, layers: &[Layer]) -> Result<Self, config::ConfigError> {
        let entries: Vec<Entry> = layers
            .iter()
            .flat_map(|layer| layer.entries.iter().cloned())
            .collect();
        let mut builder = config::Config::builder();
        let mut first = 0;
        for layer in layers {
            builder = builder.add_source(Numbered {
                first,
                entries: layer.entries.clone(),
            });
            first += layer.entries.len();
        }
        let mut settings = Self {
            values: BTreeMap::new(),
            tables: tables(layers),
            unset: BTreeMap::new(),
            file: file.into(),
        };
        settings.collect(&builder.build()?.cache, &entries);
        settings.restore_defaults(layers);
        Ok(settings)
    }

    fn collect(&mut self, value: &Value, entries: &[Entry]) {
        if let ValueKind::Table(table) = &value.kind {
            return table.values().for_each(|child| self.collect(child, entries));
        }
        let number = value.origin().and_then(|origin| origin.parse::<usize>().ok());
        let Some(entry) = number.and_then(|number| entries.get(number)) else {
            return;
        };
        let key = dotted(&entry.path);
        match &entry.value {
            Scalar::Text(text) if text.is_empty() => {
                if entry.origin != Origin::Defaults {
                    self.unset.insert(key, entry.origin.clone());
                }
            }
            value => {
                self.values.insert(
                    key,
                    Setting {
                        value: value.clone(),
                        origin: entry.origin.clone(),
                    },
                );
            }
        }
    }

    fn restore_defaults(&mut self, layers: &[Layer]) {
        let defaults = layers
            .first()
            .map(|layer| layer.entries.as_slice())
            .unwrap_or_default();
        for entry in defaults {
            let key = dotted(&entry.path);
            let is_empty = entry.value == Scalar::Text(String::new());
            if !is_empty && self.unset.remove(&key).is_some() {
                self.values.insert(
                    key,
                    Setting {
                        value: entry.value.clone(),
                        origin: entry.origin.clone(),
                    },
                );
            }
        }
    }

    /// The codes of the websites that any layer mentions.
    pub(crate) fn website_codes(&self) -> Vec<String> {
        let keys = self.values.keys().chain(self.unset.keys());
        let of_keys = keys
            .filter_map(|key| key.strip_prefix("websites.")?.rsplit_once('.'))
            .map(|(code, _)| code);
        let of_tables = self
            .tables
            .keys()
            .filter_map(|table| table.strip_prefix("websites."));
        let mut codes: Vec<String> = of_keys.chain(of_tables).map(str::to_owned).collect();
        codes.sort();
        codes.dedup();
        codes
    }

    /// Where to point for a key that has no value: where it was set to `""`, else its table, else the file.
    pub(crate) fn place_of_missing(&self, key: &str) -> Origin {
        if let Some(origin) = self.unset.get(key) {
            return origin.clone();
        }
        let mut table = key;
        while let Some((parent, _)) = table.rsplit_once('.') {
            if let Some(origin) = self.tables.get(parent) {
                return origin.clone();
            }
            table = parent;
        }
        Origin::File(Arc::clone(&self.file))
    }
}

fn tables(layers: &[Layer]) -> BTreeMap<String, Origin> {
    let mut tables = BTreeMap::new();
    for (path, origin) in layers.iter().flat_map(|layer| &layer.tables) {
        if *origin != Origin::Defaults {
            tables.entry(dotted(path)).or_insert_with(|| origin.clone());
        }
    }
    tables
}

/// A layer as the crate `config` takes it; entries are numbered across all layers from `first`.
#[derive(Clone, Debug)]
struct Numbered {
    first: usize,
    entries: Vec<Entry>,
}

impl Source for Numbered {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        let mut root = Map::new();
        for (offset, entry) in self.entries.iter().enumerate() {
            let number = (self.first + offset).to_string();
            // The kind only has to travel; the typed value is looked up by the number.
            insert(&mut root, &entry.path, Value::new(Some(&number), ValueKind::Nil));
        }
        Ok(root)
    }
}

fn insert(table: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [] => {}
        [name] => {
            table.insert(name.clone(), value);
        }
        [name, rest @ ..] => {
            let child = table
                .entry(name.clone())
                .or_insert_with(|| Value::new(None, ValueKind::Table(Map::new())));
            if let ValueKind::Table(inner) = &mut child.kind {
                insert(inner, rest, value);
            }
        }
    }
}
