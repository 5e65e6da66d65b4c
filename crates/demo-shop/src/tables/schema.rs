//! The DDL of the sales tables, derived from `schema.sql` for both dialects.
//!
//! MySQL and MariaDB get the real types: InnoDB, utf8mb4, `decimal(20,4)` and `decimal(12,4)`, `timestamp` with `ON UPDATE`.
//! SQLite gets `INTEGER` for integers and `TEXT` for everything else: a timestamp is `YYYY-MM-DD HH:MM:SS` in UTC, and an
//! amount is its decimal text with four places (`12.5000`), so that no number becomes a float. SQLite has no `ON UPDATE`:
//! the writer sets `updated_at`, as the simulated shop does in both dialects.

use crate::tables::{OPTIONAL_TABLES, TABLES, Table};

/// The database that SQL is written for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    Sqlite,
    /// MySQL 8 or MariaDB.
    MySql,
}

/// The set of tables an instance has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edition {
    /// All tables, including returns and tax.
    Full,
    Minimal,
}

/// Returns the statements that create the tables and, for SQLite, their indexes. Parents come before children.
pub fn create_statements(dialect: Dialect, table_prefix: &str, edition: Edition) -> Vec<String> {
    tables(edition)
        .flat_map(|table| match dialect {
            Dialect::MySql => vec![mysql_table(table, table_prefix)],
            Dialect::Sqlite => sqlite_table(table, table_prefix),
        })
        .collect()
}

/// Returns the settings a session needs before it writes these tables: UTC for `timestamp` columns, and ids of 0 (the
/// admin store) taken literally.
pub fn session_statements(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::MySql => &[
            "SET time_zone = '+00:00'",
            "SET sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')",
        ],
        Dialect::Sqlite => &["PRAGMA foreign_keys = ON"],
    }
}

/// Returns the tables of an edition, parents before children.
pub fn tables(edition: Edition) -> impl Iterator<Item = &'static Table> {
    TABLES
        .iter()
        .filter(move |table| edition == Edition::Full || !OPTIONAL_TABLES.contains(&table.name))
}

fn mysql_table(table: &Table, prefix: &str) -> String {
    let lines = table.lines.join(",\n  ");
    format!(
        "CREATE TABLE `{prefix}{}` (\n  {}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
        table.name,
        lines.replace("REFERENCES `", &format!("REFERENCES `{prefix}"))
    )
}

fn sqlite_table(table: &Table, prefix: &str) -> Vec<String> {
    let name = format!("{prefix}{}", table.name);
    let columns = table
        .definitions()
        .map(|(name, mysql)| format!("`{name}` {}", sqlite_type(mysql)));
    let references = table.clauses("FOREIGN KEY ").map(|clause| {
        let clause = clause.replace("REFERENCES `", &format!("REFERENCES `{prefix}"));
        format!("FOREIGN KEY {clause}")
    });
    let lines: Vec<String> = columns.chain(references).collect();
    let mut statements = vec![format!("CREATE TABLE `{name}` (\n  {}\n)", lines.join(",\n  "))];
    for (unique, keyword) in [("UNIQUE ", "UNIQUE KEY "), ("", "KEY ")] {
        statements.extend(table.clauses(keyword).map(|columns| {
            // Names of indexes are unique in a database, not only in their table.
            let index = format!("{name}_{columns}")
                .replace(", ", "_")
                .replace(['(', ')', '`'], "");
            format!(
                "CREATE {unique}INDEX `{}` ON `{name}` {columns}",
                index.to_uppercase()
            )
        }));
    }
    statements
}

/// Translates the type of a MySQL column to SQLite.
fn sqlite_type(mysql: &str) -> String {
    // AUTOINCREMENT: the id of a deleted order is never given to another one.
    if mysql.ends_with("AUTO_INCREMENT") {
        return "INTEGER PRIMARY KEY AUTOINCREMENT".into();
    }
    let is_integer = mysql.starts_with("int") || mysql.starts_with("smallint");
    let mut sqlite = String::from(if is_integer { "INTEGER" } else { "TEXT" });
    if mysql.contains("NOT NULL") {
        sqlite.push_str(" NOT NULL");
    }
    let default = mysql.split_once("DEFAULT ").map(|(_, default)| default);
    match default.map(|default| default.trim_end_matches(" ON UPDATE CURRENT_TIMESTAMP")) {
        None | Some("NULL") => {}
        Some(number) if number.contains('.') => sqlite.push_str(&format!(" DEFAULT '{number}'")),
        Some(default) => sqlite.push_str(&format!(" DEFAULT {default}")),
    }
    sqlite
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
        let order = TABLES.iter().find(|table| table.name == "sales_order").unwrap();
        assert_eq!(order.columns().count(), 136);
    }

    #[test]
    fn sqlite_gets_its_own_types() {
        let types = |mysql| sqlite_type(mysql);
        assert_eq!(
            types("int unsigned NOT NULL AUTO_INCREMENT"),
            "INTEGER PRIMARY KEY AUTOINCREMENT"
        );
        assert_eq!(
            types("smallint unsigned NOT NULL DEFAULT 0"),
            "INTEGER NOT NULL DEFAULT 0"
        );
        assert_eq!(types("int DEFAULT NULL"), "INTEGER");
        assert_eq!(
            types("decimal(20,4) NOT NULL DEFAULT 0.0000"),
            "TEXT NOT NULL DEFAULT '0.0000'"
        );
        assert_eq!(types("varchar(32) DEFAULT NULL"), "TEXT");
        let updated = "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP";
        assert_eq!(types(updated), "TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP");
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
