//! An order with everything that hangs from it, as one value. Plain data: the feed hash, the events and `explain`
//! are computed from it and from nothing else.
//!
//! Money is in the base currency (`base_*` columns) unless a field says otherwise. Lists are ordered by their id, so
//! that equal orders are equal values whatever order the database returned the rows in.

use crate::amount::Amount;
use crate::clock::UtcMillis;

/// `sales_order.entity_id`: what an order is known by throughout. The increment id is not unique across store views.
pub type OrderId = i64;

/// One order, read whole from one snapshot of the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Order {
    /// `entity_id`.
    pub id: OrderId,
    /// `increment_id`, the number that shopper and merchant see. Not unique across store views.
    pub number: String,
    /// `state`, in lower case: new, pending_payment, processing, complete, closed, canceled, holded, payment_review, or
    /// anything an extension invented.
    pub state: String,
    /// `status`, which shops may define themselves.
    pub status: Option<String>,
    /// `created_at`.
    pub created_at: UtcMillis,
    /// `updated_at`.
    pub updated_at: UtcMillis,
    /// Website, store and store view; `None` when the order's store view no longer exists.
    pub scope: Option<Scope>,
    /// `store_id`.
    pub store_id: Option<i64>,
    /// `customer_id`.
    pub customer_id: Option<i64>,
    /// `customer_is_guest`.
    pub is_guest: bool,
    /// `customer_email`, as stored.
    pub email: Option<String>,
    /// `customer_note`: free text of the shopper.
    pub customer_note: Option<String>,
    /// `is_virtual`.
    pub is_virtual: bool,
    /// `base_currency_code`.
    pub currency: Option<String>,
    /// Totals of the order.
    pub totals: Totals,
    /// Payment, if the row exists.
    pub payment: Option<Payment>,
    /// `sales_payment_transaction`, by id.
    pub transactions: Vec<Transaction>,
    /// The address of type `billing`.
    pub billing_address: Option<Address>,
    /// The address of type `shipping`.
    pub shipping_address: Option<Address>,
    /// `shipping_method`, such as `flatrate_flatrate`.
    pub shipping_method: Option<String>,
    /// `shipping_description`.
    pub shipping_description: Option<String>,
    /// `protect_code`, which the shop's tracking links need.
    pub protect_code: Option<String>,
    /// Items, by id; parents and children alike.
    pub items: Vec<Item>,
    /// Invoices, by id.
    pub invoices: Vec<Invoice>,
    /// Shipments, by id.
    pub shipments: Vec<Shipment>,
    /// Credit memos, by id.
    pub credit_memos: Vec<CreditMemo>,
    /// Returns (RMA), by id; empty where the tables do not exist.
    pub returns: Vec<Return>,
    /// `sales_order_tax` with its items, by id.
    pub taxes: Vec<Tax>,
    /// `sales_order_status_history`, by id, without comments (free text).
    pub history: Vec<StatusChange>,
}

/// Where in the website → store → store view tree an order was placed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// `store_website.code`.
    pub website: String,
    /// `store_group.code`.
    pub store: String,
    /// `store.code`.
    pub store_view: String,
}

/// Totals of an order in base currency; `None` where the column is NULL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Totals {
    /// `base_grand_total`.
    pub grand_total: Option<Amount>,
    /// `base_subtotal`.
    pub subtotal: Option<Amount>,
    /// `base_discount_amount`: negative in Commerce.
    pub discount: Option<Amount>,
    /// `base_tax_amount`.
    pub tax: Option<Amount>,
    /// `base_shipping_amount`.
    pub shipping: Option<Amount>,
    /// `base_shipping_tax_amount`.
    pub shipping_tax: Option<Amount>,
    /// `base_total_invoiced`.
    pub invoiced: Option<Amount>,
    /// `base_total_paid`.
    pub paid: Option<Amount>,
    /// `base_total_refunded`.
    pub refunded: Option<Amount>,
    /// `base_total_canceled`.
    pub canceled: Option<Amount>,
    /// `total_qty_ordered`.
    pub qty_ordered: Option<Amount>,
}

