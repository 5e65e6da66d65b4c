//! A Commerce order with all of its documents, as one value.
//!
//! The feed hash, the events and `explain` are computed from this value and from nothing else. A source fills it; the
//! source's table definitions name the column behind each field. A field documents its column only where the name alone
//! would mislead.
//!
//! Money is in the base currency (the `base_*` columns). Lists are sorted by id, so that equal orders are equal values
//! in whatever order the database returned the rows.

use crate::amount::Amount;
use crate::birth::Birth;
use crate::clock::UtcMillis;

/// `sales_order.entity_id`, the key of an order. The increment id is not unique across store views.
pub type OrderId = i64;

/// One order, read whole from one snapshot of the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Order {
    pub id: OrderId,
    pub birth: Birth,
    /// `increment_id`, the number shoppers and merchants see. Not unique across store views.
    pub number: String,
    /// Lower case: new, pending_payment, processing, complete, closed, canceled, holded, payment_review, or a state
    /// that an extension added.
    pub state: String,
    /// Shops may define their own statuses.
    pub status: Option<String>,
    pub created_at: UtcMillis,
    pub updated_at: UtcMillis,
    /// `None` if the store view of the order no longer exists.
    pub scope: Option<Scope>,
    pub store_id: Option<i64>,
    pub customer_id: Option<i64>,
    pub is_guest: bool,
    /// `customer_email`, as stored.
    pub email: Option<String>,
    /// Free text written by the shopper.
    pub customer_note: Option<String>,
    pub is_virtual: bool,
    pub currency: Option<String>,
    pub totals: Totals,
    pub payment: Option<Payment>,
    pub transactions: Vec<Transaction>,
    pub billing_address: Option<Address>,
    pub shipping_address: Option<Address>,
    /// Carrier and method, such as `flatrate_flatrate`.
    pub shipping_method: Option<String>,
    pub shipping_description: Option<String>,
    /// Secret part of the shop's tracking links.
    pub protect_code: Option<String>,
    /// Parent and child items alike.
    pub items: Vec<Item>,
    pub invoices: Vec<Invoice>,
    pub shipments: Vec<Shipment>,
    pub credit_memos: Vec<CreditMemo>,
    /// Returns (RMA). Empty in editions without these tables.
    pub returns: Vec<Return>,
    pub taxes: Vec<Tax>,
    /// `sales_order_status_history` without its comments, which are free text.
    pub history: Vec<StatusChange>,
}

/// The website, store and store view in which an order was placed, by code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    pub website: String,
    pub store: String,
    pub store_view: String,
}

/// Totals of an order; `None` where the column is NULL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Totals {
    pub grand_total: Option<Amount>,
    pub subtotal: Option<Amount>,
    /// Negative, as Commerce stores it.
    pub discount: Option<Amount>,
    pub tax: Option<Amount>,
    pub shipping: Option<Amount>,
    pub shipping_tax: Option<Amount>,
    pub invoiced: Option<Amount>,
    pub paid: Option<Amount>,
    pub refunded: Option<Amount>,
    pub canceled: Option<Amount>,
    pub qty_ordered: Option<Amount>,
}

/// A row of `sales_order_payment`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Payment {
    /// Code of the payment method, such as `checkmo`.
    pub method: Option<String>,
    /// `method_title` inside `additional_information`.
    pub method_title: Option<String>,
    /// Purchase order number, given by the purchaser.
    pub po_number: Option<String>,
    pub last_transaction_id: Option<String>,
    pub ordered: Option<Amount>,
    pub paid: Option<Amount>,
    pub paid_online: Option<Amount>,
    pub authorized: Option<Amount>,
    pub canceled: Option<Amount>,
    pub refunded: Option<Amount>,
    pub refunded_online: Option<Amount>,
}

/// A row of `sales_payment_transaction`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Transaction {
    pub id: i64,
    /// The payment provider's id.
    pub txn_id: Option<String>,
    /// One of order, authorization, capture, void, refund, payment.
    pub kind: Option<String>,
    pub created_at: Option<UtcMillis>,
}

/// A row of `sales_order_address`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Address {
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub company: Option<String>,
    /// Street lines, separated by newlines.
    pub street: Option<String>,
    pub city: Option<String>,
    /// Free-form name of the region.
    pub region: Option<String>,
    pub region_id: Option<i64>,
    pub postcode: Option<String>,
    /// Two-letter country code.
    pub country: Option<String>,
    pub telephone: Option<String>,
}

