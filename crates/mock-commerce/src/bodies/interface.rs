//! An interface of the API over a table: most of its properties are the columns of the same name.

use crate::bodies::scalars::scalar;
use crate::config::MockConfig;
use crate::json::Json;
use crate::search::fields::Wanted;
use crate::shop::kinds::kind;
use crate::shop::row::Row;

/// The properties that an interface has from a table.
pub(crate) struct Interface {
    pub(crate) table: &'static str,
    /// Columns without a property, and those that are read in another way.
    pub(crate) without: &'static [&'static str],
    /// Properties that are `null` where others are absent: PHP calls their getters not nullable.
    pub(crate) required: &'static [&'static str],
}

impl Interface {
    /// Returns the properties of a row. Those without a value are absent.
    pub(crate) fn members<'a>(&self, row: &Row, config: &MockConfig, wanted: Wanted<'a>) -> Members<'a> {
        let mut members = Members {
            wanted,
            members: Vec::new(),
        };
        for (column, cell) in row.cells() {
            if self.without.contains(&column) || !wanted.has(column) {
                continue;
            }
            let value = kind(self.table, column).and_then(|kind| scalar(kind, cell, config.precise_floats));
            match value {
                Some(value) => members.members.push((column.to_owned(), value)),
                None if self.required.contains(&column) => {
                    members.members.push((column.to_owned(), Json::Null))
                }
                None => {}
            }
        }
        members
    }
}

/// The properties of a document under construction.
pub(crate) struct Members<'a> {
    wanted: Wanted<'a>,
    members: Vec<(String, Json)>,
}

impl Members<'_> {
    /// Adds a property, or replaces it.
    pub(crate) fn put(&mut self, name: &str, value: impl Into<Json>) {
        if !self.wanted.has(name) {
            return;
        }
        let value = value.into();
        match self.members.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.members.push((name.to_owned(), value)),
        }
    }

    pub(crate) fn finish(self) -> Json {
        Json::Map(self.members)
    }
}
