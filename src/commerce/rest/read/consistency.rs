//! Consistency without a snapshot: an order and its documents are read by several requests, and the shop changes them
//! meanwhile. Pure.
//!
//! The order is read first. So a document may be newer than its order, but none that the order depends on is missing. An order
//! that changed while it was read is read again.

use std::collections::HashMap;

use serde_json::Value;

use crate::commerce::read::cells;
use crate::commerce::rest::list::List;
use crate::commerce::rest::map::row::{amount, number, objects, text};
use orderfeed_model::amount::Amount;
use orderfeed_model::clock::UtcMillis;

/// Times have whole seconds, and the two clocks agree to about two.
const PRECISION_MS: i64 = 2_000;
/// A change may have been committed this long after the time that it carries.
const LATE_COMMIT_MS: i64 = 120_000;

/// Returns true if an order may have changed after `started`, the time at which its reading began, by the shop's clock.
pub(super) fn may_have_moved(order: &Value, documents: &[(List, Value)], started: UtcMillis) -> bool {
    let of_documents = documents
        .iter()
        .filter_map(|(_, document)| changed_at(document))
        .max();
    if of_documents.is_some_and(|at| at.millis_since(started) >= -PRECISION_MS) {
        return true;
    }
    let newest = of_documents.max(changed_at(order));
    let is_recent = newest.is_some_and(|at| at.millis_since(started) >= -LATE_COMMIT_MS);
    // Damaged sums of old orders are no reason to read them again.
    is_recent && quantities_differ(order, documents)
}

/// Returns the time of the last change of a row.
fn changed_at(row: &Value) -> Option<UtcMillis> {
    let moment = |field| text(row, field).and_then(|text| cells::moment(text.as_bytes()));
    moment("updated_at").max(moment("created_at"))
}

/// Returns true if the items of an order do not have the quantities of its documents. The parts of other items are left out:
/// Commerce counts them in several ways.
fn quantities_differ(order: &Value, documents: &[(List, Value)]) -> bool {
    let kinds = [
        (List::Invoices, "qty_invoiced"),
        (List::Shipments, "qty_shipped"),
        (List::CreditMemos, "qty_refunded"),
    ];
    kinds.iter().any(|(list, column)| {
        let mut sums: HashMap<i64, Amount> = HashMap::new();
        // A cancelled document (state 3) counts no longer.
        let counted = documents
            .iter()
            .filter(|(of, document)| of == list && number(document, "state") != Some(3));
        for item in counted.flat_map(|(_, document)| objects(document.get("items"))) {
            if let Some(id) = number(item, "order_item_id") {
                let sum = sums.entry(id).or_default();
                *sum = *sum + amount(item, "qty").unwrap_or_default();
            }
        }
        objects(order.get("items")).into_iter().any(|item| {
            let is_whole = number(item, "parent_item_id").is_none()
                && text(item, "product_type").as_deref() != Some("bundle");
            let id = number(item, "item_id").unwrap_or_default();
            let counted = amount(item, column).unwrap_or_default();
            is_whole && counted != sums.get(&id).copied().unwrap_or_default()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const STARTED: i64 = 1_767_323_045_000;

    fn at(seconds: i64) -> String {
        UtcMillis(STARTED + seconds * 1000).sql()
    }

    fn order(shipped: i64, changed: i64) -> Value {
        json!({"updated_at": at(changed), "items": [
            {"item_id": 1, "product_type": "simple", "qty_shipped": shipped},
            {"item_id": 2, "parent_item_id": 1, "qty_shipped": 9}]})
    }

    fn shipment(changed: i64) -> (List, Value) {
        let shipment = json!({"created_at": at(changed), "items": [{"order_item_id": 1, "qty": 1}]});
        (List::Shipments, shipment)
    }

    fn moved(order: &Value, documents: &[(List, Value)]) -> bool {
        may_have_moved(order, documents, UtcMillis(STARTED))
    }

    #[test]
    fn a_document_of_the_last_seconds_is_newer_than_its_order() {
        assert!(moved(&order(1, -600), &[shipment(0)]));
        assert!(moved(&order(1, -600), &[shipment(5)]));
        assert!(!moved(&order(1, -600), &[shipment(-30)]));
    }

    #[test]
    fn quantities_that_differ_count_only_while_a_commit_may_be_late() {
        assert!(moved(&order(0, -600), &[shipment(-30)]));
        assert!(moved(&order(1, -30), &[]));
        assert!(!moved(&order(0, -600), &[shipment(-600)]));
        assert!(!moved(&order(1, -30), &[shipment(-30)]));
    }
}
