//! The kinds of the columns, which the shop's SQLite file does not distinguish: it has decimals and times as text.

use std::collections::HashMap;
use std::sync::LazyLock;

use orderfeed_demo_shop::tables::TABLES;

/// The kind of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Number,
    Text,
    Moment,
}

static KINDS: LazyLock<HashMap<(&str, &str), Kind>> = LazyLock::new(|| {
    TABLES
        .iter()
        .flat_map(|table| {
            table
                .definitions()
                .map(|(column, mysql)| ((table.name, column), kind_of(mysql)))
        })
        .collect()
});

/// Returns the kind of a column; `None` if the table has no such column.
pub(crate) fn kind(table: &str, column: &str) -> Option<Kind> {
    KINDS.get(&(table, column)).copied()
}

fn kind_of(mysql: &str) -> Kind {
    match mysql {
        _ if mysql.starts_with("int") || mysql.starts_with("smallint") => Kind::Integer,
        _ if mysql.starts_with("decimal") => Kind::Number,
        _ if mysql.starts_with("timestamp") || mysql.starts_with("datetime") => Kind::Moment,
        _ => Kind::Text,
    }
}
