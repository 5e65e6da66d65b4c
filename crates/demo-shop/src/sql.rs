//! What the simulated shop says to a database: rows, statements and transactions that are valid in both dialects.
//!
//! Placeholders are `?`; names are not quoted (none of the columns that the shop writes is a reserved word in either
//! dialect). Amounts and quantities travel as decimal text, which a `decimal` column takes exactly.

use std::borrow::Cow;

use crate::amount::Amount;
use orderfeed_model::clock::UtcMillis;

/// One value of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// SQL `NULL`.
    Null,
    /// A whole number.
    Int(i64),
    /// Text; also how timestamps, amounts and quantities are written.
    Text(Cow<'static, str>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Int(i64::from(flag))
    }
}

impl From<Amount> for Value {
    fn from(amount: Amount) -> Self {
        Self::Text(Cow::Owned(amount.to_string()))
    }
}

impl From<UtcMillis> for Value {
    fn from(at: UtcMillis) -> Self {
        Self::Text(Cow::Owned(at.sql()))
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A statement with its parameters in the order of its `?`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The text.
    pub sql: String,
    /// What the placeholders stand for.
    pub params: Vec<Value>,
}

/// One deed of a shopper or merchant: what a database commits at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    /// When it happened.
    pub at: UtcMillis,
    /// What happened, for a log line: `place`, `invoice`, `ship` …
    pub action: &'static str,
    /// The order that it is about; 0 when it is about none.
    pub order_id: i64,
    /// What to execute, in order.
    pub statements: Vec<Statement>,
}

/// A row to be inserted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The table, without prefix.
    pub table: &'static str,
    /// The columns that are not left to their defaults.
    pub columns: Vec<&'static str>,
    /// Their values, in the same order.
    pub values: Vec<Value>,
}

impl Row {
    /// A row of `table` from `(column, value)` pairs.
    pub fn new(table: &'static str, cells: Vec<(&'static str, Value)>) -> Self {
        let (columns, values): (Vec<_>, Vec<_>) = cells.into_iter().unzip();
        Self {
            table,
            columns,
            values,
        }
    }

    /// The value under `column`, if the row has it.
    pub(crate) fn get(&self, column: &str) -> Option<&Value> {
        let at = self.columns.iter().position(|name| *name == column)?;
        self.values.get(at)
    }

    /// Puts `value` under `column`.
    pub(crate) fn set(&mut self, column: &'static str, value: Value) {
        match self.columns.iter().position(|name| *name == column) {
            Some(at) => self.values[at] = value,
            None => {
                self.columns.push(column);
                self.values.push(value);
            }
        }
    }

    /// The `INSERT` of this row alone.
    pub fn insert(self, table_prefix: &str) -> Statement {
        Statement {
            sql: insert_sql(table_prefix, self.table, &self.columns, 1),
            params: self.values,
        }
    }
}

/// `INSERT INTO … VALUES (…), (…)` for `rows` rows.
pub(crate) fn insert_sql(table_prefix: &str, table: &str, columns: &[&str], rows: usize) -> String {
    let one = format!("({})", vec!["?"; columns.len()].join(","));
    let all = vec![one.as_str(); rows].join(",");
    format!(
        "INSERT INTO {table_prefix}{table} ({}) VALUES {all}",
        columns.join(",")
    )
}

/// `UPDATE … SET … WHERE key = id`.
pub(crate) fn update(
    table_prefix: &str,
    table: &str,
    (key, id): (&str, i64),
    cells: Vec<(&'static str, Value)>,
) -> Statement {
    let (columns, mut params): (Vec<_>, Vec<_>) = cells.into_iter().unzip();
    params.push(Value::Int(id));
    Statement {
        sql: format!(
            "UPDATE {table_prefix}{table} SET {} = ? WHERE {key} = ?",
            columns.join(" = ?, ")
        ),
        params,
    }
}
