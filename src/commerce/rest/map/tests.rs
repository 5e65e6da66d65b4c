//! Tests of the translation from JSON to orders.

use super::*;
use crate::commerce::read::assemble::MAX_BYTES;
use crate::commerce::rest::map::scopes::StoreTree;
use crate::commerce::source::ReadOrder;
use orderfeed_model::order::Order;

fn order_json() -> Value {
    json!({
        "entity_id": 7, "increment_id": "000000007", "state": "processing", "status": "processing", "store_id": 1,
        "created_at": "2026-01-02 03:04:05", "updated_at": "2026-01-02 03:05:00", "base_grand_total": 34.400000000000006,
        "base_discount_amount": -6, "protect_code": "abc", "quote_id": 12, "is_virtual": 0,
        "items": [
            {"item_id": 12, "sku": "B", "name": "Bottle", "product_type": "simple", "qty_ordered": 1, "parent_item_id": 11,
             "qty_shipped": 1, "parent_item": {"item_id": 11}},
            {"item_id": 11, "sku": "SET", "product_type": "bundle", "qty_ordered": 1, "base_price": 20,
             "base_row_total": 14, "base_row_total_incl_tax": 14, "base_discount_amount": 6},
            {"item_id": 11, "sku": "SET", "product_type": "bundle", "qty_ordered": 1, "base_price": 20,
             "base_row_total": 14, "base_row_total_incl_tax": 14, "base_discount_amount": 6},
        ],
        "billing_address": {"entity_id": 3, "street": ["1 Main St", "Flat 2"], "city": "Oslo", "country_id": "NO"},
        "payment": {"entity_id": 9, "method": "banktransfer", "additional_information": ["Bank", ""], "account_status": null},
        "status_histories": [{"entity_id": 5, "status": "processing", "created_at": "2026-01-02 03:05:00"}],
        "extension_attributes": {
            "shipping_assignments": [{"shipping": {"method": "flatrate_flatrate", "address": {"entity_id": 4, "street": ["X"]}}}],
            "payment_additional_info": [{"key": "method_title", "value": "Bank Transfer"}],
            "applied_taxes": [{"title": "MVA", "base_amount": 2.5}, {"title": "City", "base_amount": 1}],
        },
    })
}

