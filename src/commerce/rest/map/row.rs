//! A JSON object as a row of the table that it comes from.

use serde_json::Value;

use crate::commerce::read::cells::{self, CellRef, SourceRow};
use crate::commerce::read::spec::TableSpec;
use orderfeed_model::amount::Amount;

/// A row whose columns are the fields of an object with the same names. An absent field is NULL.
#[derive(Debug)]
pub(super) struct JsonRow<'a> {
    spec: &'static TableSpec,
    key: Option<i64>,
    owner: Option<i64>,
    object: &'a Value,
    /// Columns with another value than the object's.
    replaced: Vec<(usize, Option<String>)>,
}

impl<'a> JsonRow<'a> {
    pub(super) fn new(spec: &'static TableSpec, owner: Option<i64>, object: &'a Value) -> Self {
        Self {
            spec,
            key: number(object, spec.key),
            owner,
            object,
            replaced: Vec::new(),
        }
    }

    /// Replaces the key, for rows that have none.
    pub(super) fn with_key(self, key: i64) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }

    /// Replaces the value of a column.
    pub(super) fn set(&mut self, column: &str, value: Option<String>) {
        let index = self.spec.columns.iter().position(|name| *name == column);
        // Each name is of the table's own spec, which a test checks.
        debug_assert!(index.is_some(), "{column}");
        self.replaced.extend(index.map(|index| (index, value)));
    }
}

impl SourceRow for JsonRow<'_> {
    fn cell(&self, index: usize) -> CellRef<'_> {
        let id = |id: Option<i64>| id.map_or(CellRef::Null, CellRef::Int);
        let column = match index {
            0 => return id(self.key),
            1 => return id(self.owner),
            index => index - 2,
        };
        if let Some((_, value)) = self.replaced.iter().find(|(replaced, _)| *replaced == column) {
            let text = value.as_deref();
            return text.map_or(CellRef::Null, |text| CellRef::Text(text.as_bytes()));
        }
        let name = self.spec.columns.get(column);
        name.and_then(|name| self.object.get(name))
            .map_or(CellRef::Null, cell)
    }

    fn take_text(&mut self, index: usize) -> Option<String> {
        cells::text(self.cell(index))
    }
}

/// Cells in the order in which a caller names them.
pub(crate) struct Cells(pub(crate) Vec<Option<String>>);

impl SourceRow for Cells {
    fn cell(&self, index: usize) -> CellRef<'_> {
        let text = self.0.get(index).and_then(Option::as_deref);
        text.map_or(CellRef::Null, |text| CellRef::Text(text.as_bytes()))
    }

    fn take_text(&mut self, index: usize) -> Option<String> {
        self.0.get_mut(index).and_then(Option::take)
    }
}

/// Returns a JSON value as a cell. Objects and lists have none.
fn cell(value: &Value) -> CellRef<'_> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => CellRef::Null,
        Value::Bool(flag) => CellRef::Int(i64::from(*flag)),
        Value::String(text) => CellRef::Text(text.as_bytes()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => CellRef::Int(whole),
            (None, Some(real)) => CellRef::Real(real),
            (None, None) => CellRef::Null,
        },
    }
}

/// Returns a field as a whole number, which some versions write as text.
pub(crate) fn number(object: &Value, field: &str) -> Option<i64> {
    cells::integer(object.get(field).map_or(CellRef::Null, cell))
}

/// Returns a field as an amount, rounded to four places.
pub(crate) fn amount(object: &Value, field: &str) -> Option<Amount> {
    cells::decimal(object.get(field).map_or(CellRef::Null, cell))
}

/// Returns a field as text.
pub(crate) fn text(object: &Value, field: &str) -> Option<String> {
    cells::text(object.get(field).map_or(CellRef::Null, cell))
}

/// Returns a list of objects. PHP writes an empty map as a list, and a list with gaps as a map.
pub(crate) fn objects(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(list)) => list.iter().filter(|item| item.is_object()).collect(),
        Some(Value::Object(map)) => map.values().filter(|item| item.is_object()).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::read::tables::SourceTable;
    use serde_json::json;

    #[test]
    fn numbers_are_understood_in_every_form_that_php_writes() {
        let object = json!({"entity_id": "7", "base_grand_total": 34.400000000000006, "state": "2", "is_virtual": true});
        assert_eq!(number(&object, "entity_id"), Some(7));
        assert_eq!(amount(&object, "base_grand_total"), Amount::parse("34.4"));
        assert_eq!(number(&object, "is_virtual"), Some(1));
        let row = JsonRow::new(SourceTable::Invoices.spec(), Some(3), &object);
        assert_eq!((row.cell(0), row.cell(1)), (CellRef::Int(7), CellRef::Int(3)));
        assert_eq!(cells::integer(row.cell(3)), Some(2));
        assert_eq!(row.cell(4), CellRef::Null, "created_at is absent");
    }

    #[test]
    fn maps_and_lists_are_interchangeable() {
        let object = json!({"a": {"0": {"x": 1}, "2": {"x": 2}}, "b": [], "c": null});
        assert_eq!(objects(object.get("a")).len(), 2);
        for empty in ["b", "c", "d"] {
            assert!(objects(object.get(empty)).is_empty());
        }
    }
}
