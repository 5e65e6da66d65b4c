//! Whole orders from rows that a caller generates, read by the code that reads a database's rows. For fuzzing and tests
//! only.

use crate::commerce::read::assemble::Assembly;
use crate::commerce::read::cells;
use crate::commerce::read::cells::{CellRef, SourceRow};
use crate::commerce::read::tables::SourceTable;
use crate::commerce::source::ReadOrder;
use orderfeed_model::order::OrderId;

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum RowValue {
    Null,
    Int(i64),
    /// A floating-point number, which is what SQLite stores for decimals.
    Real(f64),
    /// Text, which need not be UTF-8.
    Text(Vec<u8>),
}

/// A request for the rows of a table that belong to these owners.
#[derive(Clone, Copy, Debug)]
pub struct RowRequest<'a> {
    /// The table's name without prefix.
    pub table: &'static str,
    /// The columns after key and owner, in the order of a row.
    pub columns: &'static [&'static str],
    /// The ids of the orders or documents that the rows belong to; the orders' own ids for `sales_order`.
    pub owners: &'a [i64],
}

/// Reads orders as a source does: the scopes, then table by table, then the labels of return items. A row consists of its
/// key, its owner (the store's id for `sales_order`), and the columns. The labels are requested as the table `labels`
/// without columns: item id, attribute code, label.
pub fn read_orders(
    ids: &[OrderId],
    scopes: Vec<Vec<RowValue>>,
    mut rows: impl FnMut(RowRequest<'_>) -> Vec<Vec<RowValue>>,
) -> Vec<ReadOrder> {
    let mut assembly = Assembly::new(ids, usize::MAX);
    scopes.into_iter().for_each(|row| assembly.add_scope(Given(row)));
    for &table in SourceTable::ALL {
        let owners = assembly.owners(table);
        let asked = RowRequest {
            table: table.spec().table,
            columns: table.spec().columns,
            owners: &owners,
        };
        rows(asked)
            .into_iter()
            .for_each(|row| assembly.add(table, Given(row)));
    }
    let items = assembly.return_items();
    let labels = RowRequest {
        table: "labels",
        columns: &[],
        owners: &items,
    };
    rows(labels)
        .into_iter()
        .for_each(|row| assembly.add_label(Given(row)));
    // Without a bound nothing is too large.
    assembly.finish().unwrap_or_default()
}

struct Given(Vec<RowValue>);

impl SourceRow for Given {
    fn cell(&self, index: usize) -> CellRef<'_> {
        match self.0.get(index) {
            None | Some(RowValue::Null) => CellRef::Null,
            Some(RowValue::Int(value)) => CellRef::Int(*value),
            Some(RowValue::Real(value)) => CellRef::Real(*value),
            Some(RowValue::Text(text)) => CellRef::Text(text),
        }
    }

    fn take_text(&mut self, index: usize) -> Option<String> {
        cells::text(self.cell(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_given_by_hand_become_a_whole_order() {
        let text = |text: &str| RowValue::Text(text.into());
        let scopes = vec![vec![
            RowValue::Int(1),
            text("base"),
            text("main"),
            text("default"),
        ]];
        let read = read_orders(&[7], scopes, |asked| match asked.table {
            "sales_order" => vec![vec![
                RowValue::Int(7),
                RowValue::Int(1),
                text("000000007"),
                text("NEW"),
            ]],
            "sales_invoice" => vec![vec![
                RowValue::Int(3),
                RowValue::Int(asked.owners[0]),
                text("000000003"),
            ]],
            _ => Vec::new(),
        });
        let [ReadOrder::Whole(order)] = &read[..] else {
            panic!("{read:?}");
        };
        assert_eq!(
            (order.number.as_str(), order.state.as_str()),
            ("000000007", "new")
        );
        assert_eq!(order.invoices[0].number.as_deref(), Some("000000003"));
        assert_eq!(order.scope.as_ref().unwrap().website, "base");
    }
}
