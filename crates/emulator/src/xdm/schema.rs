//! The subset of the XDM ExperienceEvent schema that Commerce's events use, as data. `storefront` adds what only browsers
//! send.
//!
//! Facts from the public XDM repository (adobe/xdm, class ExperienceEvent and the field groups Commerce Details,
//! Personal Contact Details and Reference Keys). Where Commerce's own field tables differ, the schema wins.

use crate::xdm::rule::Rule::*;
use crate::xdm::rule::{
    Rule, Shape, is_country, is_currency, is_post_office_box, is_state_province, is_uri_reference, shapes,
};
use crate::xdm::storefront::{
    CART, DEVICE, ENVIRONMENT, IMPLEMENTATION, MEASURE, PLACE, REQUISITION_LIST, SITE_SEARCH, USER_ACCOUNT,
    WEB,
};

const CURRENCY: Rule = Fits(is_currency, "three capital letters");
const URI: Rule = Fits(is_uri_reference, "a URI reference");

shapes! {
    /// An entry of `events[]`.
    pub(crate) EVENT ["xdm"] {
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
        "web": Object(&WEB),
        "siteSearch": Object(&SITE_SEARCH),
        "searchRequest": Object(&MEASURE),
        "searchResponse": Object(&MEASURE),
        "userAccount": Object(&USER_ACCOUNT),
        // Deprecated, but Adobe's collector still sends it.
        "personID": Text,
        "device": Object(&DEVICE),
        "environment": Object(&ENVIRONMENT),
        "placeContext": Object(&PLACE),
        "implementationDetails": Object(&IMPLEMENTATION),
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
        "cart": Object(&CART),
        "channel": Text,
        "checkouts": Object(&MEASURE),
        "productListAdds": Object(&MEASURE),
        "productListOpens": Object(&MEASURE),
        "productListRemovals": Object(&MEASURE),
        "productListReopens": Object(&MEASURE),
        "productListViews": Object(&MEASURE),
        "productViews": Object(&MEASURE),
        "purchases": Object(&MEASURE),
        "saveForLaters": Object(&MEASURE),
        "requisitionList": Object(&REQUISITION_LIST),
        "requisitionListAdds": Object(&MEASURE),
        "requisitionListDeletes": Object(&MEASURE),
        "requisitionListOpens": Object(&MEASURE),
        "requisitionListRemovals": Object(&MEASURE),
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
