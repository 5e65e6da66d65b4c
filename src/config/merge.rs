//! The layers merged key by key, later over earlier. Every value keeps the place where it was written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::layer::{Layer, Scalar, dotted};
use crate::config::problem::Origin;

/// A merged value and its origin.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) value: Scalar,
    pub(crate) origin: Origin,
}

/// Every value in force, by dotted key. A key that is set to `""` is unset: its default is in force, if it has one.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) values: BTreeMap<String, Setting>,
    pub(crate) defaults: BTreeMap<String, Setting>,
    /// The first place that mentions each table: a missing key is reported there.
    pub(crate) tables: BTreeMap<String, Origin>,
    /// Where keys without a default were set to `""`.
    unset: BTreeMap<String, Origin>,
    /// The main configuration file.
    pub(crate) file: Arc<Path>,
}

impl Settings {
    /// Merges layers, the first of which holds the defaults.
    pub(crate) fn merge(file: &Path, layers: &[Layer]) -> Self {
        let mut settings = Self {
            values: BTreeMap::new(),
            defaults: BTreeMap::new(),
            tables: BTreeMap::new(),
            unset: BTreeMap::new(),
            file: file.into(),
        };
        for (index, layer) in layers.iter().enumerate() {
            settings.add(layer);
            // A later "" restores the value of this layer.
            if index == 0 {
                settings.defaults = settings.values.clone();
            }
        }
        settings
    }

    fn add(&mut self, layer: &Layer) {
        for entry in &layer.entries {
            let key = dotted(&entry.path);
            if entry.value != Scalar::Text(String::new()) {
                self.unset.remove(&key);
                let (value, origin) = (entry.value.clone(), entry.origin.clone());
                self.values.insert(key, Setting { value, origin });
            } else if let Some(default) = self.defaults.get(&key) {
                self.values.insert(key, default.clone());
            } else if entry.origin != Origin::Defaults {
                self.values.remove(&key);
                self.unset.insert(key, entry.origin.clone());
            }
        }
        for (path, origin) in &layer.tables {
            if *origin != Origin::Defaults {
                // The first file that opens the table is the one to name.
                self.tables.entry(dotted(path)).or_insert_with(|| origin.clone());
            }
        }
    }

    /// Returns the names of the tables below this one that any layer mentions, such as the codes of the websites.
    pub(crate) fn names_below(&self, table: &str) -> Vec<String> {
        let paths = (self.values.keys())
            .chain(self.unset.keys())
            .chain(self.tables.keys());
        let below =
            |path: &String| Some(first_segment(path.strip_prefix(table)?.strip_prefix('.')?).to_owned());
        let mut names: Vec<String> = paths.filter_map(below).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Returns the place to report for a key that has no value: where it was set to `""`, else its table, else the file.
    pub(crate) fn place_of_missing(&self, key: &str) -> Origin {
        if let Some(origin) = self.unset.get(key) {
            return origin.clone();
        }
        let mut table = key;
        // The innermost table that some file opens.
        while let Some((parent, _)) = table.rsplit_once('.') {
            if let Some(origin) = self.tables.get(parent) {
                return origin.clone();
            }
            table = parent;
        }
        Origin::File(Arc::clone(&self.file))
    }
}

/// Returns the part of a path before its first dot. A quoted segment may hold dots.
fn first_segment(path: &str) -> &str {
    let quoted = path
        .strip_prefix('"')
        .and_then(|rest| rest.find("\".").map(|at| at + 2).or(Some(path.len())));
    let end = quoted.or_else(|| path.find('.')).unwrap_or(path.len());
    &path[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_segment_may_hold_dots() {
        for (path, first) in [
            ("a.b.c", "a"),
            ("a", "a"),
            ("\"a.b\".c", "\"a.b\""),
            ("\"a.b\"", "\"a.b\""),
        ] {
            assert_eq!(first_segment(path), first);
        }
    }
}
