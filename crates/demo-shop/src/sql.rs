//! Rows, statements and transactions that are valid in both SQL dialects.
//!
//! Placeholders are `?`. Names are not quoted, since no column that the shop writes is a reserved word in either
//! dialect. Amounts and quantities are passed as decimal text, which a `decimal` column stores exactly.

use std::borrow::Cow;

use crate::amount::Amount;
use orderfeed_model::clock::UtcMillis;

/// One value of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    Null,
    /// Converts a whole number.
    Int(i64),
    /// Text, also for timestamps, amounts and quantities.
    Text(Cow<'static, str>),
}

macro_rules! values {
    ($($type:ty: $value:ident => $converted:expr;)*) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $converted
            }
        })*
    };
}
values! {
    i64: number => Self::Int(number);
    bool: flag => Self::Int(i64::from(flag));
    Amount: amount => Self::Text(Cow::Owned(amount.to_string()));
    UtcMillis: at => Self::Text(Cow::Owned(at.sql()));
    &'static str: text => Self::Text(Cow::Borrowed(text));
    String: text => Self::Text(Cow::Owned(text));
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A statement with its parameters, in the order of its placeholders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    pub sql: String,
    /// Parameters, in the order of the placeholders.
    pub params: Vec<Value>,
}

/// The statements of one action, committed as one transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transaction {
    pub at: UtcMillis,
    /// Name of the action for log lines, such as `place` or `ship`.
    pub action: &'static str,
    /// Id of the order, or 0 if the action concerns none.
    pub order_id: i64,
    /// Statements to execute, in order.
    pub statements: Vec<Statement>,
}

/// Columns with their values.
pub(crate) type Cells = Vec<(&'static str, Value)>;

/// Builds [`Cells`] from columns and anything that converts to a [`Value`].
macro_rules! cells {
    ($($column:literal: $value:expr),* $(,)?) => {
        vec![$(($column, $crate::sql::Value::from($value))),*]
    };
}
pub(crate) use cells;

/// A row to insert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Name of the table without prefix.
    pub table: &'static str,
    /// Columns that do not get their default.
    pub columns: Vec<&'static str>,
    /// Values, in the order of the columns.
    pub values: Vec<Value>,
}

impl Row {
    /// Creates a row of `table` from `(column, value)` pairs.
    pub fn new(table: &'static str, cells: Cells) -> Self {
        let (columns, values): (Vec<_>, Vec<_>) = cells.into_iter().unzip();
        Self {
            table,
            columns,
            values,
        }
    }

    /// Returns the value of `column`, if the row has it.
    pub(crate) fn get(&self, column: &str) -> Option<&Value> {
        let at = self.columns.iter().position(|name| *name == column)?;
        self.values.get(at)
    }

    /// Sets `column` to `value`.
    pub(crate) fn set(&mut self, column: &'static str, value: Value) {
        match self.columns.iter().position(|name| *name == column) {
            Some(at) => self.values[at] = value,
            None => {
                self.columns.push(column);
                self.values.push(value);
            }
        }
    }

    /// Returns the `INSERT` of this row alone.
    pub fn insert(self, table_prefix: &str) -> Statement {
        Statement {
            sql: insert_sql(table_prefix, self.table, &self.columns, 1),
            params: self.values,
        }
    }
}

/// Builds `INSERT INTO … VALUES (…), (…)` for `rows` rows.
pub(crate) fn insert_sql(table_prefix: &str, table: &str, columns: &[&str], rows: usize) -> String {
    let one = format!("({})", vec!["?"; columns.len()].join(","));
    let all = vec![one.as_str(); rows].join(",");
    format!(
        "INSERT INTO {table_prefix}{table} ({}) VALUES {all}",
        columns.join(",")
    )
}

/// Builds `UPDATE … SET … WHERE key = id`.
pub(crate) fn update(table_prefix: &str, table: &str, (key, id): (&str, i64), cells: Cells) -> Statement {
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
