//! The merchant's documents: invoices, shipments with their tracks, credit memos. Each writes its rows and moves the
//! order's quantities and totals by exactly what it says.

use crate::demo::amount::Amount;
use crate::demo::catalog::{ProductKind, WEBSITES};
use crate::demo::model::{Cost, Invoice, Money, Order, State};
use crate::demo::pen::{Cells, Pen, both};
use crate::demo::placing::transaction;
use crate::demo::rows;
use crate::demo::sql::Value;

/// Items by index and how many of each.
type Picked = Vec<(usize, Amount)>;

/// Invoices some of what is not yet invoiced; everything for a sale at the checkout.
pub(crate) fn invoice(pen: &mut Pen<'_>, order: &mut Order, everything: bool) {
    let lines = order
        .lines()
        .into_iter()
        .map(|i| (i, order.items[i].to_invoice()));
    let picked = pick(pen, order, lines.collect(), everything);
    let id = pen.id("sales_invoice");
    let (mut cost, qty) = (Cost::default(), total(&picked));
    let mut items = vec![];
    for &(line, qty) in &picked {
        for (index, qty) in with_children(order, line, qty) {
            let done = order.items[index].invoiced;
            let part = order.cost_of(index, done + qty) - order.cost_of(index, done);
            order.items[index].invoiced += qty;
            order.items[index].touched = true;
            if index == line {
                cost += part;
            }
            items.push(money_item(order, index, qty, part));
        }
    }
    if order.invoices.is_empty() {
        cost = cost
            + Cost {
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
    cost_cells(&mut cells, cost, grand);
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

/// Refunds some of what was invoiced and paid, or a sum without items. Never more than was paid.
pub(crate) fn refund(pen: &mut Pen<'_>, order: &mut Order) {
    let lines: Picked = order
        .lines()
        .into_iter()
        .map(|i| (i, order.items[i].to_refund()))
        .collect();
    let goodwill = total(&lines) == Amount::ZERO || pen.chance(6);
    let everything = pen.chance(50);
    let picked = if goodwill {
        vec![]
    } else {
        pick(pen, order, lines, everything)
    };
    let (mut cost, mut items) = (Cost::default(), vec![]);
    for &(line, qty) in &picked {
        for (index, qty) in with_children(order, line, qty) {
            let done = order.items[index].refunded;
            let part = order.cost_of(index, done + qty) - order.cost_of(index, done);
            order.items[index].refunded += qty;
            order.items[index].touched = true;
            if index == line {
                cost += part;
            }
            items.push(money_item(order, index, qty, part));
        }
    }
    if order.refunded.shipping == Money::default() && (everything || pen.chance(30)) {
        let tax = order.cost.shipping_tax;
        cost = cost
            + Cost {
                shipping: order.cost.shipping,
                shipping_tax: tax,
                tax,
                ..Cost::default()
            };
    }
    let (plus, minus) = adjustments(pen, order, cost.grand_total(), goodwill);
    let grand = cost.grand_total() + plus - minus;
    write_creditmemo(pen, order, (cost, plus, minus, grand), items);
    order.refunded += cost;
    order.total_refunded += grand;
    order.adjustment_positive += plus;
    order.adjustment_negative += minus;
    order.payment.refunded += grand;
    order.enter(order.resolved_state());
    pen.update(
        "sales_order_payment",
        "entity_id",
        order.payment.id,
        rows::moving_payment(order),
    );
}

/// What a credit memo adds as goodwill and withholds as a fee, so that no more goes back than is there.
fn adjustments(pen: &mut Pen<'_>, order: &Order, sum: Money, goodwill: bool) -> (Money, Money) {
    let left = order.paid - order.total_refunded;
    let (mut plus, mut minus) = (Money::default(), Money::default());
    if goodwill || pen.chance(15) {
        let site = &WEBSITES[order.store.website];
        let base = Amount::whole(pen.rng.i64(1..6)).times(site.per_dollar, site.unit);
        plus = Money {
            base,
            shown: base.times(order.store.rate, order.store.unit),
        };
    }
    if pen.chance(12) {
        let tenth = |amount: Amount, unit| amount.share(Amount::whole(1), Amount::whole(10), unit);
        minus = sum.zip(
            Money {
                base: WEBSITES[order.store.website].unit,
                shown: order.store.unit,
            },
            tenth,
        );
    }
    let excess = (sum + plus - minus - left).zip(Money::default(), Amount::max);
    (plus, minus + excess)
}

fn write_creditmemo(
    pen: &mut Pen<'_>,
    order: &mut Order,
    (cost, plus, minus, grand): (Cost, Money, Money, Money),
    items: Vec<(Cells, Cells)>,
) {
    let id = pen.id("sales_creditmemo");
    let refunded = if order.payment.online {
        transaction_for_refund(pen, order)
    } else {
        None
    };
    let mut cells = document_cells(pen, order, "sales_creditmemo", id);
    // Only an online refund names its invoice.
    let invoice = order.invoices.last_mut().filter(|_| refunded.is_some());
    if let Some(invoice) = invoice {
        invoice.refunded += grand;
        let used = vec![
            ("is_used_for_refund", Value::Int(1)),
            ("base_total_refunded", invoice.refunded.base.into()),
            ("updated_at", pen.at.into()),
        ];
        let invoice_id = invoice.id;
        pen.update("sales_invoice", "entity_id", invoice_id, used);
        cells.push(("invoice_id", invoice_id.into()));
    } else {
        cells.push(("invoice_id", Value::Null));
    }
    cells.extend([("state", Value::Int(2)), ("transaction_id", refunded.into())]);
    both(
        &mut cells,
        ["base_adjustment_positive", "adjustment_positive"],
        plus,
    );
    both(
        &mut cells,
        ["base_adjustment_negative", "adjustment_negative"],
        minus,
    );
    both(&mut cells, ["base_adjustment", "adjustment"], plus - minus);
    cost_cells(&mut cells, cost, grand);
    pen.insert("sales_creditmemo", cells);
    write_items(pen, "sales_creditmemo_item", id, items);
    for _ in 0..pen.one_of(&[0, 0, 1, 2]) {
        let comment = pen.one_of(&[
            "Damaged in transit",
            "Kulanz – bitte schnell 🙏",
            "Customer called; said \"never again\"",
        ]);
        let row = pen.id("sales_creditmemo_comment");
        let cells = vec![
            ("entity_id", row.into()),
            ("parent_id", id.into()),
            ("comment", comment.into()),
            ("created_at", pen.at.into()),
            ("updated_at", pen.at.into()),
        ];
        pen.insert("sales_creditmemo_comment", cells);
    }
}

fn transaction_for_refund(pen: &mut Pen<'_>, order: &mut Order) -> Option<String> {
    transaction(pen, order, "refund", None).map(|(_, text)| text)
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
    pen.update(
        "sales_order_payment",
        "entity_id",
        order.payment.id,
        rows::moving_payment(order),
    );
    if order.state == State::New {
        order.touched = true;
    }
}

/// Some or all of what is there, at least one of something.
fn pick(pen: &mut Pen<'_>, order: &Order, there: Picked, everything: bool) -> Picked {
    let there: Picked = there.into_iter().filter(|(_, qty)| *qty > Amount::ZERO).collect();
    if everything || pen.chance(45) {
        return there;
    }
    let some: Picked = there
        .iter()
        .filter_map(|&(i, qty)| pen.chance(65).then(|| (i, portion(pen, order, i, qty))))
        .collect();
    if some.is_empty() {
        there.into_iter().take(1).collect()
    } else {
        some
    }
}

fn portion(pen: &mut Pen<'_>, order: &Order, index: usize, qty: Amount) -> Amount {
    if order.items[index].product.kind == ProductKind::ByWeight {
        return if pen.chance(60) {
            qty
        } else {
            Amount(pen.rng.i64(1..=qty.0))
        };
    }
    let whole = qty.0 / Amount::whole(1).0;
    if whole <= 1 || pen.chance(50) {
        qty
    } else {
        Amount::whole(pen.rng.i64(1..=whole))
    }
}

fn with_children(order: &Order, line: usize, qty: Amount) -> Picked {
    let children = order.children(line).into_iter();
    std::iter::once((line, qty))
        .chain(children.map(|child| (child, qty.times(order.items[child].per_parent, Amount(1)))))
        .collect()
}

fn total(picked: &Picked) -> Amount {
    picked.iter().map(|(_, qty)| *qty).sum()
}

/// What all three kinds of document start with.
fn document_cells(pen: &mut Pen<'_>, order: &Order, table: &'static str, id: i64) -> Cells {
    let number = pen.number(table, order.store);
    let mut cells = vec![
        ("entity_id", id.into()),
        ("store_id", rows::store_id(order)),
        ("order_id", order.id.into()),
        ("increment_id", number.into()),
        ("billing_address_id", order.billing.0.into()),
        ("created_at", pen.at.into()),
        ("updated_at", pen.at.into()),
    ];
    if table != "sales_shipment" {
        let site = &WEBSITES[order.store.website];
        cells.extend([
            ("base_currency_code", site.currency.into()),
            ("order_currency_code", order.store.currency.into()),
        ]);
        cells.push(("base_to_order_rate", order.store.rate.into()));
    }
    cells
}

fn cost_cells(cells: &mut Cells, cost: Cost, grand: Money) {
    both(cells, ["base_subtotal", "subtotal"], cost.subtotal);
    both(
        cells,
        ["base_discount_amount", "discount_amount"],
        cost.discount.negated(),
    );
    both(cells, ["base_tax_amount", "tax_amount"], cost.tax);
    both(cells, ["base_shipping_amount", "shipping_amount"], cost.shipping);
    both(
        cells,
        ["base_shipping_tax_amount", "shipping_tax_amount"],
        cost.shipping_tax,
    );
    both(cells, ["base_grand_total", "grand_total"], grand);
}

fn item_cells(order: &Order, index: usize, qty: Amount) -> Cells {
    let item = &order.items[index];
    vec![
        ("order_item_id", item.id.into()),
        ("product_id", item.product.id.into()),
        ("sku", rows::sku(order, index).into()),
        ("name", item.product.name.into()),
        ("qty", qty.into()),
    ]
}

fn money_item(order: &Order, index: usize, qty: Amount, part: Cost) -> (Cells, Cells) {
    let mut money = vec![];
    both(&mut money, ["base_price", "price"], order.items[index].price);
    both(&mut money, ["base_row_total", "row_total"], part.subtotal);
    both(&mut money, ["base_tax_amount", "tax_amount"], part.tax);
    both(
        &mut money,
        ["base_discount_amount", "discount_amount"],
        part.discount,
    );
    both(
        &mut money,
        ["base_row_total_incl_tax", "row_total_incl_tax"],
        part.subtotal + part.tax,
    );
    (item_cells(order, index, qty), money)
}

fn write_items(pen: &mut Pen<'_>, table: &'static str, parent: i64, items: Vec<(Cells, Cells)>) {
    for (head, tail) in items {
        let mut cells = vec![("entity_id", pen.id(table).into()), ("parent_id", parent.into())];
        cells.extend(head);
        cells.extend(tail);
        pen.insert(table, cells);
    }
}
