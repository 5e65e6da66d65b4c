//! A table of the XDM fields that events may use: unknown keys, wrong types and missing required keys fail.
//! From `experienceevent`, `experienceevent-commerce`, `productlistitem`, `order`, `paymentitem`, `refunditem`,
//! `returnitem`, `shipping`, `address`, `identitymap` and `personal-contact-details` of the public XDM registry.

use serde_json::Value;

/// The type of a leaf.
enum Kind {
    Text,
    Number,
    Integer,
    DateTime,
    True,
    Matches(fn(&str) -> bool),
    OneOf(&'static [&'static str]),
}

const PAYMENT_TYPES: &[&str] = &[
    "cash",
    "credit_card",
    "debit_card",
    "gift_card",
    "check",
    "paypal",
    "wire_transfer",
    "credit_card_reference",
    "other",
];

/// Objects by path with the keys that they must have; lists of them end in `[]`.
const REQUIRED: &[(&str, &[&str])] = &[
    ("", &["xdm"]),
    (
        "xdm",
        &["_id", "timestamp", "eventType", "identityMap", "commerce"],
    ),
    ("xdm.identityMap.*[]", &["id", "primary"]),
    ("xdm.productListItems[]", &["SKU"]),
    (
        "xdm.productListItems[].selectedOptions[]",
        &["attribute", "value"],
    ),
    ("xdm.commerce", &["order", "commerceScope"]),
    ("xdm.commerce.commerceScope", &["environmentID"]),
    ("xdm.commerce.order", &[]),
    ("xdm.commerce.order.payments[]", &[]),
    ("xdm.commerce.order.refunds[]", &[]),
    ("xdm.commerce.order.returns", &[]),
    ("xdm.commerce.shipping", &[]),
    ("xdm.commerce.shipping.address", &[]),
    ("xdm.commerce.billing", &["address"]),
    ("xdm.commerce.billing.address", &[]),
    ("xdm.productListItems[].returnItem", &[]),
    ("xdm.personalEmail", &["address"]),
    ("xdm.identityMap", &[]),
];

fn kind_of(path: &str) -> Option<Kind> {
    let path = path.strip_prefix("xdm.")?;
    let in_commerce = path.strip_prefix("commerce.").and_then(commerce_kind);
    let in_line = || path.strip_prefix("productListItems[].").and_then(line_kind);
    in_commerce.or_else(in_line).or_else(|| envelope_kind(path))
}

fn envelope_kind(path: &str) -> Option<Kind> {
    Some(match path {
        "_id" => Kind::Matches(|id| uuid::Uuid::parse_str(id).is_ok()),
        "timestamp" => Kind::DateTime,
        "eventType" => Kind::Text,
        "producedBy" => Kind::OneOf(&["self", "system", "salesRef", "customerRep"]),
        "identityMap.*[].id" => {
            Kind::Matches(|id| id.len() == 64 && id.bytes().all(|b| b"0123456789abcdef".contains(&b)))
        }
        "identityMap.*[].authenticatedState" => Kind::OneOf(&["ambiguous"]),
        "identityMap.*[].primary" => Kind::True,
        "personalEmail.address" => Kind::Matches(|address| address.contains('@')),
        _ => return None,
    })
}

fn commerce_kind(path: &str) -> Option<Kind> {
    let address = path
        .strip_prefix("shipping.address.")
        .or_else(|| path.strip_prefix("billing.address."));
    if let Some(field) = address {
        return address_kind(field);
    }
    if path.ends_with("urrencyCode") {
        return currency_kind(path);
    }
    Some(match path {
        "order.purchaseID" | "order.purchaseOrderNumber" => Kind::Text,
        "order.returns.returnID" | "order.returns.returnStatus" | "order.returns.purchaseID" => Kind::Text,
        "order.priceTotal" | "order.taxAmount" | "order.discountAmount" | "order.refundTotal" => Kind::Number,
        "order.createdDate" | "order.lastUpdatedDate" | "order.cancelDate" | "shipping.shipDate" => {
            Kind::DateTime
        }
        "order.payments[].transactionID" | "order.payments[].paymentType" => Kind::Text,
        "order.refunds[].transactionID" | "shipping.shippingMethod" => Kind::Text,
        "order.payments[].paymentAmount" | "order.refunds[].refundAmount" => Kind::Number,
        "order.refunds[].refundReason" => Kind::OneOf(&["return", "price_adjustment"]),
        "order.refunds[].refundPaymentType" => Kind::OneOf(PAYMENT_TYPES),
        "shipping.shippingAmount" | "shipping.trackingNumber" => Kind::Number,
        "commerceScope.environmentID" | "commerceScope.websiteCode" => Kind::Text,
        "commerceScope.storeCode" | "commerceScope.storeViewCode" => Kind::Text,
        _ => return None,
    })
}

