//! The subset of the XDM ExperienceEvent schema that Commerce's back-office events use, as data.
//!
//! Facts from the public XDM repository (adobe/xdm, class ExperienceEvent and the field groups Commerce Details,
//! Personal Contact Details and Reference Keys). Where Commerce's own field tables differ, the schema wins.

use Rule::*;

/// The type of a value.
pub(super) enum Rule {
    Text,
    /// A string that satisfies a predicate, with a description of valid values.
    Fits(fn(&str) -> bool, &'static str),
    OneOf(&'static [&'static str]),
    Number,
    Integer,
    Bool,
    /// An RFC 3339 date-time.
    DateTime,
    /// An object with exactly these keys.
    Object(&'static Shape),
    /// An object with free keys and values of this type.
    MapOf(&'static Rule),
    /// An array of this type.
    ListOf(&'static Rule),
    /// Any value: used for field groups that back-office events do not use.
    Any,
}

pub(super) struct Shape {
    /// Known keys. Any other is a violation.
    pub(super) fields: &'static [(&'static str, Rule)],
    /// Required keys.
    pub(super) required: &'static [&'static str],
}

/// Declares shapes: the keys of each with their rules, and the required ones.
macro_rules! shapes {
    ($($(#[$doc:meta])* $visible:vis $name:ident [$($required:literal),*] {
        $($key:literal: $rule:expr,)*
    })*) => {
        $($(#[$doc])* $visible const $name: Shape = Shape {
            fields: &[$(($key, $rule)),*],
            required: &[$($required),*],
        };)*
    };
}

const CURRENCY: Rule = Fits(is_currency, "three capital letters");
const URI: Rule = Fits(is_uri_reference, "a URI reference");

shapes! {
    /// An entry of `events[]`.
    pub(super) EVENT ["xdm"] {
        "xdm": Object(&XDM),
        "data": MapOf(&Any),
        "query": Any,
    }

    XDM ["_id", "timestamp"] {
        "_id": URI,
        "timestamp": DateTime,
        "eventType": Text,
        "eventMergeId": Text,
        "producedBy": OneOf(&["self", "system", "salesRef", "customerRep"]),
        "identityMap": MapOf(&ListOf(&Object(&IDENTITY))),
        "commerce": Object(&COMMERCE),
        "productListItems": ListOf(&Object(&ITEM)),
        "personalEmail": Object(&EMAIL),
        "shippingAddress": Object(&ADDRESS),
        "billingAddress": Object(&ADDRESS),
        "homeAddress": Object(&ADDRESS),
        "person": Object(&PERSON),
        "channel": Any,
        "web": Any,
        "siteSearch": Any,
        "userAccount": Any,
    }

    IDENTITY [] {
        "id": Text,
        "authenticatedState": OneOf(&["ambiguous", "authenticated", "loggedOut"]),
        "primary": Bool,
    }

    EMAIL [] {
        "address": Text,
        "label": Text,
        "primary": Bool,
        "status": Text,
        "type": Text,
    }

    PERSON [] {
        "personalEmailID": Text,
        "accountID": Text,
        "accountType": Text,
    }

    COMMERCE [] {
        "order": Object(&ORDER),
        "shipping": Object(&SHIPPING),
        "billing": Object(&BILLING),
        "commerceScope": Object(&SCOPE),
        "promotionID": Text,
        "cart": Any,
        "checkouts": Object(&MEASURE),
        "productListAdds": Object(&MEASURE),
        "productListOpens": Object(&MEASURE),
        "productListRemovals": Object(&MEASURE),
        "productListReopens": Object(&MEASURE),
        "productListViews": Object(&MEASURE),
        "productViews": Object(&MEASURE),
        "purchases": Object(&MEASURE),
        "saveForLaters": Object(&MEASURE),
    }

    MEASURE ["value"] {
        "id": Text,
        "value": Number,
    }

    ORDER [] {
        "purchaseID": Text,
        "purchaseOrderNumber": Text,
        "priceTotal": Number,
        "taxAmount": Number,
        "discountAmount": Number,
        "refundTotal": Number,
        "currencyCode": CURRENCY,
        "orderType": OneOf(&["checkout", "instant_purchase"]),
        "createdDate": DateTime,
        "lastUpdatedDate": DateTime,
        "cancelDate": DateTime,
        "payments": ListOf(&Object(&PAYMENT)),
        "refunds": ListOf(&Object(&REFUND)),
        "returns": Object(&RETURN),
    }

    PAYMENT [] {
        "transactionID": Text,
        "paymentAmount": Number,
        "paymentType": Text,
        "currencyCode": CURRENCY,
    }

    REFUND [] {
        "transactionID": Text,
        "refundAmount": Number,
        "refundReason": OneOf(&["return", "price_adjustment"]),
        "refundPaymentType": OneOf(&[
            "cash", "credit_card", "debit_card", "gift_card", "check",
            "paypal", "wire_transfer", "credit_card_reference", "other",
        ]),
        "currencyCode": CURRENCY,
    }

    RETURN [] {
        "returnID": Text,
        "returnStatus": Text,
        "purchaseID": Text,
    }

    SHIPPING [] {
        "shippingMethod": Text,
        "shippingAmount": Number,
        "currencyCode": CURRENCY,
        "shippingDestination": OneOf(&["home", "store"]),
        "shipDate": DateTime,
        "address": Object(&ADDRESS),
        "trackingNumber": Number,
        "trackingURL": Text,
    }

    BILLING [] {
        "address": Object(&ADDRESS),
    }

    ADDRESS [] {
        "street1": Text,
        "street2": Text,
        "street3": Text,
        "street4": Text,
        "city": Text,
        "postalCode": Text,
        "state": Text,
        "stateProvince": Fits(is_state_province, "a code such as US-TX, or nothing"),
        "country": Text,
        "countryCode": Fits(is_country, "two capital letters"),
        "region": Text,
        "postOfficeBox": Fits(is_post_office_box, "at most 20 characters"),
    }

    SCOPE [] {
        "environmentID": Text,
        "websiteCode": Text,
        "storeCode": Text,
        "storeViewCode": Text,
    }

    ITEM ["SKU"] {
        "SKU": Text,
        "_id": URI,
        "name": Text,
        "quantity": Integer,
        "priceTotal": Number,
        "discountAmount": Number,
        "refundAmount": Number,
        "currencyCode": CURRENCY,
        "selectedOptions": ListOf(&Object(&OPTION)),
        "productCategories": ListOf(&Object(&CATEGORY)),
        "productImageUrl": Text,
        "product": URI,
        "returnItem": Object(&RETURN_ITEM),
    }

    OPTION [] {
        "attribute": Text,
        "value": Text,
    }

    CATEGORY [] {
        "categoryID": Text,
        "categoryName": Text,
        "categoryPath": Text,
    }

    RETURN_ITEM [] {
        "returnStatus": Text,
        "returnReason": Text,
        "returnItemCondition": Text,
        "returnResolution": Text,
        "returnQuantityRequested": Integer,
        "returnQuantityAuthorized": Integer,
        "returnQuantityReceived": Integer,
        "returnQuantityApproved": Integer,
    }
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_state_province(text: &str) -> bool {
    let Some((country, state)) = text.split_once('-') else {
        return text.is_empty();
    };
    let is_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    is_country(country) && (1..=3).contains(&state.len()) && state.bytes().all(is_code)
}

fn is_post_office_box(text: &str) -> bool {
    text.chars().count() <= 20
}

fn is_uri_reference(text: &str) -> bool {
    !text.is_empty()
        && !text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "<>\"{}|\\^`".contains(c))
}
