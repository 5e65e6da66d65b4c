//! The Commerce sales tables as DDL, from one description for both databases.
//!
//! MySQL and MariaDB get the real types: InnoDB, utf8mb4, `decimal(20,4)` and `decimal(12,4)`, `timestamp` with
//! `ON UPDATE`. SQLite gets `INTEGER` for whole numbers and `TEXT` for everything else: a timestamp is
//! `YYYY-MM-DD HH:MM:SS` in UTC, and an amount or quantity is its decimal text with four places (`12.5000`), so that
//! no number goes through a float. SQLite has no `ON UPDATE`: whoever writes sets `updated_at` (the simulated shop
//! always does, in both dialects, with the time it was given).

use crate::tables::columns::{Kind, OnDelete, Table};
use crate::tables::{OPTIONAL_TABLES, TABLES};

/// Which database the SQL is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// The embedded shop.
    Sqlite,
    /// MySQL 8 or MariaDB.
    MySql,
}

/// Which tables an instance has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edition {
    /// All of them, returns and tax included.
    Full,
    /// Without [`OPTIONAL_TABLES`].
    Minimal,
}

/// One statement a table and, for SQLite, one more an index; parents before children.
pub fn create_statements(dialect: Dialect, table_prefix: &str, edition: Edition) -> Vec<String> {
    tables(edition)
        .flat_map(|table| match dialect {
            Dialect::MySql => vec![mysql_table(table, table_prefix)],
            Dialect::Sqlite => sqlite_table(table, table_prefix),
        })
        .collect()
}

/// What a session must set before it writes these tables: UTC for `timestamp` columns, and ids of 0 (the admin
/// store) taken literally.
pub fn session_statements(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::MySql => &[
            "SET time_zone = '+00:00'",
            "SET sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')",
        ],
        Dialect::Sqlite => &["PRAGMA foreign_keys = ON"],
    }
}

/// The tables of an edition, parents before children.
pub fn tables(edition: Edition) -> impl Iterator<Item = &'static Table> {
    TABLES
        .into_iter()
        .filter(move |table| edition == Edition::Full || !OPTIONAL_TABLES.contains(&table.name))
}

fn mysql_table(table: &Table, prefix: &str) -> String {
    let mut lines: Vec<String> = table
        .each_column()
        .map(|(name, kind)| format!("`{name}` {}", mysql_type(kind)))
        .collect();
    lines.extend(primary_key(table).map(|key| format!("PRIMARY KEY (`{key}`)")));
    for columns in table.unique {
        let name = index_name(table, prefix, columns);
        lines.push(format!("UNIQUE KEY `{name}` ({})", list(columns, '`')));
    }
    for columns in table.indexes {
        let name = index_name(table, prefix, columns);
        lines.push(format!("KEY `{name}` ({})", list(columns, '`')));
    }
    lines.extend(foreign_keys(table, prefix, '`'));
    format!(
        "CREATE TABLE `{prefix}{}` (\n  {}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
        table.name,
        lines.join(",\n  ")
    )
}

fn sqlite_table(table: &Table, prefix: &str) -> Vec<String> {
    let mut lines: Vec<String> = table
        .each_column()
        .map(|(name, kind)| format!("\"{name}\" {}", sqlite_type(kind)))
        .collect();
    lines.extend(foreign_keys(table, prefix, '"'));
    let mut statements = vec![format!(
        "CREATE TABLE \"{prefix}{}\" (\n  {}\n)",
        table.name,
        lines.join(",\n  ")
    )];
    let unique = table.unique.iter().map(|columns| ("UNIQUE INDEX", columns));
    let plain = table.indexes.iter().map(|columns| ("INDEX", columns));
    statements.extend(unique.chain(plain).map(|(what, columns)| {
        let name = index_name(table, prefix, columns);
        format!(
            "CREATE {what} \"{name}\" ON \"{prefix}{}\" ({})",
            table.name,
            list(columns, '"')
        )
    }));
    statements
}

