//! What can happen to an order once it is placed, when it may, and how often it does.

use crate::amount::Amount;
use crate::orders::documents;
use crate::orders::model::{Cost, Order, ReturnStage, State};
use crate::orders::placing;
use crate::orders::recorder::Pen;
use crate::orders::refunds;
use crate::orders::returns;
use crate::orders::rows;
use crate::shop::people;
use crate::shop::stores::WEBSITES;
use crate::tables::schema::Edition;

/// A deed of a shopper, a merchant or a payment provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// The shopper comes back from the payment provider's site; or the provider approves what it reviewed.
    Approve,
    /// The provider refuses: the order is canceled.
    Deny,
    /// An invoice, partial or full; online payments are captured with it.
    Invoice,
    /// The money of an open invoice arrives.
    PayInvoice,
    /// A shipment, partial or full, with none to three tracks.
    Ship,
    /// One more tracking number for a shipment.
    AddTrack,
    /// Nothing is invoiced or shipped: the order is canceled.
    Cancel,
    /// What is neither invoiced nor shipped is canceled, the rest of the order goes on.
    CancelRest,
    /// The merchant puts the order aside.
    Hold,
    /// … and takes it up again.
    Unhold,
    /// A credit memo, partial or full.
    Refund,
    /// The shopper asks to return what was shipped.
    RequestReturn,
    /// A return takes its next step.
    AdvanceReturn,
    /// An address is corrected; the order's row does not change.
    EditAddress,
    /// The authorisation is voided; the order's row does not change.
    Void,
    /// A remark in the order's history.
    Comment,
    /// A custom status of the same state.
    ChangeStatus,
}

/// All deeds with how often they happen, relative to each other, where they may.
pub const USUAL: [(Deed, u32); 17] = [
    (Deed::Approve, 40),
    (Deed::Deny, 3),
    (Deed::Invoice, 30),
    (Deed::PayInvoice, 30),
    (Deed::Ship, 30),
    (Deed::AddTrack, 3),
    (Deed::Cancel, 4),
    (Deed::CancelRest, 2),
    (Deed::Hold, 2),
    (Deed::Unhold, 30),
    (Deed::Refund, 4),
    (Deed::RequestReturn, 4),
    (Deed::AdvanceReturn, 30),
    (Deed::EditAddress, 2),
    (Deed::Void, 1),
    (Deed::Comment, 3),
    (Deed::ChangeStatus, 3),
];

impl Deed {
    /// Its name in log lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Invoice => "invoice",
            Self::PayInvoice => "pay",
            Self::Ship => "ship",
            Self::AddTrack => "track",
            Self::Cancel => "cancel",
            Self::CancelRest => "cancel_rest",
            Self::Hold => "hold",
            Self::Unhold => "unhold",
            Self::Refund => "refund",
            Self::RequestReturn => "return",
            Self::AdvanceReturn => "return_step",
            Self::EditAddress => "address",
            Self::Void => "void",
            Self::Comment => "comment",
            Self::ChangeStatus => "status",
        }
    }
}

/// Whether the state machine allows it now.
pub(crate) fn allowed(deed: Deed, order: &Order, edition: Edition) -> bool {
    let held = order.state == State::Holded;
    let active = matches!(order.state, State::New | State::Processing);
    let waiting = matches!(order.state, State::PendingPayment | State::PaymentReview);
    let voided = order.payment.voided;
    match deed {
        Deed::Approve | Deed::Deny => waiting,
        Deed::Invoice => active && !voided && order.can_invoice(),
        Deed::PayInvoice => !held && order.invoices.iter().any(|invoice| !invoice.paid),
        Deed::Ship => active && !voided && order.can_ship(),
        Deed::AddTrack => !order.shipments.is_empty(),
        Deed::Cancel => {
            (active || order.state == State::PendingPayment) && order.nothing_invoiced_or_shipped()
        }
        Deed::CancelRest => active && !order.invoices.is_empty() && !rest(order).is_empty(),
        Deed::Hold => active,
        Deed::Unhold => held,
        Deed::Refund => refundable(order),
        Deed::RequestReturn => edition == Edition::Full && returns::returnable(order),
        Deed::AdvanceReturn => order.returns.iter().any(|one| one.stage != ReturnStage::Over),
        Deed::EditAddress | Deed::Comment => order.state != State::Canceled,
        Deed::Void => {
            active && !voided && order.payment.authorization.is_some() && order.nothing_invoiced_or_shipped()
        }
        Deed::ChangeStatus => active,
    }
}

/// Whether nothing more of consequence can happen.
pub(crate) fn settled(order: &Order, edition: Edition) -> bool {
    let idle = [Deed::AddTrack, Deed::EditAddress, Deed::Comment];
    USUAL
        .iter()
        .all(|&(deed, _)| idle.contains(&deed) || !allowed(deed, order, edition))
}

