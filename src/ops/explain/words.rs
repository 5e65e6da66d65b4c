//! The names of documents.

use orderfeed_events::EventKind;

/// Returns the name of a document, such as `invoice 77`.
pub(super) fn document_of(kind: EventKind, document: i64) -> String {
    let noun = match kind {
        EventKind::Placed | EventKind::ShipmentCompleted | EventKind::Cancelled => "order",
        EventKind::Invoiced => "invoice",
        EventKind::ItemsShipped => "shipment",
        EventKind::Refunded => "credit memo",
        EventKind::ReturnInitiated | EventKind::ReturnCompleted => "return",
    };
    format!("{noun} {document}")
}
