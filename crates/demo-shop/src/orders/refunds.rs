//! Credit memos: items, shipping, goodwill and fees, never more than was paid.

use crate::amount::Amount;
use crate::orders::document_rows::{ItemRow, Picked, document_cells, pick, settle, total, write_items};
use crate::orders::model::{Cost, Money, Order};
use crate::orders::placing::transaction;
use crate::orders::recorder::{Recorder, both};
use crate::orders::rows;
use crate::shop::stores::WEBSITES;
use crate::sql::cells;

/// Refunds some of the invoiced and paid items, or a sum without items. Never more than was paid.
pub(crate) fn refund(recorder: &mut Recorder<'_>, order: &mut Order) {
    let lines: Picked = order
        .lines()
        .into_iter()
        .map(|i| (i, order.items[i].to_refund()))
        .collect();
    let goodwill = total(&lines) == Amount::ZERO || recorder.chance(6);
    let everything = recorder.chance(50);
    let picked = if goodwill {
        vec![]
    } else {
        pick(recorder, order, lines, everything)
    };
    let (mut cost, items) = settle(order, &picked, |item| &mut item.refunded);
    if order.refunded.shipping == Money::default() && (everything || recorder.chance(30)) {
        let tax = order.cost.shipping_tax;
        cost += Cost {
            shipping: order.cost.shipping,
            shipping_tax: tax,
            tax,
            ..Cost::default()
        };
    }
    let (plus, minus) = adjustments(recorder, order, cost.grand_total(), goodwill);
    let grand = cost.grand_total() + plus - minus;
    write_creditmemo(recorder, order, (cost, plus, minus, grand), items);
    order.refunded += cost;
    order.total_refunded += grand;
    order.adjustment_positive += plus;
    order.adjustment_negative += minus;
    order.payment.refunded += grand;
    order.enter(order.resolved_state());
    rows::write_payment(recorder, order);
}

/// Returns the goodwill a credit memo adds and the fee it withholds, bounded by the refundable sum.
fn adjustments(recorder: &mut Recorder<'_>, order: &Order, sum: Money, goodwill: bool) -> (Money, Money) {
    let left = order.paid - order.total_refunded;
    let (mut plus, mut minus) = (Money::default(), Money::default());
    if goodwill || recorder.chance(15) {
        let site = &WEBSITES[order.store.website];
        let base = Amount::whole(recorder.rng.i64(1..6)).times(site.per_dollar, site.unit);
        plus = Money {
            base,
            shown: base.times(order.store.rate, order.store.unit),
        };
    }
    if recorder.chance(12) {
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
    recorder: &mut Recorder<'_>,
    order: &mut Order,
    (cost, plus, minus, grand): (Cost, Money, Money, Money),
    items: Vec<ItemRow>,
) {
    let id = recorder.id("sales_creditmemo");
    let online = order.payment.online;
    let refunded = if online {
        transaction(recorder, order, "refund", None)
    } else {
        None
    };
    let refunded = refunded.map(|(_, text)| text);
    // Only an online refund names its invoice.
    let invoice = if online {
        mark_invoice(recorder, order, grand)
    } else {
        None
    };
    let mut cells = document_cells(recorder, order, "sales_creditmemo", id);
    cells.extend(cells! {
        "invoice_id": invoice,
        "state": 2,
        "transaction_id": refunded,
    });
    both(&mut cells, "base_adjustment_positive", plus);
    both(&mut cells, "base_adjustment_negative", minus);
    both(&mut cells, "base_adjustment", plus - minus);
    rows::cost_cells(&mut cells, cost, grand);
    recorder.insert("sales_creditmemo", cells);
    write_items(recorder, "sales_creditmemo_item", id, items);
    for _ in 0..recorder.one_of(&[0, 0, 1, 2]) {
        comment(recorder, id);
    }
}

fn comment(recorder: &mut Recorder<'_>, creditmemo: i64) {
    let comment = recorder.one_of(&[
        "Damaged in transit",
        "Kulanz – bitte schnell 🙏",
        "Customer on the phone: \"never again\"",
    ]);
    let row = recorder.id("sales_creditmemo_comment");
    let cells = cells! {
        "entity_id": row,
        "parent_id": creditmemo,
        "comment": comment,
        "created_at": recorder.at,
        "updated_at": recorder.at,
    };
    recorder.insert("sales_creditmemo_comment", cells);
}

/// Records the refunded sum on the last invoice.
fn mark_invoice(recorder: &mut Recorder<'_>, order: &mut Order, grand: Money) -> Option<i64> {
    let invoice = order.invoices.last_mut()?;
    invoice.refunded += grand;
    let cells = cells! {
        "is_used_for_refund": 1,
        "base_total_refunded": invoice.refunded.base,
        "updated_at": recorder.at,
    };
    recorder.update("sales_invoice", "entity_id", invoice.id, cells);
    Some(invoice.id)
}
