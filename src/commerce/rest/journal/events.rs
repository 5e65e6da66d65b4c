//! From an event of Commerce to the order that it concerns. Pure.

use serde_json::Value;

use crate::commerce::rest::map::row::{number, text};
use orderfeed_model::order::OrderId;

/// An order that changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hint {
    Order(OrderId),
    /// The increment id alone, which several store views may share.
    Number(String),
}

/// Returns the order of an entry of the journal; `None` for events of other kinds.
pub(super) fn hint(entry: &Value) -> Option<Hint> {
    let event = entry.get("event")?;
    let kind = text(event, "type")
        .or_else(|| text(entry, "type"))
        .unwrap_or_default();
    let data = event.get("data").unwrap_or(event);
    let value = data.get("value").unwrap_or(data);
    let value = value
        .get("order")
        .filter(|order| order.is_object())
        .unwrap_or(value);
    let has = |part: &str| kind.contains(part);
    let id = if has("status_history") {
        number(value, "parent_id")
    } else if has("invoice") || has("shipment") || has("creditmemo") || has("rma") {
        number(value, "order_id")
    } else if has("sales_order") || has("order_repository") || has("order_management") {
        number(value, "entity_id").or_else(|| number(value, "order_id"))
    } else {
        return None;
    };
    let increment = || text(value, "increment_id").or_else(|| text(value, "real_order_id"));
    match id.filter(|id| *id > 0) {
        Some(id) => Some(Hint::Order(id)),
        // Only an order's own event has its number; a document's `increment_id` is that of the document.
        None if has("sales_order_save") || has("order_repository") || has("order_management") => {
            increment().map(Hint::Number)
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(kind: &str, value: Value) -> Option<Hint> {
        hint(
            &json!({"position": "p", "event": {"type": format!("com.adobe.commerce.{kind}"), "data": {"value": value}}}),
        )
    }

    #[test]
    fn each_kind_of_event_leads_to_its_order() {
        let cases = [
            (
                "observer.sales_order_save_commit_after",
                json!({"entity_id": 7}),
                7,
            ),
            (
                "observer.sales_order_invoice_save_after",
                json!({"entity_id": 9, "order_id": "7"}),
                7,
            ),
            (
                "observer.sales_order_shipment_track_save_after",
                json!({"order_id": 7}),
                7,
            ),
            (
                "observer.sales_order_status_history_save_after",
                json!({"entity_id": 4, "parent_id": 7}),
                7,
            ),
            (
                "observer.rma_save_commit_after",
                json!({"entity_id": 3, "order_id": 7}),
                7,
            ),
            (
                "plugin.sales.api.order_management.place",
                json!({"entity_id": 7}),
                7,
            ),
        ];
        for (kind, value, order) in cases {
            assert_eq!(of(kind, value), Some(Hint::Order(order)), "{kind}");
        }
    }

    #[test]
    fn an_order_without_its_id_is_searched_by_number() {
        let number = of(
            "observer.sales_order_save_commit_after",
            json!({"increment_id": "000000007"}),
        );
        assert_eq!(number, Some(Hint::Number("000000007".to_owned())));
        let invoice = of(
            "observer.sales_order_invoice_save_after",
            json!({"increment_id": "000000007"}),
        );
        assert_eq!(invoice, None);
        assert_eq!(
            of("observer.customer_save_commit_after", json!({"entity_id": 7})),
            None
        );
    }
}