/// Does it, and writes what it changed about the order and its items.
pub(crate) fn perform(deed: Deed, pen: &mut Pen<'_>, order: &mut Order) {
    let status = order.status;
    match deed {
        Deed::Approve => approve(pen, order),
        Deed::Deny | Deed::Cancel => cancel(pen, order),
        Deed::Invoice => documents::invoice(pen, order, false),
        Deed::PayInvoice => documents::pay_invoice(pen, order),
        Deed::Ship => documents::ship(pen, order),
        Deed::AddTrack => {
            let shipment = pen.one_of(&order.shipments);
            documents::track(pen, order, shipment);
        }
        Deed::CancelRest => cancel_rest(order),
        Deed::Hold => {
            order.before_hold = Some((order.state, order.status));
            order.enter(State::Holded);
        }
        Deed::Unhold => unhold(order),
        Deed::Refund => refunds::refund(pen, order),
        Deed::RequestReturn => returns::request(pen, order),
        Deed::AdvanceReturn => returns::advance(pen, order),
        Deed::EditAddress => edit_address(pen, order),
        Deed::Void => void(pen, order),
        Deed::Comment => comment(pen, order),
        Deed::ChangeStatus => change_status(pen, order),
    }
    finish(pen, order, status);
}

/// Writes what is touched, and the history if the status changed.
pub(crate) fn finish(pen: &mut Pen<'_>, order: &mut Order, status_before: &'static str) {
    for index in 0..order.items.len() {
        if std::mem::take(&mut order.items[index].touched) {
            pen.update(
                "sales_order_item",
                "item_id",
                order.items[index].id,
                rows::moving_item(order, index, pen.at),
            );
        }
    }
    if std::mem::take(&mut order.touched) {
        pen.update(
            "sales_order",
            "entity_id",
            order.id,
            rows::moving_order(order, pen.at),
        );
    }
    if order.status != status_before {
        pen.history(order, None, "order");
        pen.status_change(order);
    }
}

fn refundable(order: &Order) -> bool {
    let all_paid = !order.invoices.is_empty() && order.invoices.iter().all(|invoice| invoice.paid);
    let left = (order.paid - order.total_refunded).base > Amount::ZERO;
    matches!(order.state, State::Processing | State::Complete) && all_paid && left
}

fn approve(pen: &mut Pen<'_>, order: &mut Order) {
    if order.payment.authorization.is_none() {
        placing::authorize(pen, order);
    }
    order.enter(State::Processing);
}

/// Cancels everything. What is a dummy for shipping keeps `qty_canceled` 0, as in Commerce.
fn cancel(pen: &mut Pen<'_>, order: &mut Order) {
    for line in order.lines() {
        let counted = if order.items[line].ships_separately() {
            order.children(line)
        } else {
            vec![line]
        };
        for index in counted {
            order.items[index].canceled = order.items[index].ordered;
            order.items[index].touched = true;
        }
    }
    order.canceled = order.cost;
    order.payment.canceled = order.cost.grand_total();
    if !order.payment.voided && order.payment.authorization.is_some() {
        void(pen, order);
    } else {
        rows::write_payment(pen, order);
    }
    order.enter(State::Canceled);
}

fn cancel_rest(order: &mut Order) {
    for (index, qty) in rest(order) {
        let ordered = order.items[index].ordered;
        let kept = ordered - order.items[index].canceled;
        let dropped: Cost = order.cost_of(index, kept) - order.cost_of(index, kept - qty);
        order.canceled += dropped;
        order.items[index].canceled += qty;
        order.items[index].touched = true;
    }
    order.enter(order.resolved_state());
}

/// What is neither invoiced nor shipped. Left alone where a bundle ships in parts: there it would need both counts.
fn rest(order: &Order) -> Vec<(usize, Amount)> {
    let lines = order.lines();
    if lines.iter().any(|&line| order.items[line].ships_separately()) {
        return vec![];
    }
    let open = |line: usize| {
        let item = &order.items[line];
        let unshipped = item.ordered - item.shipped.max(item.refunded) - item.canceled;
        (line, item.to_invoice().min(unshipped))
    };
    lines
        .into_iter()
        .map(open)
        .filter(|(_, qty)| *qty > Amount::ZERO)
        .collect()
}

fn unhold(order: &mut Order) {
    if let Some((state, status)) = order.before_hold.take() {
        (order.state, order.status) = (state, status);
        order.touched = true;
    }
}

fn edit_address(pen: &mut Pen<'_>, order: &mut Order) {
    let place = people::place(pen.rng, &WEBSITES[order.store.website]);
    let cells = rows::moving_address(&place);
    let address = order.shipping.as_mut().unwrap_or(&mut order.billing);
    address.1 = place;
    pen.update("sales_order_address", "entity_id", address.0, cells);
}

fn void(pen: &mut Pen<'_>, order: &mut Order) {
    let authorization = order.payment.authorization.clone();
    placing::transaction(pen, order, "void", authorization.as_ref());
    order.payment.voided = true;
    rows::write_payment(pen, order);
}

fn comment(pen: &mut Pen<'_>, order: &Order) {
    let text = pen.one_of(&[
        "Gift wrap 🎁, please",
        "Called the customer: no answer",
        "Lieferung erst ab 14 Uhr; 'Hinterhaus' \\ 2. OG",
    ]);
    pen.history(order, Some(text), "order");
}

fn change_status(pen: &mut Pen<'_>, order: &mut Order) {
    order.status = match order.state {
        State::New => pen.one_of(&["pending_erp", "pending"]),
        _ => pen.one_of(&["picking", "awaiting_stock", "processing"]),
    };
    order.touched = true;
}
