//! The events an order calls for, read from its documents.

use uuid::Uuid;

use crate::identity::event_id;
use crate::items::families::Families;
use crate::items::options::ships_separately;
use crate::kinds::EventKind;
use orderfeed_model::birth::{Birth, Generation};
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::{Item, Order, Return, StatusChange};

/// One event that an order calls for, not rendered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fact {
    pub kind: EventKind,
    /// `entity_id` of the invoice, shipment, credit memo or return. For placed, shipment_completed and cancelled, that of
    /// the order.
    pub document_id: i64,
    /// That of the document.
    pub generation: Generation,
    pub at: UtcMillis,
}

impl Fact {
    /// Computes the `_id` of its event.
    pub fn event_id(&self, data_space_id: &Uuid) -> Uuid {
        event_id(data_space_id, self.kind, self.document_id, self.generation)
    }
}

/// Lists the events an order calls for, in sending order: by time, then causes before effects, then by document id.
pub fn facts(order: &Order) -> Vec<Fact> {
    let fact = |kind, document_id, birth: Birth, at| Fact {
        kind,
        document_id,
        generation: birth.generation,
        at,
    };
    let of_order = |kind, at| fact(kind, order.id, order.birth, at);
    let mut facts = vec![of_order(EventKind::Placed, order.created_at)];
    for one in &order.invoices {
        facts.push(fact(EventKind::Invoiced, one.id, one.birth, one.created_at));
    }
    for one in &order.shipments {
        facts.push(fact(EventKind::ItemsShipped, one.id, one.birth, one.created_at));
    }
    for one in &order.credit_memos {
        facts.push(fact(EventKind::Refunded, one.id, one.birth, one.created_at));
    }
    facts.extend(shipment_completed(order).map(|at| of_order(EventKind::ShipmentCompleted, at)));
    facts.extend(cancelled(order).map(|at| of_order(EventKind::Cancelled, at)));
    for one in &order.returns {
        facts.push(fact(
            EventKind::ReturnInitiated,
            one.id,
            one.birth,
            one.requested_at,
        ));
        let completed = return_completed(order, one);
        facts.extend(completed.map(|at| fact(EventKind::ReturnCompleted, one.id, one.birth, at)));
    }
    facts.sort_by_key(|fact| (fact.at, fact.kind.causal_rank(), fact.document_id));
    facts
}

/// Returns the time of the last shipment, if nothing is left to ship.
fn shipment_completed(order: &Order) -> Option<UtcMillis> {
    let last = order.shipments.iter().map(|shipment| shipment.created_at).max()?;
    if is_cancelled(order) {
        return None;
    }
    let families = Families::of(order);
    (!families.items().any(|item| waits_for_shipment(&families, item))).then_some(last)
}

/// Returns true if `item` itself still has to be shipped. A child ships with its parent, except that a bundle with
/// separate shipping ships by its children.
fn waits_for_shipment(families: &Families<'_>, item: &Item) -> bool {
    is_open(item)
        && match item.parent_id {
            Some(parent) => families.item(parent).is_some_and(ships_separately),
            None => !ships_separately(item) || families.children(item.id).is_empty(),
        }
}

/// Applies Commerce's rule for what can still be shipped (`Magento\Sales\Model\Order\Item::getSimpleQtyToShip`).
fn is_open(item: &Item) -> bool {
    let done = item.qty_shipped.max(item.qty_refunded) + item.qty_canceled;
    !item.is_virtual && item.qty_ordered > done
}

fn is_cancelled(order: &Order) -> bool {
    order.state == "canceled"
}

fn cancelled(order: &Order) -> Option<UtcMillis> {
    let is_cancellation = |status: &str| status == "canceled" || order.status.as_deref() == Some(status);
    // Shops may define their own cancelled statuses; the order's current status is one by definition.
    is_cancelled(order).then(|| entered(&order.history, is_cancellation).unwrap_or(order.updated_at))
}

fn return_completed(order: &Order, request: &Return) -> Option<UtcMillis> {
    let is_closed = |status: &str| matches!(status, "closed" | "processed_closed");
    let fallback = order.updated_at.max(request.requested_at);
    request
        .status
        .as_deref()
        .is_some_and(is_closed)
        .then(|| entered(&request.history, is_closed).unwrap_or(fallback))
}

/// Returns the start of the last unbroken run of matching statuses. Later comments repeat the status, so the newest entry
/// alone would be too late.
fn entered(history: &[StatusChange], matches: impl Fn(&str) -> bool) -> Option<UtcMillis> {
    let mut known: Vec<_> = history
        .iter()
        .filter_map(|change| Some((change.id, change.status.as_deref()?, change.at)))
        .collect();
    known.sort_unstable_by_key(|(id, _, _)| *id);
    let run = known.iter().rev().take_while(|(_, status, _)| matches(status));
    run.last().map(|(_, _, at)| *at)
}
