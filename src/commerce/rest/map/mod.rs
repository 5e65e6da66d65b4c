//! Orders and documents of the REST API as rows of the tables that they come from. Pure.
//!
//! The columns and their types are those of [`SourceTable`], so an order becomes the same value as from a database. What
//! REST names otherwise, nests or rewrites is translated here; what it lacks is read as NULL.
//!
//! | module | content |
//! |---|---|
//! | [`row`] | a JSON object as a row |
//! | [`totals`] | the row totals of items, which REST rewrites |
//! | [`scopes`] | websites, stores and store views |

pub(crate) mod row;
pub(crate) mod scopes;
mod totals;

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use crate::commerce::read::assemble::Assembly;
use crate::commerce::read::tables::SourceTable;
use crate::commerce::rest::list::List;
use crate::commerce::rest::map::row::{Cells, JsonRow, number, objects, text};
use orderfeed_model::amount::Amount;

/// Labels of the options of return items, by attribute and option id.
pub(crate) type ReturnLabels = HashMap<(&'static str, String), String>;

/// The attributes of return items that hold the id of an option.
pub(crate) const LABELLED: [&str; 3] = ["reason", "condition", "resolution"];

/// Returns true if an item of a return has an option, whose label must be known.
pub(crate) fn has_options(returned: &Value) -> bool {
    let items = objects(returned.get("items"));
    let is_given = |item: &Value, attribute| text(item, attribute).is_some_and(|option| !option.is_empty());
    let mut given = items
        .into_iter()
        .flat_map(|item| LABELLED.map(|attribute| is_given(item, attribute)));
    given.any(|is_given| is_given)
}

/// Adds an order with everything that it holds itself.
pub(crate) fn add_order(assembly: &mut Assembly, order: &Value) {
    let Some(id) = number(order, "entity_id") else {
        return;
    };
    let extension = order.get("extension_attributes").unwrap_or(&Value::Null);
    let assignments = extension.get("shipping_assignments");
    let assignment = objects(assignments).into_iter().next();
    let shipping = assignment.and_then(|assignment| assignment.get("shipping"));
    let mut row = JsonRow::new(SourceTable::Orders.spec(), number(order, "store_id"), order);
    let method = shipping.and_then(|shipping| text(shipping, "method"));
    row.set("shipping_method", method);
    assembly.add(SourceTable::Orders, row);
    add_items(assembly, id, order);
    let addresses = [
        ("billing", order.get("billing_address")),
        ("shipping", shipping.and_then(|shipping| shipping.get("address"))),
    ];
    for (kind, address) in addresses {
        add_address(assembly, id, kind, address);
    }
    if let Some(payment) = order.get("payment").filter(|payment| payment.is_object()) {
        let mut row = JsonRow::new(SourceTable::Payments.spec(), Some(id), payment);
        row.set("additional_information", additional_information(extension));
        assembly.add(SourceTable::Payments, row);
    }
    add_taxes(assembly, id, extension);
    add_rows(assembly, SourceTable::History, id, order.get("status_histories"));
}

/// Adds a document of an order. `names` are SKU and name of the order's items, which REST does not repeat in returns.
pub(crate) fn add_document(
    assembly: &mut Assembly,
    list: List,
    document: &Value,
    names: &ItemNames,
    labels: &ReturnLabels,
) {
    let (Some(id), order) = (number(document, list.key()), number(document, list.order_key())) else {
        return;
    };
    assembly.add(list.table(), JsonRow::new(list.table().spec(), order, document));
    let part = |name: &str| document.get(name);
    match list {
        List::Orders | List::Transactions => {}
        List::Invoices => add_rows(assembly, SourceTable::InvoiceItems, id, part("items")),
        List::Shipments => {
            add_rows(assembly, SourceTable::ShipmentItems, id, part("items"));
            add_rows(assembly, SourceTable::Tracks, id, part("tracks"));
        }
        List::CreditMemos => {
            add_rows(assembly, SourceTable::CreditMemoItems, id, part("items"));
            add_rows(assembly, SourceTable::CreditMemoComments, id, part("comments"));
        }
        List::Returns => {
            add_return_items(assembly, id, part("items"), names, labels);
            add_rows(assembly, SourceTable::ReturnHistory, id, part("comments"));
        }
    }
}

/// SKU and name of order items, by their ids.
#[derive(Debug, Default)]
pub(crate) struct ItemNames(HashMap<i64, (Option<String>, Option<String>)>);

impl ItemNames {
    /// Adds the items of an order.
    pub(crate) fn add(&mut self, order: &Value) {
        for item in objects(order.get("items")) {
            if let Some(id) = number(item, "item_id") {
                self.0.insert(id, (text(item, "sku"), text(item, "name")));
            }
        }
    }
}

/// Adds the rows of a table, in the order of their keys.
fn add_rows(assembly: &mut Assembly, table: SourceTable, owner: i64, rows: Option<&Value>) {
    for row in in_order(table, rows) {
        assembly.add(table, JsonRow::new(table.spec(), Some(owner), row));
    }
}

/// Returns the objects of a list, each key once, in the order of the keys: equal orders must become equal values.
fn in_order(table: SourceTable, rows: Option<&Value>) -> Vec<&Value> {
    let key = table.spec().key;
    let rows = objects(rows).into_iter();
    let by_key: BTreeMap<i64, &Value> = rows.filter_map(|row| Some((number(row, key)?, row))).collect();
    by_key.into_values().collect()
}

fn add_items(assembly: &mut Assembly, order: i64, value: &Value) {
    let items = in_order(SourceTable::Items, value.get("items"));
    for item in &items {
        let (row_total, with_tax) = totals::row_totals(item);
        let mut row = JsonRow::new(SourceTable::Items.spec(), Some(order), item);
        row.set("base_row_total", row_total.map(|amount| amount.to_string()));
        row.set(
            "base_row_total_incl_tax",
            with_tax.map(|amount| amount.to_string()),
        );
        row.set("product_options", shipment_type(item, &items));
        assembly.add(SourceTable::Items, row);
    }
}

/// Returns the options of a bundle whose parts are shipped separately, as far as its quantities show it: REST has no options
/// of products. Such a bundle is never shipped itself, its parts are.
fn shipment_type(item: &Value, items: &[&Value]) -> Option<String> {
    let quantity = |item: &Value, field| row::amount(item, field).unwrap_or_default();
    let id = number(item, "item_id");
    if text(item, "product_type")? != "bundle" || quantity(item, "qty_shipped") != Amount::ZERO {
        return None;
    }
    let mut parts = items
        .iter()
        .filter(|part| number(part, "parent_item_id") == id)
        .peekable();
    parts.peek()?;
    let is_closed = |part: &Value| {
        let done = quantity(part, "qty_shipped").max(quantity(part, "qty_refunded"));
        quantity(part, "qty_ordered") <= done + quantity(part, "qty_canceled")
    };
    let is_shipped = |part: &Value| quantity(part, "qty_shipped") != Amount::ZERO;
    let is_separate =
        parts.clone().any(|part| is_shipped(part)) || (!is_closed(item) && parts.all(|part| is_closed(part)));
    is_separate.then(|| json!({"shipment_type": 1}).to_string())
}

fn add_address(assembly: &mut Assembly, order: i64, kind: &str, address: Option<&Value>) {
    let Some(address) = address.filter(|address| address.is_object()) else {
        return;
    };
    let mut row = JsonRow::new(SourceTable::Addresses.spec(), Some(order), address);
    row.set("address_type", Some(kind.to_owned()));
    if let Some(Value::Array(lines)) = address.get("street") {
        let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
        row.set("street", Some(lines.join("\n")));
    }
    assembly.add(SourceTable::Addresses, row);
}

/// Returns the title of the payment method in the form of the database. `payment.additional_information` has the values
/// without their keys, so only the extension attribute can be used.
fn additional_information(extension: &Value) -> Option<String> {
    let information = objects(extension.get("payment_additional_info"));
    let title = information
        .into_iter()
        .find(|entry| text(entry, "key").as_deref() == Some("method_title"))?;
    Some(json!({"method_title": text(title, "value")?}).to_string())
}

fn add_taxes(assembly: &mut Assembly, order: i64, extension: &Value) {
    // `taxes`, from 2.4.7 on, has the ids of the rows. Before, their place in the list stands for it.
    let known = objects(extension.get("taxes"));
    let (taxes, has_ids) = match known.iter().all(|tax| number(tax, "tax_id").is_some()) && !known.is_empty()
    {
        true => (known, true),
        false => (objects(extension.get("applied_taxes")), false),
    };
    for (tax, place) in taxes.into_iter().zip(1..) {
        let row = JsonRow::new(SourceTable::Taxes.spec(), Some(order), tax);
        assembly.add(
            SourceTable::Taxes,
            if has_ids { row } else { row.with_key(place) },
        );
    }
}

fn add_return_items(
    assembly: &mut Assembly,
    id: i64,
    items: Option<&Value>,
    names: &ItemNames,
    labels: &ReturnLabels,
) {
    for item in in_order(SourceTable::ReturnItems, items) {
        let of_order = number(item, "order_item_id").and_then(|item| names.0.get(&item));
        let (sku, name) = of_order.cloned().unwrap_or_default();
        let mut row = JsonRow::new(SourceTable::ReturnItems.spec(), Some(id), item);
        row.set("product_sku", sku);
        row.set("product_name", name);
        assembly.add(SourceTable::ReturnItems, row);
        for attribute in LABELLED {
            let option = text(item, attribute).filter(|option| !option.is_empty());
            // An option without a label may be a label already.
            let label = option.map(|option| match labels.get(&(attribute, option.clone())) {
                Some(label) => label.clone(),
                None => option,
            });
            let key = number(item, SourceTable::ReturnItems.spec().key);
            if let (Some(key), Some(label)) = (key, label) {
                let cells = vec![Some(key.to_string()), Some(attribute.to_owned()), Some(label)];
                assembly.add_label(Cells(cells));
            }
        }
    }
}

#[cfg(test)]
mod tests;
