//! Tests of the schema check.

use serde_json::{Value, json};

use crate::xdm::*;

fn event(commerce: Value, items: Value) -> Value {
    json!({ "xdm": {
        "_id": "ae28204e-2c4b-592f-8fd4-ef0aaddc94b4", "timestamp": "2026-11-22T07:00:00.000Z",
        "eventType": "commerce.backofficeOrderPlaced", "producedBy": "system",
        "identityMap": { "Email_LC_SHA256": [{ "id": "b4c9", "authenticatedState": "ambiguous", "primary": true }] },
        "commerce": commerce, "productListItems": items } })
}

fn violations(commerce: Value, items: Value) -> Vec<String> {
    validate(&event(commerce, items))
}

#[test]
fn events_of_every_shape_are_valid() {
    let address =
        json!({ "street1": "1 Main St", "city": "Austin", "stateProvince": "US-TX", "countryCode": "US" });
    let placed = json!({
        "order": { "purchaseID": "42", "priceTotal": 64.0, "currencyCode": "USD", "orderType": "checkout",
            "createdDate": "2026-11-22T06:59:58Z",
            "payments": [{ "transactionID": "t", "paymentAmount": 64, "paymentType": "x", "currencyCode": "USD" }] },
        "shipping": { "shippingAmount": 5.0, "currencyCode": "USD", "address": address, "trackingURL": "https://x" },
        "billing": { "address": address },
        "commerceScope": { "environmentID": "e", "websiteCode": "w", "storeCode": "s", "storeViewCode": "v" } });
    let items = json!([{ "_id": "42-1", "SKU": "a", "quantity": 2, "priceTotal": 1.5,
        "selectedOptions": [{ "attribute": "color", "value": "black" }],
        "productCategories": [{ "categoryID": "4", "categoryName": "Bags", "categoryPath": "gear/bags" }] }]);
    assert_eq!(violations(placed, items), [] as [String; 0]);

    let refund = json!({ "order": { "refundTotal": 3, "refunds": [{ "refundAmount": 3, "refundReason": "return",
        "refundPaymentType": "other", "currencyCode": "EUR" }] } });
    assert_eq!(
        violations(refund, json!([{ "SKU": "a", "refundAmount": 3.0 }])),
        [] as [String; 0]
    );

    let returned = json!({ "order": { "returns": { "returnID": "R1", "returnStatus": "Pending", "purchaseID": "42" } } });
    let items =
        json!([{ "SKU": "a", "returnItem": { "returnStatus": "Pending", "returnQuantityRequested": 1.0 } }]);
    assert_eq!(violations(returned, items), [] as [String; 0]);
}

/// Returns an event as a page sends it, with the fields of `more`.
fn page_event(more: Value) -> Value {
    let mut xdm = json!({
        "_id": "1", "timestamp": "2026-11-22T07:00:00.000Z", "eventType": "web.webpagedetails.pageViews",
        "personID": "12345678901234567890123456789012345678",
        "identityMap": { "ECID": [{ "id": "12345678901234567890123456789012345678", "primary": true }] },
        "implementationDetails": { "name": "https://ns.adobe.com/experience/alloy", "version": "2.33.1",
            "environment": "browser" } });
    for (key, value) in more.as_object().into_iter().flatten() {
        xdm[key] = value.clone();
    }
    json!({ "xdm": xdm })
}

#[test]
fn events_of_pages_are_valid() {
    for more in [
        json!({ "web": {
            "webPageDetails": { "pageViews": { "value": 1 }, "siteSection": "CMS", "name": "Home", "URL": "https://x/" },
            "webReferrer": { "URL": "" } } }),
        json!({ "device": { "screenHeight": 600, "screenWidth": 800, "screenOrientation": "landscape" },
            "environment": { "type": "browser", "browserDetails": { "viewportWidth": 800, "viewportHeight": 600 } },
            "placeContext": { "localTime": "2026-11-22T08:00:00.000+01:00", "localTimezoneOffset": -60 } }),
        json!({ "commerce": { "cart": { "cartID": "7" }, "productListAdds": { "value": 1 },
            "commerceScope": { "environmentID": "e", "websiteCode": "w", "storeCode": "s", "storeViewCode": "v" } },
            "productListItems": [{ "SKU": "a", "name": "A", "quantity": 1, "priceTotal": 9.5, "currencyCode": "EUR",
                "productImageUrl": "https://x/a.jpg", "discountAmount": 0, "selectedOptions": [] }] }),
        json!({ "siteSearch": { "query": "bag", "refinements": [{ "attribute": "color", "value": ["red"],
            "isRange": false }], "sort": [{ "attribute": "price", "order": "ASC" }] },
            "searchRequest": { "id": "r", "value": 1 } }),
        json!({ "siteSearch": { "suggestions": ["bag"], "numberOfResults": 3 }, "searchResponse": { "value": 1 } }),
        json!({ "userAccount": { "login": 1 }, "person": { "accountID": "5", "accountType": "b2c" } }),
        json!({ "commerce": { "requisitionList": { "ID": "3", "name": "Office" },
            "requisitionListAdds": { "value": 1 } } }),
    ] {
        assert_eq!(validate(&page_event(more)), [] as [String; 0]);
    }
}

