//! The actions on a placed order: their preconditions, frequencies and effects.

use crate::amount::Amount;
use crate::orders::documents;
use crate::orders::model::{Cost, Order, ReturnStage, State};
use crate::orders::placing;
use crate::orders::recorder::Recorder;
use crate::orders::refunds;
use crate::orders::returns;
use crate::orders::rows;
use crate::shop::people;
use crate::shop::stores::WEBSITES;
use crate::tables::schema::Edition;
use orderfeed_model::words;

words! {
    /// An action of a shopper, a merchant or a payment provider. Its word is for log lines.
    pub enum Action {
        /// The shopper returns from the payment provider's site, or the provider approves a reviewed payment.
        Approve = "approve",
        /// The provider refuses the payment, and the order is canceled.
        Deny = "deny",
        /// A partial or full invoice. Captures online payments.
        Invoice = "invoice",
        /// An open invoice is paid.
        PayInvoice = "pay",
        /// A partial or full shipment with up to three tracks.
        Ship = "ship",
        /// Another tracking number for a shipment.
        AddTrack = "track",
        /// Cancels an order without invoices and shipments.
        Cancel = "cancel",
        /// Cancels the items that are neither invoiced nor shipped.
        CancelRest = "cancel_rest",
        /// The merchant puts the order on hold.
        Hold = "hold",
        /// The merchant takes the order off hold.
        Unhold = "unhold",
        /// A partial or full credit memo.
        Refund = "refund",
        /// The shopper requests the return of shipped items.
        RequestReturn = "return",
        /// Moves a return to its next stage.
        AdvanceReturn = "return_step",
        /// Corrects an address. The order's row does not change.
        EditAddress = "address",
        /// Voids the authorization. The order's row does not change.
        Void = "void",
        /// A comment in the order's history.
        Comment = "comment",
        /// Sets a custom status of the same state.
        ChangeStatus = "status",
    }
}

/// All actions with their relative frequencies.
pub const USUAL: [(Action, u32); 17] = [
    (Action::Approve, 40),
    (Action::Deny, 3),
    (Action::Invoice, 30),
    (Action::PayInvoice, 30),
    (Action::Ship, 30),
    (Action::AddTrack, 3),
    (Action::Cancel, 4),
    (Action::CancelRest, 2),
    (Action::Hold, 2),
    (Action::Unhold, 30),
    (Action::Refund, 4),
    (Action::RequestReturn, 4),
    (Action::AdvanceReturn, 30),
    (Action::EditAddress, 2),
    (Action::Void, 1),
    (Action::Comment, 3),
    (Action::ChangeStatus, 3),
];

/// Returns true if the state machine allows the action.
pub(crate) fn allowed(action: Action, order: &Order, edition: Edition) -> bool {
    let held = order.state == State::Holded;
    let active = matches!(order.state, State::New | State::Processing);
    let waiting = matches!(order.state, State::PendingPayment | State::PaymentReview);
    let voided = order.payment.voided;
    match action {
        Action::Approve | Action::Deny => waiting,
        Action::Invoice => active && !voided && order.can_invoice(),
        Action::PayInvoice => !held && order.invoices.iter().any(|invoice| !invoice.paid),
        Action::Ship => active && !voided && order.can_ship(),
        Action::AddTrack => !order.shipments.is_empty(),
        Action::Cancel => {
            (active || order.state == State::PendingPayment) && order.nothing_invoiced_or_shipped()
        }
        Action::CancelRest => active && !order.invoices.is_empty() && !rest(order).is_empty(),
        Action::Hold => active,
        Action::Unhold => held,
        Action::Refund => refundable(order),
        Action::RequestReturn => edition == Edition::Full && returns::returnable(order),
        Action::AdvanceReturn => order.returns.iter().any(|one| one.stage != ReturnStage::Over),
        Action::EditAddress | Action::Comment => order.state != State::Canceled,
        Action::Void => {
            active && !voided && order.payment.authorization.is_some() && order.nothing_invoiced_or_shipped()
        }
        Action::ChangeStatus => active,
    }
}

/// Returns true if no further relevant action is possible.
pub(crate) fn settled(order: &Order, edition: Edition) -> bool {
    let idle = [Action::AddTrack, Action::EditAddress, Action::Comment];
    USUAL
        .iter()
        .all(|&(action, _)| idle.contains(&action) || !allowed(action, order, edition))
}

