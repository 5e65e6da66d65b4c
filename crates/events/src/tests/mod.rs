//! Events of known orders: what is sent, in which order, and what is not.

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
pub(crate) mod properties;
#[cfg(test)]
pub(crate) mod schema;

use serde_json::Value;

use crate::context::{EventContext, Profile};
use crate::tests::fixtures::{at, cancelled_order, context, eventful_order};
use crate::tests::schema::violations;
use crate::{EventKind, Fact, StatusEvent, Unsendable, event_id, facts, render, status_events};
use orderfeed_model::amount::Amount;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::{Item, Order, Shipment, StatusChange};

fn events_of_every_kind(context: &EventContext) -> Vec<StatusEvent> {
    let mut events = status_events(&eventful_order(), context);
    events.extend(status_events(&cancelled_order(), context).pop());
    events
}

fn json(event: &StatusEvent) -> Value {
    serde_json::from_slice(event.body.as_ref().unwrap()).unwrap()
}

fn event(order: &Order, kind: EventKind, profile: Profile) -> Value {
    let events = status_events(order, &context(profile));
    json(events.iter().find(|event| event.kind == kind).unwrap())
}

fn snapshot_all(profile: Profile, name: &str) {
    let events = events_of_every_kind(&context(profile));
    let kinds: std::collections::BTreeSet<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds.len(), EventKind::ALL.len());
    for event in events {
        let body = event.body.as_ref().unwrap();
        assert_eq!(violations(body), Vec::<String>::new());
        insta::assert_json_snapshot!(
            format!("{name}_{}_{}", event.kind, event.document_id),
            json(&event)
        );
    }
}

#[test]
fn every_kind_in_the_anonymized_profile() {
    snapshot_all(Profile::Anonymized, "anonymized");
}

#[test]
fn every_kind_in_the_full_profile() {
    snapshot_all(Profile::Full, "full");
}

#[test]
fn the_bytes_of_an_event_are_these() {
    let events = status_events(&cancelled_order(), &context(Profile::Anonymized));
    let body = String::from_utf8(events[1].body.clone().unwrap()).unwrap();
    insta::assert_snapshot!("bytes_of_cancelled", body);
}

#[test]
fn nothing_personal_is_in_an_anonymized_event() {
    for event in events_of_every_kind(&context(Profile::Anonymized)) {
        let body = String::from_utf8(event.body.unwrap()).unwrap().to_lowercase();
        for word in [
            "pii-",
            "user@",
            "example.com",
            "personalemail",
            "street",
            "tracking",
            "postalcode",
            "rear building",
        ] {
            assert!(!body.contains(word), "{} holds {word}: {body}", event.kind);
        }
    }
}