/// `sales_order_payment`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Payment {
    /// `method`, such as `checkmo`.
    pub method: Option<String>,
    /// `method_title` inside `additional_information`.
    pub method_title: Option<String>,
    /// `po_number`, given by the purchaser.
    pub po_number: Option<String>,
    /// `last_trans_id`.
    pub last_transaction_id: Option<String>,
    /// `base_amount_ordered`.
    pub ordered: Option<Amount>,
    /// `base_amount_paid`.
    pub paid: Option<Amount>,
    /// `base_amount_paid_online`.
    pub paid_online: Option<Amount>,
    /// `base_amount_authorized`.
    pub authorized: Option<Amount>,
    /// `base_amount_canceled`.
    pub canceled: Option<Amount>,
    /// `base_amount_refunded`.
    pub refunded: Option<Amount>,
    /// `base_amount_refunded_online`.
    pub refunded_online: Option<Amount>,
}

/// `sales_payment_transaction`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Transaction {
    /// `transaction_id`.
    pub id: i64,
    /// `txn_id`, the payment provider's.
    pub txn_id: Option<String>,
    /// `txn_type`: order, authorization, capture, void, refund, payment.
    pub kind: Option<String>,
    /// `created_at`.
    pub created_at: Option<UtcMillis>,
}

/// `sales_order_address`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Address {
    /// `firstname`.
    pub first_name: Option<String>,
    /// `lastname`.
    pub last_name: Option<String>,
    /// `company`.
    pub company: Option<String>,
    /// `street`: lines separated by newlines.
    pub street: Option<String>,
    /// `city`.
    pub city: Option<String>,
    /// `region`: the region's free-form name.
    pub region: Option<String>,
    /// `region_id`.
    pub region_id: Option<i64>,
    /// `postcode`.
    pub postcode: Option<String>,
    /// `country_id`: two letters.
    pub country: Option<String>,
    /// `telephone`.
    pub telephone: Option<String>,
}

/// `sales_order_item`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Item {
    /// `item_id`.
    pub id: i64,
    /// `parent_item_id`: set on the children of configurables and bundles.
    pub parent_id: Option<i64>,
    /// `product_id`.
    pub product_id: Option<i64>,
    /// `product_type`: simple, configurable, bundle, virtual, downloadable, grouped, …
    pub product_type: Option<String>,
    /// `sku`.
    pub sku: String,
    /// `name`.
    pub name: Option<String>,
    /// `is_virtual`.
    pub is_virtual: bool,
    /// `product_options` as the JSON text that Commerce stored.
    pub product_options: Option<String>,
    /// `weight`.
    pub weight: Option<Amount>,
    /// `qty_ordered`.
    pub qty_ordered: Amount,
    /// `qty_invoiced`.
    pub qty_invoiced: Amount,
    /// `qty_shipped`.
    pub qty_shipped: Amount,
    /// `qty_refunded`.
    pub qty_refunded: Amount,
    /// `qty_canceled`.
    pub qty_canceled: Amount,
    /// `qty_backordered`.
    pub qty_backordered: Amount,
    /// `base_price`.
    pub price: Option<Amount>,
    /// `base_row_total`.
    pub row_total: Option<Amount>,
    /// `base_row_total_incl_tax`.
    pub row_total_incl_tax: Option<Amount>,
    /// `base_discount_amount`: positive on items.
    pub discount: Option<Amount>,
    /// `base_tax_amount`.
    pub tax: Option<Amount>,
    /// `base_amount_refunded`.
    pub refunded: Option<Amount>,
}

/// `sales_invoice`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Invoice {
    /// `entity_id`.
    pub id: i64,
    /// `increment_id`.
    pub number: Option<String>,
    /// `state`: 1 open, 2 paid, 3 canceled.
    pub state: Option<i64>,
    /// `created_at`.
    pub created_at: UtcMillis,
    /// `updated_at`.
    pub updated_at: UtcMillis,
    /// `base_grand_total`.
    pub grand_total: Option<Amount>,
    /// `base_shipping_amount`.
    pub shipping: Option<Amount>,
    /// `transaction_id`.
    pub transaction_id: Option<String>,
    /// `sales_invoice_item`, by id.
    pub items: Vec<DocumentItem>,
}

