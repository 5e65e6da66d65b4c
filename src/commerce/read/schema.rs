//! The tables and columns that a database has, and the consequences of missing ones.

use std::collections::{BTreeMap, BTreeSet};

use crate::commerce::read::spec::{Presence, TableSpec};
use crate::commerce::read::tables::SourceTable;

/// The tables and columns of a database; names without prefix and in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schema {
    tables: BTreeMap<String, BTreeSet<String>>,
    /// The index that starts with a column, by table and column.
    indexes: BTreeMap<(String, String), String>,
}

impl Schema {
    pub(crate) fn add_column(&mut self, table: &str, column: &str) {
        self.tables
            .entry(table.to_lowercase())
            .or_default()
            .insert(column.to_lowercase());
    }

    /// Adds an index of `table` whose first column is `column`. The last one added is the one that statements use.
    pub(crate) fn add_index(&mut self, table: &str, column: &str, index: &str) {
        let key = (table.to_lowercase(), column.to_lowercase());
        self.indexes.insert(key, index.to_owned());
    }

    pub(crate) fn has_table(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    /// Returns true if the table exists and has the column.
    pub(crate) fn has(&self, table: &str, column: &str) -> bool {
        self.tables
            .get(table)
            .is_some_and(|columns| columns.contains(column))
    }

    /// Returns true if an index of the table starts with the column.
    pub(crate) fn is_indexed(&self, table: &str, column: &str) -> bool {
        self.index(table, column).is_some()
    }

    /// Returns the part of a statement that makes the server read the table along this column's index, whatever its
    /// statistics are; empty if there is none.
    pub(crate) fn force_index(&self, table: &str, column: &str) -> String {
        let index = self.index(table, column);
        index.map_or_else(String::new, |index| format!(" FORCE INDEX (`{index}`)"))
    }

    fn index(&self, table: &str, column: &str) -> Option<&String> {
        self.indexes.get(&(table.to_owned(), column.to_owned()))
    }

    /// Returns all columns of a table, in alphabetical order.
    pub(crate) fn columns(&self, table: &str) -> impl Iterator<Item = &str> {
        self.tables.get(table).into_iter().flatten().map(String::as_str)
    }

    /// Returns the core tables that are missing.
    pub(crate) fn missing_core(&self) -> Vec<&'static str> {
        let parts = SourceTable::specs().filter(|spec| spec.presence == Presence::Core);
        let tables = parts
            .map(|spec| spec.table)
            .chain(["store", "store_group", "store_website"]);
        tables.filter(|table| !self.has_table(table)).collect()
    }

    /// Returns true if the labels of return items (reason, condition, resolution) can be read.
    pub(crate) fn has_return_labels(&self) -> bool {
        self.has("magento_rma_item_entity_int", "value")
            && self.has("eav_attribute", "attribute_code")
            && self.has("eav_attribute_option_value", "value")
    }

    /// Returns what is missing and what is therefore not sent, one sentence each.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for spec in SourceTable::specs() {
            match spec.presence {
                Presence::Optional(effect) if !self.has_table(spec.table) => notes.push(format!(
                    "The table {} does not exist or may not be read by this account: {effect}.",
                    spec.table
                )),
                // A missing core table is an error, which the caller reports.
                _ => notes.extend(self.missing_columns(spec)),
            }
        }
        // Without returns there is nothing to label.
        if self.has_table("magento_rma_item_entity") && !self.has_return_labels() {
            notes.push(
                "The tables magento_rma_item_entity_int, eav_attribute and eav_attribute_option_value do not all exist or \
                 may not be read by this account: reason, condition and resolution of returned items are not sent."
                    .to_owned(),
            );
        }
        notes
    }

    fn missing_columns(&self, spec: &TableSpec) -> Option<String> {
        let missing: Vec<_> = spec
            .columns
            .iter()
            .filter(|column| !self.has(spec.table, column))
            .copied()
            .collect();
        if !self.has_table(spec.table) || missing.is_empty() {
            return None;
        }
        Some(format!(
            "The table {} has no column {}: read as empty.",
            spec.table,
            missing.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Schema {
        let mut schema = Schema::default();
        for spec in SourceTable::specs() {
            for column in spec.columns.iter().chain([&spec.key, &spec.owner]) {
                schema.add_column(spec.table, column);
            }
        }
        for table in ["store", "store_group", "store_website"] {
            schema.add_column(table, "code");
        }
        schema.add_column("magento_rma_item_entity_int", "value");
        schema.add_column("eav_attribute", "attribute_code");
        schema.add_column("eav_attribute_option_value", "value");
        schema
    }

    #[test]
    fn a_whole_schema_has_no_notes() {
        assert_eq!(whole().notes(), Vec::<String>::new());
        assert_eq!(whole().missing_core(), Vec::<&str>::new());
    }

    #[test]
    fn missing_tables_and_columns_are_noted_once_with_their_effect() {
        let mut schema = whole();
        schema.tables.remove("magento_rma");
        schema.tables.remove("sales_invoice");
        if let Some(columns) = schema.tables.get_mut("sales_order") {
            columns.remove("protect_code");
        }
        assert_eq!(schema.missing_core(), ["sales_invoice"]);
        let notes = schema.notes();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert_eq!(
            notes[0],
            "The table sales_order has no column protect_code: read as empty."
        );
        assert!(notes[1].contains("magento_rma does not exist") && notes[1].contains("returns are not sent"));
    }
}
