//! A row of a table, with the names of its columns.

use std::sync::Arc;

use rusqlite::types::Value;

/// A row. Rows of one statement share the names.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    names: Arc<Vec<String>>,
    cells: Vec<Value>,
}

impl Row {
    pub(crate) fn new(names: Arc<Vec<String>>, cells: Vec<Value>) -> Self {
        Self { names, cells }
    }

    /// Returns the columns with their values, in order.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.names.iter().map(String::as_str).zip(&self.cells)
    }

    fn cell(&self, name: &str) -> Option<&Value> {
        let index = self.names.iter().position(|column| column == name)?;
        self.cells.get(index)
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        match self.cell(name)? {
            Value::Integer(number) => Some(*number),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.cell(name)? {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Real(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Returns an amount in units of the fourth decimal place.
    pub(crate) fn amount(&self, name: &str) -> Option<i64> {
        parse_amount(&self.text(name)?)
    }
}

/// Parses a decimal into units of its fourth place.
pub(crate) fn parse_amount(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let padded = format!("{:0<4}", fraction.get(..4).unwrap_or(fraction));
    let whole: i64 = whole.parse().ok()?;
    let fraction: i64 = padded.parse().ok()?;
    Some(sign * (whole * 10_000 + fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_four_places() {
        assert_eq!(parse_amount("12.5000"), Some(125_000));
        assert_eq!(parse_amount("-0.05"), Some(-500));
        assert_eq!(parse_amount("7"), Some(70_000));
        assert_eq!(parse_amount("x"), None);
    }
}