#[test]
fn mistakes_in_events_of_pages_are_named_with_their_path() {
    for (more, path) in [
        (
            json!({ "web": { "webPageDetails": { "pageViews": 1 } } }),
            "xdm.web.webPageDetails.pageViews: expected an object",
        ),
        (
            json!({ "siteSearch": { "phrase": "bag" } }),
            "xdm.siteSearch: extraneous key [phrase]",
        ),
        (
            json!({ "commerce": { "cart": { "id": "7" } } }),
            "xdm.commerce.cart: extraneous key [id]",
        ),
        (
            json!({ "userAccount": { "login": true } }),
            "xdm.userAccount.login: expected a number",
        ),
        (
            json!({ "device": { "screenWidth": 1.5 } }),
            "xdm.device.screenWidth: expected an integer",
        ),
    ] {
        let found = validate(&page_event(more));
        assert_eq!(found.len(), 1, "{path} {found:?}");
        assert!(found[0].starts_with(path), "{path} {found:?}");
    }
}

#[test]
fn names_from_the_field_tables_that_the_schema_does_not_know_are_extraneous() {
    for (commerce, items, path) in [
        (
            json!({ "refunds": [] }),
            json!([]),
            "xdm.commerce: extraneous key [refunds]",
        ),
        (
            json!({ "order": { "payments": [{ "paymentTransactionID": "x" }] } }),
            json!([]),
            "xdm.commerce.order.payments[0]: extraneous key [paymentTransactionID]",
        ),
        (
            json!({}),
            json!([{ "SKU": "a", "id": "1" }]),
            "xdm.productListItems[0]: extraneous key [id]",
        ),
        (
            json!({}),
            json!([{ "SKU": "a", "categories": {} }]),
            "xdm.productListItems[0]: extraneous key [categories]",
        ),
        (
            json!({}),
            json!([{ "SKU": "a", "returnItem": { "eturnQuantityReceived": 1 } }]),
            "xdm.productListItems[0].returnItem: extraneous key [eturnQuantityReceived]",
        ),
    ] {
        let found = violations(commerce, items);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(path), "{found:?}");
    }
}

#[test]
fn wrong_types_patterns_and_choices_are_named_with_their_path() {
    for (commerce, items, path) in [
        (
            json!({ "shipping": { "trackingNumber": "1Z9" } }),
            json!([]),
            "xdm.commerce.shipping.trackingNumber:",
        ),
        (
            json!({ "order": { "currencyCode": "usd" } }),
            json!([]),
            "xdm.commerce.order.currencyCode:",
        ),
        (
            json!({ "order": { "currencyCode": "" } }),
            json!([]),
            "xdm.commerce.order.currencyCode:",
        ),
        (
            json!({ "order": { "priceTotal": "64.0" } }),
            json!([]),
            "xdm.commerce.order.priceTotal:",
        ),
        (
            json!({ "order": { "returns": [] } }),
            json!([]),
            "xdm.commerce.order.returns:",
        ),
        (
            json!({ "order": { "createdDate": "2026-11-22 07:00:00" } }),
            json!([]),
            "xdm.commerce.order.createdDate:",
        ),
        (
            json!({ "order": { "refunds": [{ "refundPaymentType": "checkmo" }] } }),
            json!([]),
            "xdm.commerce.order.refunds[0].refundPaymentType:",
        ),
        (
            json!({ "purchases": {} }),
            json!([]),
            "xdm.commerce.purchases: required key [value]",
        ),
        (
            json!({ "billing": { "address": { "countryCode": "USA" } } }),
            json!([]),
            "xdm.commerce.billing.address.countryCode:",
        ),
        (
            json!({ "billing": { "address": { "stateProvince": "TX" } } }),
            json!([]),
            "xdm.commerce.billing.address.stateProvince:",
        ),
        (
            json!({}),
            json!([{ "SKU": "a", "quantity": 1.5 }]),
            "xdm.productListItems[0].quantity:",
        ),
        (
            json!({}),
            json!([{ "quantity": 1 }]),
            "xdm.productListItems[0]: required key [SKU]",
        ),
        (json!({}), json!({}), "xdm.productListItems: expected an array"),
    ] {
        let found = violations(commerce, items);
        assert_eq!(found.len(), 1, "{path} {found:?}");
        assert!(found[0].starts_with(path), "{path} {found:?}");
    }
}

#[test]
fn an_event_needs_xdm_and_that_an_id_and_a_timestamp() {
    assert_eq!(validate(&json!({})), ["event: required key [xdm] not found"]);
    assert_eq!(validate(&json!({ "xdm": {} })).len(), 2);
    assert_eq!(
        validate(&json!([])),
        ["event: expected an object, found an array"]
    );
    let string_flag = json!({ "xdm": { "_id": "a", "timestamp": "2026-11-22T07:00:00Z",
        "identityMap": { "Email": [{ "id": "x", "primary": "true" }] } } });
    assert_eq!(
        validate(&string_flag),
        ["xdm.identityMap.Email[0].primary: expected true or false, found a string"]
    );
}
