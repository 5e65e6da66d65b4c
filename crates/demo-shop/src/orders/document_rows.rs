//! The parts that invoices, shipments and credit memos share: item selection and item rows.

use crate::amount::Amount;
use crate::orders::model::{Cost, Item, Order};
use crate::orders::recorder::{Recorder, both};
use crate::orders::rows;
use crate::shop::catalog::ProductKind;
use crate::shop::stores::WEBSITES;
use crate::sql::{Cells, cells};

/// Items by index, with quantities.
pub(crate) type Picked = Vec<(usize, Amount)>;

/// The two halves of a document item's row: the item's cells and the document's cells.
pub(crate) type ItemRow = (Cells, Cells);

/// Picks some or all of the available items, at least one.
pub(crate) fn pick(recorder: &mut Recorder<'_>, order: &Order, there: Picked, everything: bool) -> Picked {
    let there: Picked = there.into_iter().filter(|(_, qty)| *qty > Amount::ZERO).collect();
    if everything || recorder.chance(45) {
        return there;
    }
    let chosen: Picked = there.iter().copied().filter(|_| recorder.chance(65)).collect();
    let some: Picked = chosen
        .into_iter()
        .map(|(i, qty)| (i, portion(recorder, order, i, qty)))
        .collect();
    if some.is_empty() {
        there.into_iter().take(1).collect()
    } else {
        some
    }
}

/// Invoices or refunds the picked items: updates their `counter` and returns the cost with the document's rows.
/// Parents and parts both get a row, but only parents add to the cost, since their price includes the parts.
pub(crate) fn settle(
    order: &mut Order,
    picked: &Picked,
    counter: fn(&mut Item) -> &mut Amount,
) -> (Cost, Vec<ItemRow>) {
    let (mut cost, mut rows) = (Cost::default(), vec![]);
    for &(line, qty) in picked {
        for (index, qty) in with_children(order, line, qty) {
            let item = &mut order.items[index];
            item.touched = true;
            let done = *counter(item);
            *counter(item) += qty;
            let part = order.cost_of(index, done + qty) - order.cost_of(index, done);
            if index == line {
                cost += part;
            }
            rows.push(money_item(order, index, qty, part));
        }
    }
    (cost, rows)
}

fn portion(recorder: &mut Recorder<'_>, order: &Order, index: usize, qty: Amount) -> Amount {
    if order.items[index].product.kind == ProductKind::ByWeight {
        return if recorder.chance(60) {
            qty
        } else {
            Amount(recorder.rng.i64(1..=qty.0))
        };
    }
    let whole = qty.0 / Amount::whole(1).0;
    if whole <= 1 || recorder.chance(50) {
        qty
    } else {
        Amount::whole(recorder.rng.i64(1..=whole))
    }
}

/// Returns a parent item with its parts, each with its own quantity.
pub(crate) fn with_children(order: &Order, line: usize, qty: Amount) -> Picked {
    let children = order.children(line).into_iter();
    std::iter::once((line, qty))
        .chain(children.map(|child| (child, qty.times(order.items[child].per_parent, Amount(1)))))
        .collect()
}

/// Sums the quantities.
pub(crate) fn total(picked: &Picked) -> Amount {
    picked.iter().map(|(_, qty)| *qty).sum()
}

/// Returns the cells that all three kinds of document share.
pub(crate) fn document_cells(
    recorder: &mut Recorder<'_>,
    order: &Order,
    table: &'static str,
    id: i64,
) -> Cells {
    let number = recorder.number(table, order.store);
    let mut cells = cells! {
        "entity_id": id,
        "store_id": rows::store_id(order),
        "order_id": order.id,
        "increment_id": number,
        "billing_address_id": order.billing.0,
        "created_at": recorder.at,
        "updated_at": recorder.at,
    };
    if table != "sales_shipment" {
        let site = &WEBSITES[order.store.website];
        cells.extend(cells! {
            "base_currency_code": site.currency,
            "order_currency_code": order.store.currency,
            "base_to_order_rate": order.store.rate,
        });
    }
    cells
}

/// Returns the cells for an item and its quantity.
pub(crate) fn item_cells(order: &Order, index: usize, qty: Amount) -> Cells {
    let item = &order.items[index];
    cells! {
        "order_item_id": item.id,
        "product_id": item.product.id,
        "sku": rows::sku(order, index),
        "name": item.product.name,
        "qty": qty,
    }
}

fn money_item(order: &Order, index: usize, qty: Amount, part: Cost) -> ItemRow {
    let mut money = vec![];
    both(&mut money, "base_price", order.items[index].price);
    both(&mut money, "base_row_total", part.subtotal);
    both(&mut money, "base_tax_amount", part.tax);
    both(&mut money, "base_discount_amount", part.discount);
    both(&mut money, "base_row_total_incl_tax", part.subtotal + part.tax);
    (item_cells(order, index, qty), money)
}

/// Records the items of the document `parent`.
pub(crate) fn write_items(
    recorder: &mut Recorder<'_>,
    table: &'static str,
    parent: i64,
    items: Vec<ItemRow>,
) {
    for (head, tail) in items {
        let mut cells = cells! {
            "entity_id": recorder.id(table),
            "parent_id": parent,
        };
        cells.extend(head);
        cells.extend(tail);
        recorder.insert(table, cells);
    }
}