fn read(order: &Value, documents: &[(List, Value)], labels: &ReturnLabels) -> Order {
    let mut assembly = Assembly::new(&[7], MAX_BYTES);
    let tree = StoreTree::join(
        &json!([{"id": 1, "code": "default", "website_id": 1, "store_group_id": 1}]),
        &json!([{"id": 1, "code": "main"}]),
        &json!([{"id": 1, "code": "base"}]),
    );
    tree.add_to(&mut assembly);
    let mut names = ItemNames::default();
    names.add(order);
    add_order(&mut assembly, order);
    for (list, document) in documents {
        add_document(&mut assembly, *list, document, &names, labels);
    }
    match assembly.finish().unwrap().pop() {
        Some(ReadOrder::Whole(order)) => *order,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_order_is_the_value_that_a_database_returns() {
    let order = read(&order_json(), &[], &ReturnLabels::new());
    assert_eq!(order.scope.as_ref().unwrap().website, "base");
    assert_eq!(order.totals.grand_total.unwrap().to_string(), "34.4");
    assert_eq!(
        (order.birth.quote_id, order.protect_code.as_deref()),
        (Some(12), Some("abc"))
    );
    assert_eq!(order.shipping_method.as_deref(), Some("flatrate_flatrate"));
    assert_eq!(
        order.billing_address.unwrap().street.as_deref(),
        Some("1 Main St\nFlat 2")
    );
    assert_eq!(order.shipping_address.unwrap().street.as_deref(), Some("X"));
    assert_eq!(
        order.payment.unwrap().method_title.as_deref(),
        Some("Bank Transfer")
    );
    assert_eq!(order.history[0].at.sql(), "2026-01-02 03:05:00");
    let taxes: Vec<_> = order
        .taxes
        .iter()
        .map(|tax| (tax.id, tax.title.as_deref()))
        .collect();
    assert_eq!(taxes, [(1, Some("MVA")), (2, Some("City"))]);
    let items: Vec<i64> = order.items.iter().map(|item| item.id).collect();
    assert_eq!(items, [11, 12], "sorted, and each once");
    assert_eq!(order.items[0].row_total.unwrap().to_string(), "20.0");
}

#[test]
fn a_bundle_whose_parts_are_shipped_ships_separately() {
    let order = read(&order_json(), &[], &ReturnLabels::new());
    assert_eq!(
        order.items[0].product_options.as_deref(),
        Some(r#"{"shipment_type":1}"#)
    );
    let mut together = order_json();
    together["items"][1]["qty_shipped"] = json!(1);
    together["items"][2]["qty_shipped"] = json!(1);
    let order = read(&together, &[], &ReturnLabels::new());
    assert_eq!(order.items[0].product_options, None);
}

#[test]
fn documents_belong_to_their_order_with_everything_in_them() {
    let documents = [
        (
            List::Shipments,
            json!({"entity_id": 21, "order_id": 7, "increment_id": "S1", "created_at": "2026-01-03 00:00:00",
                "items": [{"entity_id": 31, "order_item_id": 12, "qty": 1}],
                "tracks": [{"entity_id": 42, "track_number": "B"}, {"entity_id": 41, "track_number": "A"}]}),
        ),
        (
            List::CreditMemos,
            json!({"entity_id": 22, "order_id": 7, "comments": [{"entity_id": 1}, {"entity_id": 2}], "items": []}),
        ),
        (List::Invoices, json!({"entity_id": 23, "order_id": 8})),
        (
            List::Transactions,
            json!({"transaction_id": 24, "order_id": 7, "txn_type": "capture"}),
        ),
    ];
    let order = read(&order_json(), &documents, &ReturnLabels::new());
    assert_eq!(order.shipments[0].items[0].order_item_id, 12);
    let tracks: Vec<_> = order.shipments[0].tracks.iter().map(|track| track.id).collect();
    assert_eq!(tracks, [41, 42]);
    assert_eq!(order.credit_memos[0].comments, 2);
    assert!(order.invoices.is_empty(), "another order's");
    assert_eq!(order.transactions[0].kind.as_deref(), Some("capture"));
}

#[test]
fn a_returned_item_has_the_names_of_the_orders_item_and_labels() {
    let returned = json!({"entity_id": 51, "order_id": 7, "status": "pending", "date_requested": "2026-01-04 00:00:00",
        "items": [{"entity_id": 61, "order_item_id": 12, "qty_requested": 1, "reason": "5", "condition": "Opened"}],
        "comments": [{"entity_id": 71, "status": "pending", "created_at": "2026-01-04 00:00:00"}]});
    let labels = ReturnLabels::from([(("reason", "5".to_owned()), "Wrong size".to_owned())]);
    let order = read(&order_json(), &[(List::Returns, returned)], &labels);
    let item = &order.returns[0].items[0];
    assert_eq!(
        (item.sku.as_deref(), item.name.as_deref()),
        (Some("B"), Some("Bottle"))
    );
    assert_eq!(item.reason.as_deref(), Some("Wrong size"));
    assert_eq!(item.condition.as_deref(), Some("Opened"), "a label already");
    assert_eq!(order.returns[0].history[0].status.as_deref(), Some("pending"));
}

#[test]
fn a_value_that_does_not_fit_makes_one_order_unreadable() {
    let mut order = order_json();
    order["created_at"] = json!("yesterday");
    let mut assembly = Assembly::new(&[7], MAX_BYTES);
    add_order(&mut assembly, &order);
    let read = assembly.finish().unwrap();
    assert!(
        matches!(&read[..], [ReadOrder::Unreadable { id: 7, reason }] if reason == "sales_order.created_at is not a date and time")
    );
}