/// `sales_shipment`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shipment {
    /// `entity_id`.
    pub id: i64,
    /// `increment_id`.
    pub number: Option<String>,
    /// `created_at`.
    pub created_at: UtcMillis,
    /// `updated_at`.
    pub updated_at: UtcMillis,
    /// `sales_shipment_item`, by id.
    pub items: Vec<DocumentItem>,
    /// `sales_shipment_track`, by id: a shipment may have several.
    pub tracks: Vec<Track>,
}

/// `sales_shipment_track`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Track {
    /// `entity_id`.
    pub id: i64,
    /// `carrier_code`.
    pub carrier: Option<String>,
    /// `title`.
    pub title: Option<String>,
    /// `track_number`.
    pub number: Option<String>,
}

/// `sales_creditmemo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CreditMemo {
    /// `entity_id`.
    pub id: i64,
    /// `increment_id`.
    pub number: Option<String>,
    /// `state`: 1 open, 2 refunded, 3 canceled.
    pub state: Option<i64>,
    /// `created_at`.
    pub created_at: UtcMillis,
    /// `updated_at`.
    pub updated_at: UtcMillis,
    /// `base_grand_total`.
    pub grand_total: Option<Amount>,
    /// `base_subtotal`.
    pub subtotal: Option<Amount>,
    /// `base_tax_amount`.
    pub tax: Option<Amount>,
    /// `base_shipping_amount`.
    pub shipping: Option<Amount>,
    /// `base_adjustment`.
    pub adjustment: Option<Amount>,
    /// `transaction_id`.
    pub transaction_id: Option<String>,
    /// `sales_creditmemo_item`, by id.
    pub items: Vec<DocumentItem>,
    /// `sales_creditmemo_comment`: how many there are. Their text is free text and is not read.
    pub comments: u32,
}

/// A line of an invoice, shipment or credit memo. Amounts are `None` where the table has no such column (shipments).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DocumentItem {
    /// `entity_id`.
    pub id: i64,
    /// `order_item_id`.
    pub order_item_id: i64,
    /// `qty`.
    pub qty: Amount,
    /// `base_price`.
    pub price: Option<Amount>,
    /// `base_row_total`.
    pub row_total: Option<Amount>,
    /// `base_discount_amount`.
    pub discount: Option<Amount>,
    /// `base_tax_amount`.
    pub tax: Option<Amount>,
}

/// `magento_rma` (Adobe Commerce edition only).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Return {
    /// `entity_id`.
    pub id: i64,
    /// `increment_id`.
    pub number: Option<String>,
    /// `status`: pending, authorized, …, closed, processed_closed.
    pub status: Option<String>,
    /// `date_requested`.
    pub requested_at: UtcMillis,
    /// `magento_rma_item_entity`, by id.
    pub items: Vec<ReturnItem>,
    /// `magento_rma_status_history`, by id.
    pub history: Vec<StatusChange>,
}

/// `magento_rma_item_entity` with the labels of its EAV attributes where they could be resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReturnItem {
    /// `entity_id`.
    pub id: i64,
    /// `order_item_id`.
    pub order_item_id: Option<i64>,
    /// `product_sku`.
    pub sku: Option<String>,
    /// `product_name`.
    pub name: Option<String>,
    /// `status`.
    pub status: Option<String>,
    /// Label of the attribute `reason`.
    pub reason: Option<String>,
    /// Label of the attribute `condition`.
    pub condition: Option<String>,
    /// Label of the attribute `resolution`.
    pub resolution: Option<String>,
    /// `qty_requested`.
    pub qty_requested: Option<Amount>,
    /// `qty_authorized`.
    pub qty_authorized: Option<Amount>,
    /// `qty_returned`: what came back.
    pub qty_returned: Option<Amount>,
    /// `qty_approved`.
    pub qty_approved: Option<Amount>,
}

/// `sales_order_tax` joined with `sales_order_tax_item`; in base currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tax {
    /// `tax_id`.
    pub id: i64,
    /// `title`.
    pub title: Option<String>,
    /// `base_amount`.
    pub amount: Option<Amount>,
}

/// A row of a status history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StatusChange {
    /// `entity_id`.
    pub id: i64,
    /// `status`.
    pub status: Option<String>,
    /// `created_at`.
    pub at: UtcMillis,
}
