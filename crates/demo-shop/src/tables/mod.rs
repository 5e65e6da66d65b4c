//! The sales tables of Commerce, for MySQL, MariaDB and SQLite.
//!
//! `schema.sql` defines them. It keeps the traps of the real tables: `sales_order_item` has no index on `updated_at`,
//! `sales_shipment_track` only one on `created_at`, addresses and payments have no timestamp at all, and a return has
//! only the date of its request.

pub mod mview;
pub mod schema;

use std::sync::LazyLock;

/// A table of `schema.sql`.
#[derive(Debug)]
pub struct Table {
    /// Name without the table prefix of an instance.
    pub name: &'static str,
    /// Column, key and reference definitions in MySQL's dialect, one per line.
    lines: Vec<&'static str>,
}

impl Table {
    /// Returns the column names, in order.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.definitions().map(|(name, _)| name)
    }

    /// Returns the columns with their types in MySQL's dialect.
    pub fn definitions(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.lines
            .iter()
            .filter_map(|line| line.strip_prefix('`')?.split_once("` "))
    }

    /// Returns the parts of the lines that start with `keyword`, after it.
    fn clauses(&self, keyword: &'static str) -> impl Iterator<Item = &'static str> {
        self.lines
            .iter()
            .filter_map(move |line| line.strip_prefix(keyword))
    }
}

/// All tables, parents before children.
pub static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    include_str!("schema.sql")
        .split("CREATE TABLE `")
        .skip(1)
        .filter_map(|text| {
            let (name, body) = text.split_once("` (\n")?;
            let lines = body.split("\n)").next()?.lines();
            let lines = lines.map(|line| line.trim().trim_end_matches(',')).collect();
            Some(Table { name, lines })
        })
        .collect()
});

/// Tables that older versions or the open-source edition do not have.
pub const OPTIONAL_TABLES: [&str; 6] = [
    "sales_order_tax",
    "sales_order_tax_item",
    "sales_order_status_change_history",
    "magento_rma",
    "magento_rma_item_entity",
    "magento_rma_status_history",
];