/// A row of `sales_order_item`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Item {
    pub id: i64,
    /// Set on the children of configurables and bundles.
    pub parent_id: Option<i64>,
    pub product_id: Option<i64>,
    /// One of simple, configurable, bundle, virtual, downloadable, grouped, …
    pub product_type: Option<String>,
    pub sku: String,
    pub name: Option<String>,
    pub is_virtual: bool,
    /// JSON text, as Commerce stores it.
    pub product_options: Option<String>,
    pub weight: Option<Amount>,
    pub qty_ordered: Amount,
    pub qty_invoiced: Amount,
    pub qty_shipped: Amount,
    pub qty_refunded: Amount,
    pub qty_canceled: Amount,
    pub qty_backordered: Amount,
    pub price: Option<Amount>,
    pub row_total: Option<Amount>,
    pub row_total_incl_tax: Option<Amount>,
    /// Positive on items, unlike the order's total.
    pub discount: Option<Amount>,
    pub tax: Option<Amount>,
    pub refunded: Option<Amount>,
}

/// A row of `sales_invoice` with its items.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Invoice {
    pub id: i64,
    pub birth: Birth,
    pub number: Option<String>,
    /// 1 open, 2 paid, 3 canceled.
    pub state: Option<i64>,
    pub created_at: UtcMillis,
    pub updated_at: UtcMillis,
    pub grand_total: Option<Amount>,
    pub shipping: Option<Amount>,
    pub transaction_id: Option<String>,
    pub items: Vec<DocumentItem>,
}

/// A row of `sales_shipment` with its items and tracks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shipment {
    pub id: i64,
    pub birth: Birth,
    pub number: Option<String>,
    pub created_at: UtcMillis,
    pub updated_at: UtcMillis,
    pub items: Vec<DocumentItem>,
    /// A shipment may have several tracks.
    pub tracks: Vec<Track>,
}

/// A row of `sales_shipment_track`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Track {
    pub id: i64,
    pub carrier: Option<String>,
    pub title: Option<String>,
    pub number: Option<String>,
}

/// A row of `sales_creditmemo` with its items.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CreditMemo {
    pub id: i64,
    pub birth: Birth,
    pub number: Option<String>,
    /// 1 open, 2 refunded, 3 canceled.
    pub state: Option<i64>,
    pub created_at: UtcMillis,
    pub updated_at: UtcMillis,
    pub grand_total: Option<Amount>,
    pub subtotal: Option<Amount>,
    pub tax: Option<Amount>,
    pub shipping: Option<Amount>,
    pub adjustment: Option<Amount>,
    pub transaction_id: Option<String>,
    pub items: Vec<DocumentItem>,
    /// Number of comments. Their text is free text and is not read.
    pub comments: u32,
}

/// An item line of an invoice, shipment or credit memo. Shipments have no amounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DocumentItem {
    pub id: i64,
    pub order_item_id: i64,
    pub qty: Amount,
    pub price: Option<Amount>,
    pub row_total: Option<Amount>,
    pub discount: Option<Amount>,
    pub tax: Option<Amount>,
}

/// A row of `magento_rma`, which exists in the Adobe Commerce edition only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Return {
    pub id: i64,
    pub birth: Birth,
    pub number: Option<String>,
    /// From pending and authorized to closed and processed_closed.
    pub status: Option<String>,
    pub requested_at: UtcMillis,
    pub items: Vec<ReturnItem>,
    pub history: Vec<StatusChange>,
}

/// A row of `magento_rma_item_entity`, with the labels of its EAV attributes where they could be resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReturnItem {
    pub id: i64,
    pub order_item_id: Option<i64>,
    pub sku: Option<String>,
    pub name: Option<String>,
    pub status: Option<String>,
    pub reason: Option<String>,
    pub condition: Option<String>,
    pub resolution: Option<String>,
    pub qty_requested: Option<Amount>,
    pub qty_authorized: Option<Amount>,
    /// Quantity that the merchant received.
    pub qty_returned: Option<Amount>,
    pub qty_approved: Option<Amount>,
}

/// A row of `sales_order_tax`, joined with `sales_order_tax_item`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tax {
    pub id: i64,
    pub title: Option<String>,
    pub amount: Option<Amount>,
}

/// An entry in the status history of an order or a return.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StatusChange {
    pub id: i64,
    pub status: Option<String>,
    pub at: UtcMillis,
}
