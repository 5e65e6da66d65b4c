//! Credit memos: items, shipping, goodwill and fees, never more than was paid.

use crate::amount::Amount;
use crate::orders::document_rows::{ItemRow, Picked, document_cells, pick, settle, total, write_items};
use crate::orders::model::{Cost, Money, Order};
use crate::orders::placing::transaction;
use crate::orders::recorder::{Pen, both};
use crate::orders::rows;
use crate::shop::stores::WEBSITES;
use crate::sql::Value;

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
    let (mut cost, items) = settle(order, &picked, |item| &mut item.refunded);
    if order.refunded.shipping == Money::default() && (everything || pen.chance(30)) {
        let tax = order.cost.shipping_tax;
        cost += Cost {
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
    rows::write_payment(pen, order);
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
    items: Vec<ItemRow>,
) {
    let id = pen.id("sales_creditmemo");
    let online = order.payment.online;
    let refunded = if online {
        transaction(pen, order, "refund", None)
    } else {
        None
    };
    let refunded = refunded.map(|(_, text)| text);
    // Only an online refund names its invoice.
    let invoice = if online {
        mark_invoice(pen, order, grand)
    } else {
        None
    };
    let mut cells = document_cells(pen, order, "sales_creditmemo", id);
    cells.push(("invoice_id", invoice.into()));
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
    rows::cost_cells(&mut cells, cost, grand);
    pen.insert("sales_creditmemo", cells);
    write_items(pen, "sales_creditmemo_item", id, items);
    for _ in 0..pen.one_of(&[0, 0, 1, 2]) {
        comment(pen, id);
    }
}

fn comment(pen: &mut Pen<'_>, creditmemo: i64) {
    let comment = pen.one_of(&[
        "Damaged in transit",
        "Kulanz – bitte schnell 🙏",
        "Customer called; said \"never again\"",
    ]);
    let row = pen.id("sales_creditmemo_comment");
    let cells = vec![
        ("entity_id", row.into()),
        ("parent_id", creditmemo.into()),
        ("comment", comment.into()),
        ("created_at", pen.at.into()),
        ("updated_at", pen.at.into()),
    ];
    pen.insert("sales_creditmemo_comment", cells);
}

/// Notes on the last invoice how much of it went back.
fn mark_invoice(pen: &mut Pen<'_>, order: &mut Order, grand: Money) -> Option<i64> {
    let invoice = order.invoices.last_mut()?;
    invoice.refunded += grand;
    let cells = vec![
        ("is_used_for_refund", Value::Int(1)),
        ("base_total_refunded", invoice.refunded.base.into()),
        ("updated_at", pen.at.into()),
    ];
    pen.update("sales_invoice", "entity_id", invoice.id, cells);
    Some(invoice.id)
}