/// Performs the action and records the changed columns of the order and its items.
pub(crate) fn perform(action: Action, recorder: &mut Recorder<'_>, order: &mut Order) {
    let status = order.status;
    match action {
        Action::Approve => approve(recorder, order),
        Action::Deny | Action::Cancel => cancel(recorder, order),
        Action::Invoice => documents::invoice(recorder, order, false),
        Action::PayInvoice => documents::pay_invoice(recorder, order),
        Action::Ship => documents::ship(recorder, order),
        Action::AddTrack => {
            let shipment = recorder.one_of(&order.shipments);
            documents::track(recorder, order, shipment);
        }
        Action::CancelRest => cancel_rest(order),
        Action::Hold => {
            order.before_hold = Some((order.state, order.status));
            order.enter(State::Holded);
        }
        Action::Unhold => unhold(order),
        Action::Refund => refunds::refund(recorder, order),
        Action::RequestReturn => returns::request(recorder, order),
        Action::AdvanceReturn => returns::advance(recorder, order),
        Action::EditAddress => edit_address(recorder, order),
        Action::Void => void(recorder, order),
        Action::Comment => comment(recorder, order),
        Action::ChangeStatus => change_status(recorder, order),
    }
    finish(recorder, order, status);
}

/// Records the changed columns, and a history entry if the status changed.
pub(crate) fn finish(recorder: &mut Recorder<'_>, order: &mut Order, status_before: &'static str) {
    for index in 0..order.items.len() {
        if std::mem::take(&mut order.items[index].touched) {
            recorder.update(
                "sales_order_item",
                "item_id",
                order.items[index].id,
                rows::moving_item(order, index, recorder.at),
            );
        }
    }
    if std::mem::take(&mut order.touched) {
        recorder.update(
            "sales_order",
            "entity_id",
            order.id,
            rows::moving_order(order, recorder.at),
        );
    }
    if order.status != status_before {
        recorder.history(order, None, "order");
        recorder.status_change(order);
    }
}

fn refundable(order: &Order) -> bool {
    let all_paid = !order.invoices.is_empty() && order.invoices.iter().all(|invoice| invoice.paid);
    let left = (order.paid - order.total_refunded).base > Amount::ZERO;
    matches!(order.state, State::Processing | State::Complete) && all_paid && left
}

fn approve(recorder: &mut Recorder<'_>, order: &mut Order) {
    if order.payment.authorization.is_none() {
        placing::authorize(recorder, order);
    }
    order.enter(State::Processing);
}

/// Cancels the whole order. Dummy items keep a `qty_canceled` of 0, as in Commerce.
fn cancel(recorder: &mut Recorder<'_>, order: &mut Order) {
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
        void(recorder, order);
    } else {
        rows::write_payment(recorder, order);
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

/// Returns the items that are neither invoiced nor shipped. Empty if the order has a bundle with separate shipping,
/// which would need both counts.
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

fn edit_address(recorder: &mut Recorder<'_>, order: &mut Order) {
    let place = people::place(recorder.rng, &WEBSITES[order.store.website]);
    let cells = rows::moving_address(&place);
    let address = order.shipping.as_mut().unwrap_or(&mut order.billing);
    address.1 = place;
    recorder.update("sales_order_address", "entity_id", address.0, cells);
}

fn void(recorder: &mut Recorder<'_>, order: &mut Order) {
    let authorization = order.payment.authorization.clone();
    placing::transaction(recorder, order, "void", authorization.as_ref());
    order.payment.voided = true;
    rows::write_payment(recorder, order);
}

fn comment(recorder: &mut Recorder<'_>, order: &Order) {
    let text = recorder.one_of(&[
        "Gift wrap 🎁, please",
        "Called the customer: no answer",
        "Lieferung erst ab 14 Uhr; 'Hinterhaus' \\ 2. OG",
    ]);
    recorder.history(order, Some(text), "order");
}

fn change_status(recorder: &mut Recorder<'_>, order: &mut Order) {
    order.status = match order.state {
        State::New => recorder.one_of(&["pending_erp", "pending"]),
        _ => recorder.one_of(&["picking", "awaiting_stock", "processing"]),
    };
    order.touched = true;
}
