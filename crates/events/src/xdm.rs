//! The subset of the XDM ExperienceEvent with Adobe's Commerce Details that events use. The structs borrow from the order;
//! their field order is the key order in the JSON.
//!
//! Names and types are those of the XDM schemas (`components/fieldgroups/experience-event/experienceevent-commerce`,
//! `components/datatypes/productlistitem`, `…/order`, `…/paymentitem`, `…/refunditem`, `…/address`), which win over
//! the names in the Data Connection tables.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::identity::Identity;
use crate::text::Moment;
use orderfeed_model::amount::Amount;

/// A text that is borrowed unless cleaning changed it.
pub(super) type Text<'a> = Option<Cow<'a, str>>;

/// Declares an object of XDM whose fields are all optional: one without a value is left out.
macro_rules! optional_fields {
    ($(#[$derive:meta])? $name:ident { $($(#[$rename:meta])? $field:ident: $type:ty,)* }) => {
        $(#[$derive])?
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name<'a> {
            $(
                $(#[$rename])?
                #[serde(skip_serializing_if = "Option::is_none")]
                pub(super) $field: $type,
            )*
        }
    };
}

#[derive(Serialize)]
pub(super) struct Event<'a> {
    pub(super) xdm: Xdm<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Xdm<'a> {
    #[serde(rename = "_id")]
    pub(super) id: Uuid,
    pub(super) timestamp: Moment,
    pub(super) event_type: &'a str,
    pub(super) produced_by: &'static str,
    pub(super) identity_map: &'a Identity<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) personal_email: Option<PersonalEmail<'a>>,
    pub(super) commerce: Commerce<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) product_list_items: Vec<Line<'a>>,
}

impl Serialize for Identity<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let identity = IdentityItem {
            id: &self.id,
            authenticated_state: "ambiguous",
            primary: true,
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.namespace, &[identity])?;
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IdentityItem<'a> {
    id: &'a str,
    authenticated_state: &'static str,
    primary: bool,
}

#[derive(Serialize)]
pub(super) struct PersonalEmail<'a> {
    pub(super) address: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Commerce<'a> {
    pub(super) order: OrderDetails<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shipping: Option<Shipping<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) billing: Option<Billing<'a>>,
    pub(super) commerce_scope: CommerceScope<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CommerceScope<'a> {
    #[serde(rename = "environmentID")]
    pub(super) environment_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) website_code: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) store_code: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) store_view_code: Text<'a>,
}

optional_fields! {
    #[derive(Default)]
    OrderDetails {
        #[serde(rename = "purchaseID")]
        purchase_id: Text<'a>,
        purchase_order_number: Text<'a>,
        price_total: Option<Amount>,
        currency_code: Option<&'a str>,
        tax_amount: Option<Amount>,
        discount_amount: Option<Amount>,
        refund_total: Option<Amount>,
        created_date: Option<Moment>,
        last_updated_date: Option<Moment>,
        cancel_date: Option<Moment>,
        payments: Option<[PaymentItem<'a>; 1]>,
        refunds: Option<[RefundItem<'a>; 1]>,
        returns: Option<Returns<'a>>,
    }
}

optional_fields! {
    PaymentItem {
        #[serde(rename = "transactionID")]
        transaction_id: Text<'a>,
        payment_amount: Option<Amount>,
        payment_type: Text<'a>,
        currency_code: Option<&'a str>,
    }
}

optional_fields! {
    RefundItem {
        #[serde(rename = "transactionID")]
        transaction_id: Text<'a>,
        refund_amount: Option<Amount>,
        refund_reason: Option<&'static str>,
        refund_payment_type: Option<&'static str>,
        currency_code: Option<&'a str>,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Returns<'a> {
    #[serde(rename = "returnID")]
    pub(super) return_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) return_status: Text<'a>,
    #[serde(rename = "purchaseID", skip_serializing_if = "Option::is_none")]
    pub(super) purchase_id: Text<'a>,
}

optional_fields! {
    #[derive(Default)]
    Shipping {
        shipping_method: Text<'a>,
        shipping_amount: Option<Amount>,
        currency_code: Option<&'a str>,
        ship_date: Option<Moment>,
        address: Option<PostalAddress<'a>>,
        tracking_number: Option<u64>,
    }
}

#[derive(Serialize)]
pub(super) struct Billing<'a> {
    pub(super) address: PostalAddress<'a>,
}

optional_fields! {
    #[derive(Default, PartialEq)]
    PostalAddress {
        street1: Text<'a>,
        street2: Text<'a>,
        street3: Text<'a>,
        street4: Text<'a>,
        city: Text<'a>,
        state: Text<'a>,
        state_province: Option<&'a str>,
        postal_code: Text<'a>,
        country: Text<'a>,
        country_code: Option<&'a str>,
    }
}

/// An element of `productListItems`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line<'a> {
    #[serde(rename = "_id", skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<IdText>,
    #[serde(rename = "SKU")]
    pub(super) sku: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) quantity: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) price_total: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) discount_amount: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) currency_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) selected_options: Vec<SelectedOption<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) return_item: Option<ReturnItem<'a>>,
}

/// A number that XDM types as a string.
pub(super) struct IdText(pub(super) i64);

impl Serialize for IdText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct SelectedOption<'a> {
    pub(super) attribute: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
}

optional_fields! {
    ReturnItem {
        return_status: Text<'a>,
        return_reason: Text<'a>,
        return_item_condition: Text<'a>,
        return_resolution: Text<'a>,
        return_quantity_requested: Option<i32>,
        return_quantity_authorized: Option<i32>,
        return_quantity_received: Option<i32>,
        return_quantity_approved: Option<i32>,
    }
}
