//! Invoices and shipments. Each records its rows and updates the order's quantities and totals by exactly their
//! values.

use crate::amount::Amount;
use crate::orders::document_rows::{
    document_cells, item_cells, pick, settle, total, with_children, write_items,
};
use crate::orders::model::{Cost, Invoice, Money, Order, State};
use crate::orders::placing::transaction;
use crate::orders::recorder::Recorder;
use crate::orders::rows;
use crate::shop::catalog::ProductKind;
use crate::sql::{Value, cells};

/// Invoices some of the remaining items, or all of them for a sale at the checkout.
pub(crate) fn invoice(recorder: &mut Recorder<'_>, order: &mut Order, everything: bool) {
    let lines = order
        .lines()
        .into_iter()
        .map(|i| (i, order.items[i].to_invoice()));
    let picked = pick(recorder, order, lines.collect(), everything);
    let id = recorder.id("sales_invoice");
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
    let paid = order.payment.online || grand == Money::default() || recorder.chance(75);
    let captured = if order.payment.online {
        capture(recorder, order)
    } else {
        None
    };
    let mut cells = document_cells(recorder, order, "sales_invoice", id);
    cells.extend(cells! {
        "total_qty": qty,
        "state": if paid { 2 } else { 1 },
        "transaction_id": captured,
        "is_used_for_refund": Value::Null,
        "base_total_refunded": Value::Null,
    });
    rows::cost_cells(&mut cells, cost, grand);
    recorder.insert("sales_invoice", cells);
    write_items(recorder, "sales_invoice_item", id, items);
    order.invoiced += cost;
    order.invoices.push(Invoice {
        id,
        total: grand,
        paid,
        refunded: Money::default(),
    });
    if paid {
        receive(recorder, order, grand);
    }
    order.enter(order.resolved_state());
}

/// An open invoice is paid.
pub(crate) fn pay_invoice(recorder: &mut Recorder<'_>, order: &mut Order) {
    let Some(open) = order.invoices.iter_mut().find(|invoice| !invoice.paid) else {
        return;
    };
    open.paid = true;
    let Invoice { id, total, .. } = *open;
    recorder.update(
        "sales_invoice",
        "entity_id",
        id,
        cells! {
            "state": 2,
            "updated_at": recorder.at,
        },
    );
    receive(recorder, order, total);
    order.enter(order.resolved_state());
}

/// Ships some of the remaining items, with up to three tracking numbers.
pub(crate) fn ship(recorder: &mut Recorder<'_>, order: &mut Order) {
    let left = (0..order.items.len()).map(|i| (i, order.to_ship(i)));
    let picked = pick(recorder, order, left.collect(), false);
    let id = recorder.id("sales_shipment");
    let mut cells = document_cells(recorder, order, "sales_shipment", id);
    let shipping = order.shipping.as_ref().map(|(id, _)| *id);
    cells.extend(cells! {
        "total_qty": total(&picked),
        "shipping_address_id": shipping,
        "customer_id": order.person.customer_id,
        "customer_note": Value::Null,
    });
    recorder.insert("sales_shipment", cells);
    for &(line, qty) in &picked {
        // A shipment has rows for the parts of a bundle, but not for the variant of a configurable.
        let alone = order.items[line].product.kind == ProductKind::Configurable;
        let rows = if alone {
            vec![(line, qty)]
        } else {
            with_children(order, line, qty)
        };
        for (index, qty) in rows {
            order.items[index].shipped += qty;
            order.items[index].touched = true;
            let entry = cells! {
                "weight": order.items[index].product.weight,
                "price": order.items[index].price.shown,
            };
            let item = (item_cells(order, index, qty), entry);
            write_items(recorder, "sales_shipment_item", id, vec![item]);
        }
    }
    order.shipments.push(id);
    for _ in 0..recorder.one_of(&[0, 1, 1, 1, 1, 2, 3]) {
        track(recorder, order, id);
    }
    // A further partial shipment leaves the order's row, and so its `updated_at`, as it is.
    let state = order.resolved_state();
    if order.state != state {
        order.enter(state);
    }
}

/// Adds a tracking number to a shipment. The shipment's own row does not change.
pub(crate) fn track(recorder: &mut Recorder<'_>, order: &Order, shipment: i64) {
    let (carrier, title) = recorder.one_of(&[
        ("dhl", "DHL"),
        ("ups", "United Parcel Service"),
        ("custom", "Fahrrad-Kurier 🚲"),
        ("fedex", "FedEx"),
    ]);
    let id = recorder.id("sales_shipment_track");
    let cells = cells! {
        "entity_id": id,
        "parent_id": shipment,
        "order_id": order.id,
        "track_number": format!("{}{:010}", carrier.to_uppercase(), recorder.rng.u32(..)),
        "title": title,
        "carrier_code": carrier,
        "created_at": recorder.at,
        "updated_at": recorder.at,
    };
    recorder.insert("sales_shipment_track", cells);
}

fn capture(recorder: &mut Recorder<'_>, order: &mut Order) -> Option<String> {
    let parent = order.payment.authorization.clone();
    let captured = transaction(recorder, order, "capture", parent.as_ref());
    if let Some((id, _)) = parent.filter(|_| {
        !order
            .lines()
            .iter()
            .any(|&i| order.items[i].to_invoice() > Amount::ZERO)
    }) {
        recorder.update(
            "sales_payment_transaction",
            "transaction_id",
            id,
            cells! { "is_closed": 1 },
        );
    }
    captured.map(|(_, text)| text)
}

fn receive(recorder: &mut Recorder<'_>, order: &mut Order, sum: Money) {
    order.paid += sum;
    order.payment.paid += sum;
    rows::write_payment(recorder, order);
    if order.state == State::New {
        order.touched = true;
    }
}
