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

    /// Returns the codes of the websites that any layer mentions.
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