#[test]
fn the_full_profile_has_no_more_than_adobe_lists() {
    for event in events_of_every_kind(&context(Profile::Full)) {
        let body = String::from_utf8(event.body.unwrap()).unwrap();
        for word in [
            "PII-first",
            "PII-last",
            "PII-company",
            "PII-telephone",
            "PII-note",
            "PII-request",
            "PII-protect",
        ] {
            assert!(!body.contains(word), "{} holds {word}", event.kind);
        }
        assert!(body.contains(r#""personalEmail":{"address":"User@Example.com"}"#));
    }
}

#[test]
fn events_come_in_the_order_in_which_they_happened() {
    let kinds: Vec<_> = facts(&eventful_order())
        .iter()
        .map(|fact| (fact.kind, fact.document_id))
        .collect();
    let expected = [
        (EventKind::Placed, 42),
        (EventKind::Invoiced, 7),
        (EventKind::ItemsShipped, 11),
        (EventKind::ItemsShipped, 12),
        (EventKind::ShipmentCompleted, 42),
        (EventKind::ReturnInitiated, 5),
        (EventKind::ReturnCompleted, 5),
        (EventKind::Refunded, 3),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn a_cancellation_happened_when_its_status_began() {
    let mut order = cancelled_order();
    let cancelled_at = |order: &Order| {
        facts(order)
            .iter()
            .find(|fact| fact.kind == EventKind::Cancelled)
            .unwrap()
            .at
    };
    assert_eq!(cancelled_at(&order), at("2026-11-22 08:00:00"));
    order.history.clear();
    assert_eq!(cancelled_at(&order), order.updated_at);
    order.status = Some("fraud_refused".to_owned());
    let at = UtcMillis(order.created_at.0 + 1);
    order.history = vec![StatusChange {
        id: 1,
        status: order.status.clone(),
        at,
    }];
    assert_eq!(cancelled_at(&order), at);
}

#[test]
fn shipment_is_complete_when_nothing_is_left_to_ship() {
    let is_complete = |items: Vec<Item>, state: &str| {
        let shipments = vec![Shipment {
            id: 1,
            ..Shipment::default()
        }];
        let order = Order {
            items,
            shipments,
            state: state.to_owned(),
            ..Order::default()
        };
        facts(&order)
            .iter()
            .any(|fact| fact.kind == EventKind::ShipmentCompleted)
    };
    let item = |ordered, shipped, refunded, canceled| Item {
        id: 1,
        qty_ordered: Amount::from_units(ordered),
        qty_shipped: Amount::from_units(shipped),
        qty_refunded: Amount::from_units(refunded),
        qty_canceled: Amount::from_units(canceled),
        ..Item::default()
    };
    assert!(is_complete(vec![item(3, 2, 1, 1)], "processing"));
    assert!(is_complete(vec![item(3, 1, 3, 0)], "closed"));
    assert!(!is_complete(vec![item(3, 1, 1, 1)], "processing"));
    assert!(!is_complete(vec![item(3, 3, 0, 0)], "canceled"));
    assert!(is_complete(
        vec![Item {
            is_virtual: true,
            ..item(3, 0, 0, 0)
        }],
        "processing"
    ));
    assert!(is_complete(
        vec![
            item(1, 1, 0, 0),
            Item {
                id: 2,
                parent_id: Some(1),
                ..item(1, 0, 0, 0)
            }
        ],
        "complete"
    ));
    let bundle = |shipment_type: u8| Item {
        product_type: Some("bundle".to_owned()),
        product_options: Some(format!(r#"{{"shipment_type":"{shipment_type}"}}"#)),
        ..item(1, 0, 0, 0)
    };
    let part = |shipped| Item {
        id: 2,
        parent_id: Some(1),
        ..item(2, shipped, 0, 0)
    };
    assert!(is_complete(vec![bundle(1), part(2)], "processing"));
    assert!(!is_complete(vec![bundle(1), part(1)], "processing"));
    assert!(!is_complete(vec![bundle(0), part(2)], "processing"));
    assert!(!is_complete(vec![bundle(1)], "processing"));
}

#[test]
fn an_order_without_shipments_is_never_complete() {
    let order = Order {
        shipments: Vec::new(),
        ..eventful_order()
    };
    assert!(
        facts(&order)
            .iter()
            .all(|fact| fact.kind != EventKind::ShipmentCompleted)
    );
}

#[test]
fn a_bundle_that_ships_in_parts_is_shipped_as_its_parts() {
    let mut order = eventful_order();
    order.items[2].product_options = Some(r#"{"shipment_type":1}"#.to_owned());
    order.shipments[1].items[0].order_item_id = 104;
    let shipped = event(&order, EventKind::ItemsShipped, Profile::Anonymized);
    assert_eq!(shipped["xdm"]["productListItems"][0]["SKU"], "SKU-100");
    let second = status_events(&order, &context(Profile::Anonymized));
    let second = second
        .iter()
        .find(|event| event.document_id == 12)
        .map(json)
        .unwrap();
    let lines = second["xdm"]["productListItems"].as_array().unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["SKU"], "SKU-104");
    // One of two pieces that cost 41.99.
    assert_eq!(lines[0]["priceTotal"].to_string(), "21.0");
}

#[test]
fn what_xdm_could_not_take_is_left_out() {
    let mut order = eventful_order();
    order.currency = Some("usd".to_owned());
    order.items[0].sku.clear();
    order.items[0].qty_ordered = Amount::parse("2.5").unwrap();
    order.email = None;
    order.scope = None;
    let placed = &event(&order, EventKind::Placed, Profile::Full)["xdm"];
    assert_eq!(placed["productListItems"][0]["SKU"], "item-100");
    assert!(placed["productListItems"][0].get("quantity").is_none());
    assert!(!placed.to_string().contains("currencyCode"));
    assert!(placed.get("personalEmail").is_none());
    assert!(placed["identityMap"]["commerceOrder"][0]["id"].is_string());
    assert_eq!(placed["commerce"]["commerceScope"].as_object().unwrap().len(), 1);
}

#[test]
fn tracking_numbers_are_sent_only_as_the_numbers_they_are() {
    let mut order = eventful_order();
    let mut sent = |number: &str| {
        order.shipments[0].tracks[0].number = Some(number.to_owned());
        event(&order, EventKind::ItemsShipped, Profile::Full)["xdm"]["commerce"]["shipping"]
            .get("trackingNumber")
            .map(ToString::to_string)
    };
    assert_eq!(sent("9007199254740992").as_deref(), Some("9007199254740992"));
    for lost in [
        "9007199254740993",
        "0123",
        "+5",
        "1Z9",
        "",
        "99999999999999999999999999",
    ] {
        assert_eq!(sent(lost), None, "{lost}");
    }
}

#[test]
fn a_refund_without_items_is_an_adjustment_and_one_after_a_return_is_a_return() {
    let mut order = eventful_order();
    let reason = |order: &Order| {
        let refund = event(order, EventKind::Refunded, Profile::Anonymized);
        refund["xdm"]["commerce"]["order"]["refunds"][0]["refundReason"]
            .as_str()
            .map(str::to_owned)
    };
    assert_eq!(reason(&order).as_deref(), Some("return"));
    order.returns.clear();
    assert_eq!(reason(&order), None);
    order.credit_memos[0].items.clear();
    order.credit_memos[0].adjustment = Some(Amount::from_units(5));
    assert_eq!(reason(&order).as_deref(), Some("price_adjustment"));
}

#[test]
fn what_cannot_be_sent_says_why() {
    let mut order = eventful_order();
    let context = context(Profile::Anonymized);
    let many = (0..2000).map(|id| Item {
        id,
        sku: "x".repeat(60),
        qty_ordered: Amount::from_units(1),
        ..Item::default()
    });
    order.items = many.collect();
    order.invoices[0].created_at = UtcMillis(i64::MAX);
    let events = status_events(&order, &context);
    let failure = |kind| {
        events
            .iter()
            .find(|event| event.kind == kind)
            .unwrap()
            .body
            .clone()
            .unwrap_err()
    };
    assert_eq!(failure(EventKind::Placed).code(), "too_large");
    assert!(failure(EventKind::Placed).to_string().contains("65523"));
    assert_eq!(
        failure(EventKind::Invoiced),
        Unsendable::Timestamp { millis: i64::MAX }
    );
    let gone = Fact {
        kind: EventKind::Refunded,
        document_id: 99,
        generation: 0,
        at: order.created_at,
    };
    assert_eq!(
        render(&order, &gone, &context).unwrap_err().code(),
        "document_gone"
    );
    assert!(
        events.iter().filter(|event| event.body.is_err()).count() == 2,
        "the others are not held back"
    );
}

#[test]
fn an_id_depends_on_data_space_kind_and_document_alone() {
    let context = context(Profile::Full);
    let mut order = eventful_order();
    let ids = |order: &Order| {
        status_events(order, &context)
            .iter()
            .map(|event| event.id)
            .collect::<Vec<_>>()
    };
    let before = ids(&order);
    order.number = "other".to_owned();
    order.email = None;
    order.totals.grand_total = None;
    order.currency = None;
    assert_eq!(ids(&order), before);
    assert_eq!(
        before[0],
        event_id(&context.data_space_id, EventKind::Placed, 42, 0)
    );
}