fn mysql_type(kind: Kind) -> String {
    match kind {
        Kind::Identity => "int unsigned NOT NULL AUTO_INCREMENT".into(),
        Kind::SmallIdentity => "smallint unsigned NOT NULL AUTO_INCREMENT".into(),
        Kind::Key => "int unsigned NOT NULL".into(),
        Kind::KeyOrNull => "int unsigned DEFAULT NULL".into(),
        Kind::Int => "int DEFAULT NULL".into(),
        Kind::Small => "smallint unsigned DEFAULT NULL".into(),
        Kind::SmallDefault(n) => format!("smallint unsigned NOT NULL DEFAULT {n}"),
        Kind::Money => "decimal(20,4) DEFAULT NULL".into(),
        Kind::MoneyZero => "decimal(20,4) NOT NULL DEFAULT 0.0000".into(),
        Kind::Qty => "decimal(12,4) DEFAULT NULL".into(),
        Kind::QtyZero => "decimal(12,4) DEFAULT 0.0000".into(),
        Kind::Varchar(n) => format!("varchar({n}) DEFAULT NULL"),
        Kind::VarcharRequired(n) => format!("varchar({n}) NOT NULL"),
        Kind::Text => "text DEFAULT NULL".into(),
        Kind::LongText => "longtext DEFAULT NULL".into(),
        Kind::Moment => "datetime DEFAULT NULL".into(),
        Kind::CreatedAt => "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP".into(),
        Kind::UpdatedAt => "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP".into(),
    }
}

fn sqlite_type(kind: Kind) -> String {
    match kind {
        // AUTOINCREMENT: a deleted order's id is never given to another.
        Kind::Identity | Kind::SmallIdentity => "INTEGER PRIMARY KEY AUTOINCREMENT".into(),
        Kind::Key => "INTEGER NOT NULL".into(),
        Kind::KeyOrNull | Kind::Int | Kind::Small => "INTEGER".into(),
        Kind::SmallDefault(n) => format!("INTEGER NOT NULL DEFAULT {n}"),
        Kind::MoneyZero => "TEXT NOT NULL DEFAULT '0.0000'".into(),
        Kind::QtyZero => "TEXT DEFAULT '0.0000'".into(),
        Kind::VarcharRequired(_) => "TEXT NOT NULL".into(),
        Kind::Money | Kind::Qty | Kind::Varchar(_) | Kind::Text | Kind::LongText | Kind::Moment => {
            "TEXT".into()
        }
        Kind::CreatedAt | Kind::UpdatedAt => "TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP".into(),
    }
}

fn primary_key(table: &Table) -> Option<&'static str> {
    table
        .each_column()
        .find(|(_, kind)| matches!(kind, Kind::Identity | Kind::SmallIdentity))
        .map(|(name, _)| name)
}

fn foreign_keys<'a>(table: &'a Table, prefix: &'a str, q: char) -> impl Iterator<Item = String> + 'a {
    table.references.iter().map(move |reference| {
        let action = match reference.on_delete {
            OnDelete::Cascade => "CASCADE",
            OnDelete::SetNull => "SET NULL",
        };
        format!(
            "CONSTRAINT {q}{prefix}{}_{}_fk{q} FOREIGN KEY ({q}{}{q}) REFERENCES {q}{prefix}{}{q} ({q}{}{q}) ON DELETE {action}",
            table.name, reference.column, reference.column, reference.table, reference.key
        )
    })
}

/// Commerce's own pattern, `TABLE_COLUMN_COLUMN`, within MySQL's limit of 64 characters.
fn index_name(table: &Table, prefix: &str, columns: &str) -> String {
    let full = format!("{prefix}{}_{}", table.name, columns.replace(' ', "_")).to_uppercase();
    full.chars().take(64).collect()
}

fn list(columns: &str, q: char) -> String {
    let quoted: Vec<String> = columns
        .split_whitespace()
        .map(|column| format!("{q}{column}{q}"))
        .collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_accepts_every_table_also_with_a_prefix_and_twice_in_one_file() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        for prefix in ["", "mg_"] {
            for statement in create_statements(Dialect::Sqlite, prefix, Edition::Full) {
                conn.execute_batch(&statement)
                    .unwrap_or_else(|e| panic!("{e}: {statement}"));
            }
        }
    }

    #[test]
    fn an_order_has_the_columns_of_commerce() {
        let order = TABLES
            .into_iter()
            .find(|table| table.name == "sales_order")
            .unwrap();
        assert_eq!(order.each_column().count(), 136);
    }

    #[test]
    fn the_minimal_edition_lacks_returns_tax_and_the_status_log() {
        let names: Vec<_> = tables(Edition::Minimal).map(|table| table.name).collect();
        assert!(
            !names
                .iter()
                .any(|name| name.starts_with("magento_rma") || name.contains("tax"))
        );
        assert!(names.contains(&"sales_creditmemo_comment"));
    }
}
