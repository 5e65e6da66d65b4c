//! The subset of the XDM ExperienceEvent schema that Commerce's back-office events use, as data.
//!
//! Facts from the public XDM repository (adobe/xdm, class ExperienceEvent and the field groups Commerce Details,
//! Personal Contact Details and Reference Keys). Where Commerce's own field tables differ, the schema wins.

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

const fn object(shape: &'static Shape) -> Rule {
    Rule::Object(shape)
}

const CURRENCY: Rule = Rule::Fits(is_currency, "three capital letters");
const URI: Rule = Rule::Fits(is_uri_reference, "a URI reference");

/// An entry of `events[]`.
pub(super) const EVENT: Shape = Shape {
    fields: &[
        ("xdm", object(&XDM)),
        ("data", Rule::MapOf(&Rule::Any)),
        ("query", Rule::Any),
    ],
    required: &["xdm"],
};

const XDM: Shape = Shape {
    fields: &[
        ("_id", URI),
        ("timestamp", Rule::DateTime),
        ("eventType", Rule::Text),
        ("eventMergeId", Rule::Text),
        (
            "producedBy",
            Rule::OneOf(&["self", "system", "salesRef", "customerRep"]),
        ),
        ("identityMap", Rule::MapOf(&Rule::ListOf(&object(&IDENTITY)))),
        ("commerce", object(&COMMERCE)),
        ("productListItems", Rule::ListOf(&object(&ITEM))),
        ("personalEmail", object(&EMAIL)),
        ("shippingAddress", object(&ADDRESS)),
        ("billingAddress", object(&ADDRESS)),
        ("homeAddress", object(&ADDRESS)),
        ("person", object(&PERSON)),
        ("channel", Rule::Any),
        ("web", Rule::Any),
        ("siteSearch", Rule::Any),
        ("userAccount", Rule::Any),
    ],
    required: &["_id", "timestamp"],
};

const IDENTITY: Shape = Shape {
    fields: &[
        ("id", Rule::Text),
        (
            "authenticatedState",
            Rule::OneOf(&["ambiguous", "authenticated", "loggedOut"]),
        ),
        ("primary", Rule::Bool),
    ],
    required: &[],
};

const EMAIL: Shape = Shape {
    fields: &[
        ("address", Rule::Text),
        ("label", Rule::Text),
        ("primary", Rule::Bool),
        ("status", Rule::Text),
        ("type", Rule::Text),
    ],
    required: &[],
};

const PERSON: Shape = Shape {
    fields: &[
        ("personalEmailID", Rule::Text),
        ("accountID", Rule::Text),
        ("accountType", Rule::Text),
    ],
    required: &[],
};

const COMMERCE: Shape = Shape {
    fields: &[
        ("order", object(&ORDER)),
        ("shipping", object(&SHIPPING)),
        ("billing", object(&BILLING)),
        ("commerceScope", object(&SCOPE)),
        ("promotionID", Rule::Text),
        ("cart", Rule::Any),
        ("checkouts", object(&MEASURE)),
        ("productListAdds", object(&MEASURE)),
        ("productListOpens", object(&MEASURE)),
        ("productListRemovals", object(&MEASURE)),
        ("productListReopens", object(&MEASURE)),
        ("productListViews", object(&MEASURE)),
        ("productViews", object(&MEASURE)),
        ("purchases", object(&MEASURE)),
        ("saveForLaters", object(&MEASURE)),
    ],
    required: &[],
};

const MEASURE: Shape = Shape {
    fields: &[("id", Rule::Text), ("value", Rule::Number)],
    required: &["value"],
};

const ORDER: Shape = Shape {
    fields: &[
        ("purchaseID", Rule::Text),
        ("purchaseOrderNumber", Rule::Text),
        ("priceTotal", Rule::Number),
        ("taxAmount", Rule::Number),
        ("discountAmount", Rule::Number),
        ("refundTotal", Rule::Number),
        ("currencyCode", CURRENCY),
        ("orderType", Rule::OneOf(&["checkout", "instant_purchase"])),
        ("createdDate", Rule::DateTime),
        ("lastUpdatedDate", Rule::DateTime),
        ("cancelDate", Rule::DateTime),
        ("payments", Rule::ListOf(&object(&PAYMENT))),
        ("refunds", Rule::ListOf(&object(&REFUND))),
        ("returns", object(&RETURN)),
    ],
    required: &[],
};

