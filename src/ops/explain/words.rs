//! What documents are called.

use orderfeed_events::EventKind;

/// `invoice 77`.
pub(super) fn document_of(kind: EventKind, document: i64) -> String {
    format!("{} {document}", noun(kind))
}

/// What a kind's document is called.
fn noun(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Placed | EventKind::ShipmentCompleted | EventKind::Cancelled => "order",
        EventKind::Invoiced => "invoice",
        EventKind::ItemsShipped => "shipment",
        EventKind::Refunded => "credit memo",
        EventKind::ReturnInitiated | EventKind::ReturnCompleted => "return",
    }
}