fn currency_kind(path: &str) -> Option<Kind> {
    let known = matches!(
        path,
        "order.currencyCode"
            | "order.payments[].currencyCode"
            | "order.refunds[].currencyCode"
            | "shipping.currencyCode"
    );
    known.then_some(Kind::Matches(is_currency))
}

fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn address_kind(field: &str) -> Option<Kind> {
    Some(match field {
        "street1" | "street2" | "street3" | "street4" | "city" | "postalCode" | "state" | "country" => {
            Kind::Text
        }
        "countryCode" => {
            Kind::Matches(|code| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
        }
        "stateProvince" => Kind::Matches(|code| code.len() <= 6 && code.as_bytes().get(2) == Some(&b'-')),
        _ => return None,
    })
}

fn line_kind(field: &str) -> Option<Kind> {
    Some(match field {
        "_id" | "SKU" | "name" | "selectedOptions[].attribute" | "selectedOptions[].value" => Kind::Text,
        "quantity" => Kind::Integer,
        "priceTotal" | "discountAmount" => Kind::Number,
        "currencyCode" => Kind::Matches(is_currency),
        "returnItem.returnStatus" | "returnItem.returnReason" => Kind::Text,
        "returnItem.returnItemCondition" | "returnItem.returnResolution" => Kind::Text,
        "returnItem.returnQuantityRequested" | "returnItem.returnQuantityAuthorized" => Kind::Integer,
        "returnItem.returnQuantityReceived" | "returnItem.returnQuantityApproved" => Kind::Integer,
        _ => return None,
    })
}

/// Every way in which the body breaks the schema; empty if it is valid.
pub(crate) fn violations(body: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    match serde_json::from_slice(body) {
        Ok(value) => check("", &value, &mut found),
        Err(error) => found.push(error.to_string()),
    }
    found
}

fn check(path: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let Some((_, required)) = REQUIRED.iter().find(|(object, _)| *object == path) else {
                return found.push(format!("{path} is unknown or no object"));
            };
            found.extend(
                required
                    .iter()
                    .filter(|key| !fields.contains_key(**key))
                    .map(|key| format!("{path} lacks {key}")),
            );
            for (key, value) in fields {
                let key = if path == "xdm.identityMap" { "*" } else { key };
                let child = if path.is_empty() {
                    key.to_owned()
                } else {
                    format!("{path}.{key}")
                };
                check(&child, value, found);
            }
        }
        Value::Array(elements) if elements.is_empty() => found.push(format!("{path} is an empty list")),
        Value::Array(elements) => elements
            .iter()
            .for_each(|element| check(&format!("{path}[]"), element, found)),
        leaf if is_valid(path, leaf) => {}
        leaf => found.push(format!("{path} is {leaf}")),
    }
}

fn is_valid(path: &str, leaf: &Value) -> bool {
    let text = leaf.as_str().filter(|text| !text.is_empty());
    match kind_of(path) {
        None => false,
        Some(Kind::Text) => text.is_some(),
        Some(Kind::Number) => leaf.is_number(),
        Some(Kind::Integer) => leaf
            .as_i64()
            .is_some_and(|whole| (0..=i64::from(i32::MAX)).contains(&whole)),
        Some(Kind::True) => leaf == &Value::Bool(true),
        Some(Kind::DateTime) => text.is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok()),
        Some(Kind::Matches(matches)) => text.is_some_and(matches),
        Some(Kind::OneOf(values)) => text.is_some_and(|text| values.contains(&text)),
    }
}

#[test]
fn the_validator_finds_what_xdm_refuses() {
    let event = |commerce: &str, lines: &str| {
        let body = format!(
            r#"{{"xdm":{{"_id":"2a7d1c34-8f10-4be3-9d2f-0c5b7f6a1e90","timestamp":"2026-11-22T07:00:00.000Z","eventType":"x",
            "identityMap":{{}},"commerce":{{"order":{{{commerce}}},"commerceScope":{{"environmentID":"e"}}}}{lines}}}}}"#
        );
        violations(body.as_bytes())
    };
    assert_eq!(event("", ""), Vec::<String>::new());
    for bad in [
        r#""currencyCode":"usd""#,
        r#""priceTotal":"1.0""#,
        r#""shade":"x""#,
        r#""returns":[]"#,
        r#""purchaseID":"""#,
        r#""payments":[{"paymentTransactionID":"x"}]"#,
        r#""refunds":[{"refundPaymentType":"barter"}]"#,
    ] {
        assert_eq!(event(bad, "").len(), 1, "{bad}");
    }
    for bad in [
        r#"{"SKU":"a","quantity":1.5}"#,
        r#"{"name":"a"}"#,
        r#"{"SKU":"a","id":"1"}"#,
    ] {
        assert_eq!(
            event("", &format!(r#","productListItems":[{bad}]"#)).len(),
            1,
            "{bad}"
        );
    }
}
