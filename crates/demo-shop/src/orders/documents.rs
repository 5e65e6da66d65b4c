//! The merchant's documents: invoices, shipments with their tracks. Each writes its rows and moves the
//! order's quantities and totals by exactly what it says.

use crate::amount::Amount;
use crate::orders::document_rows::{
    document_cells, item_cells, pick, settle, total, with_children, write_items,
};
use crate::orders::model::{Cost, Invoice, Money, Order, State};
use crate::orders::placing::transaction;
use crate::orders::recorder::Pen;
use crate::orders::rows;
use crate::shop::catalog::ProductKind;
use crate::sql::Value;

/// Invoices some of what is not yet invoiced; everything for a sale at the checkout.
pub(crate) fn invoice(pen: &mut Pen<'_>, order: &mut Order, everything: bool) {
    let lines = order
        .lines()
        .into_iter()
        .map(|i| (i, order.items[i].to_invoice()));
    let picked = pick(pen, order, lines.collect(), everything);
    let id = pen.id("sales_invoice");
    let qty = total(&picked);
    let (mut cost, items) = settle(order, &picked, |item| &mut item.invoiced);
    if order.invoices.is_empty() {
        cost += Cost {
            shipping: order.cost.shipping,
            shipping_tax: order.cost.shipping_tax,
            tax: order.cost.shipping_tax,
            ..Cost::default()
        };
    }
    let grand = cost.grand_total();
    let paid = order.payment.online || grand == Money::default() || pen.chance(75);
    let captured = if order.payment.online {
        capture(pen, order)
    } else {
        None
    };
    let mut cells = document_cells(pen, order, "sales_invoice", id);
    cells.extend([
        ("total_qty", qty.into()),
        ("state", Value::Int(if paid { 2 } else { 1 })),
        ("transaction_id", captured.into()),
    ]);
    cells.extend([
        ("is_used_for_refund", Value::Null),
        ("base_total_refunded", Value::Null),
    ]);
    rows::cost_cells(&mut cells, cost, grand);
    pen.insert("sales_invoice", cells);
    write_items(pen, "sales_invoice_item", id, items);
    order.invoiced += cost;
    order.invoices.push(Invoice {
        id,
        total: grand,
        paid,
        refunded: Money::default(),
    });
    if paid {
        receive(pen, order, grand);
    }
    order.enter(order.resolved_state());
}

/// The money of an open invoice arrives.
pub(crate) fn pay_invoice(pen: &mut Pen<'_>, order: &mut Order) {
    let Some(open) = order.invoices.iter_mut().find(|invoice| !invoice.paid) else {
        return;
    };
    open.paid = true;
    let Invoice { id, total, .. } = *open;
    pen.update(
        "sales_invoice",
        "entity_id",
        id,
        vec![("state", Value::Int(2)), ("updated_at", pen.at.into())],
    );
    receive(pen, order, total);
    order.enter(order.resolved_state());
}

/// Ships some of what is left, with none to three tracking numbers.
pub(crate) fn ship(pen: &mut Pen<'_>, order: &mut Order) {
    let left = (0..order.items.len()).map(|i| (i, order.to_ship(i)));
    let picked = pick(pen, order, left.collect(), false);
    let id = pen.id("sales_shipment");
    let mut cells = document_cells(pen, order, "sales_shipment", id);
    let shipping = order.shipping.as_ref().map(|(id, _)| *id);
    cells.extend([
        ("total_qty", total(&picked).into()),
        ("shipping_address_id", shipping.into()),
    ]);
    cells.extend([
        ("customer_id", order.person.customer_id.into()),
        ("customer_note", Value::Null),
    ]);
    pen.insert("sales_shipment", cells);
    for &(line, qty) in &picked {
        // The variant of a configurable is no row of the shipment, the parts of a bundle are.
        let alone = order.items[line].product.kind == ProductKind::Configurable;
        let rows = if alone {
            vec![(line, qty)]
        } else {
            with_children(order, line, qty)
        };
        for (index, qty) in rows {
            order.items[index].shipped += qty;
            order.items[index].touched = true;
            let entry = vec![
                ("weight", order.items[index].product.weight.into()),
                ("price", order.items[index].price.shown.into()),
            ];
            let item = (item_cells(order, index, qty), entry);
            write_items(pen, "sales_shipment_item", id, vec![item]);
        }
    }
    order.shipments.push(id);
    for _ in 0..pen.one_of(&[0, 1, 1, 1, 1, 2, 3]) {
        track(pen, order, id);
    }
    order.enter(order.resolved_state());
}

/// Adds a tracking number to a shipment. The shipment's own row stays as it is.
pub(crate) fn track(pen: &mut Pen<'_>, order: &Order, shipment: i64) {
    let (carrier, title) = pen.one_of(&[
        ("dhl", "DHL"),
        ("ups", "United Parcel Service"),
        ("custom", "Fahrrad-Kurier 🚲"),
        ("fedex", "FedEx"),
    ]);
    let id = pen.id("sales_shipment_track");
    let cells = vec![
        ("entity_id", id.into()),
        ("parent_id", shipment.into()),
        ("order_id", order.id.into()),
        (
            "track_number",
            format!("{}{:010}", carrier.to_uppercase(), pen.rng.u32(..)).into(),
        ),
        ("title", title.into()),
        ("carrier_code", carrier.into()),
        ("created_at", pen.at.into()),
        ("updated_at", pen.at.into()),
    ];
    pen.insert("sales_shipment_track", cells);
}

fn capture(pen: &mut Pen<'_>, order: &mut Order) -> Option<String> {
    let parent = order.payment.authorization.clone();
    let captured = transaction(pen, order, "capture", parent.as_ref());
    if let Some((id, _)) = parent.filter(|_| {
        !order
            .lines()
            .iter()
            .any(|&i| order.items[i].to_invoice() > Amount::ZERO)
    }) {
        pen.update(
            "sales_payment_transaction",
            "transaction_id",
            id,
            vec![("is_closed", Value::Int(1))],
        );
    }
    captured.map(|(_, text)| text)
}

fn receive(pen: &mut Pen<'_>, order: &mut Order, sum: Money) {
    order.paid += sum;
    order.payment.paid += sum;
    rows::write_payment(pen, order);
    if order.state == State::New {
        order.touched = true;
    }
}