const PAYMENT: Shape = Shape {
    fields: &[
        ("transactionID", Rule::Text),
        ("paymentAmount", Rule::Number),
        ("paymentType", Rule::Text),
        ("currencyCode", CURRENCY),
    ],
    required: &[],
};

const REFUND: Shape = Shape {
    fields: &[
        ("transactionID", Rule::Text),
        ("refundAmount", Rule::Number),
        ("refundReason", Rule::OneOf(&["return", "price_adjustment"])),
        (
            "refundPaymentType",
            Rule::OneOf(&[
                "cash",
                "credit_card",
                "debit_card",
                "gift_card",
                "check",
                "paypal",
                "wire_transfer",
                "credit_card_reference",
                "other",
            ]),
        ),
        ("currencyCode", CURRENCY),
    ],
    required: &[],
};

const RETURN: Shape = Shape {
    fields: &[
        ("returnID", Rule::Text),
        ("returnStatus", Rule::Text),
        ("purchaseID", Rule::Text),
    ],
    required: &[],
};

const SHIPPING: Shape = Shape {
    fields: &[
        ("shippingMethod", Rule::Text),
        ("shippingAmount", Rule::Number),
        ("currencyCode", CURRENCY),
        ("shippingDestination", Rule::OneOf(&["home", "store"])),
        ("shipDate", Rule::DateTime),
        ("address", object(&ADDRESS)),
        ("trackingNumber", Rule::Number),
        ("trackingURL", Rule::Text),
    ],
    required: &[],
};

const BILLING: Shape = Shape {
    fields: &[("address", object(&ADDRESS))],
    required: &[],
};

const ADDRESS: Shape = Shape {
    fields: &[
        ("street1", Rule::Text),
        ("street2", Rule::Text),
        ("street3", Rule::Text),
        ("street4", Rule::Text),
        ("city", Rule::Text),
        ("postalCode", Rule::Text),
        ("state", Rule::Text),
        (
            "stateProvince",
            Rule::Fits(is_state_province, "a code such as US-TX, or nothing"),
        ),
        ("country", Rule::Text),
        ("countryCode", Rule::Fits(is_country, "two capital letters")),
        ("region", Rule::Text),
        (
            "postOfficeBox",
            Rule::Fits(is_post_office_box, "at most 20 characters"),
        ),
    ],
    required: &[],
};

const SCOPE: Shape = Shape {
    fields: &[
        ("environmentID", Rule::Text),
        ("websiteCode", Rule::Text),
        ("storeCode", Rule::Text),
        ("storeViewCode", Rule::Text),
    ],
    required: &[],
};

const ITEM: Shape = Shape {
    fields: &[
        ("SKU", Rule::Text),
        ("_id", URI),
        ("name", Rule::Text),
        ("quantity", Rule::Integer),
        ("priceTotal", Rule::Number),
        ("discountAmount", Rule::Number),
        ("refundAmount", Rule::Number),
        ("currencyCode", CURRENCY),
        ("selectedOptions", Rule::ListOf(&object(&OPTION))),
        ("productCategories", Rule::ListOf(&object(&CATEGORY))),
        ("productImageUrl", Rule::Text),
        ("product", URI),
        ("returnItem", object(&RETURN_ITEM)),
    ],
    required: &["SKU"],
};

const OPTION: Shape = Shape {
    fields: &[("attribute", Rule::Text), ("value", Rule::Text)],
    required: &[],
};

const CATEGORY: Shape = Shape {
    fields: &[
        ("categoryID", Rule::Text),
        ("categoryName", Rule::Text),
        ("categoryPath", Rule::Text),
    ],
    required: &[],
};

const RETURN_ITEM: Shape = Shape {
    fields: &[
        ("returnStatus", Rule::Text),
        ("returnReason", Rule::Text),
        ("returnItemCondition", Rule::Text),
        ("returnResolution", Rule::Text),
        ("returnQuantityRequested", Rule::Integer),
        ("returnQuantityAuthorized", Rule::Integer),
        ("returnQuantityReceived", Rule::Integer),
        ("returnQuantityApproved", Rule::Integer),
    ],
    required: &[],
};

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
