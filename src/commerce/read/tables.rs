//! What an order is read from: the one definition for both databases.
//!
//! [`crate::commerce::read::queries`] makes SQL of the specs, [`crate::commerce::read::decode`] reads their columns in the order in which they stand
//! here, so the two databases cannot drift apart. Names and types: magento/magento2,
//! `app/code/Magento/Sales/etc/db_schema.xml`.

/// A table that orders are read from.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Its name without prefix.
    pub(crate) table: &'static str,
    /// Its primary key.
    pub(crate) key: &'static str,
    /// The column with the id of what the row hangs from.
    pub(crate) owner: &'static str,
    /// What is read beside key and owner. A column that the database lacks is read as NULL.
    pub(crate) columns: &'static [&'static str],
    /// Whether a Commerce instance may do without it.
    pub(crate) presence: Presence,
}

/// Whether a table may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Every instance has it.
    Core,
    /// Only some have it; without it, this is not sent.
    Optional(&'static str),
}

/// A table that is read for each batch of orders. Parents stand before what hangs from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The orders themselves.
    Orders,
    Items,
    Addresses,
    Payments,
    Transactions,
    Invoices,
    InvoiceItems,
    Shipments,
    ShipmentItems,
    Tracks,
    CreditMemos,
    CreditMemoItems,
    CreditMemoComments,
    Taxes,
    History,
    Returns,
    ReturnItems,
    ReturnHistory,
}

impl Part {
    /// All of them, in the order in which they are read.
    pub(crate) const ALL: [Self; 18] = [
        Self::Orders,
        Self::Items,
        Self::Addresses,
        Self::Payments,
        Self::Transactions,
        Self::Invoices,
        Self::InvoiceItems,
        Self::Shipments,
        Self::ShipmentItems,
        Self::Tracks,
        Self::CreditMemos,
        Self::CreditMemoItems,
        Self::CreditMemoComments,
        Self::Taxes,
        Self::History,
        Self::Returns,
        Self::ReturnItems,
        Self::ReturnHistory,
    ];

    /// The document's table through which a row leads to its order, where it does not name the order itself.
    pub(crate) const fn parent(self) -> Option<&'static str> {
        match self {
            Self::InvoiceItems => Some("sales_invoice"),
            Self::ShipmentItems | Self::Tracks => Some("sales_shipment"),
            Self::CreditMemoItems | Self::CreditMemoComments => Some("sales_creditmemo"),
            Self::ReturnItems | Self::ReturnHistory => Some("magento_rma"),
            _ => None,
        }
    }

    /// The table behind the part.
    pub(crate) const fn spec(self) -> &'static Spec {
        match self {
            Self::Orders => &ORDERS,
            Self::Items => &ITEMS,
            Self::Addresses => &ADDRESSES,
            Self::Payments => &PAYMENTS,
            Self::Transactions => &TRANSACTIONS,
            Self::Invoices => &INVOICES,
            Self::InvoiceItems => &INVOICE_ITEMS,
            Self::Shipments => &SHIPMENTS,
            Self::ShipmentItems => &SHIPMENT_ITEMS,
            Self::Tracks => &TRACKS,
            Self::CreditMemos => &CREDIT_MEMOS,
            Self::CreditMemoItems => &CREDIT_MEMO_ITEMS,
            Self::CreditMemoComments => &CREDIT_MEMO_COMMENTS,
            Self::Taxes => &TAXES,
            Self::History => &HISTORY,
            Self::Returns => &RETURNS,
            Self::ReturnItems => &RETURN_ITEMS,
            Self::ReturnHistory => &RETURN_HISTORY,
        }
    }
}

const NO_RETURNS: Presence = Presence::Optional("returns are not sent");

static ORDERS: Spec = Spec {
    table: "sales_order",
    key: "entity_id",
    owner: "store_id",
    columns: &[
        "increment_id",
        "state",
        "status",
        "created_at",
        "updated_at",
        "customer_id",
        "customer_is_guest",
        "customer_email",
        "customer_note",
        "is_virtual",
        "base_currency_code",
        "base_grand_total",
        "base_subtotal",
        "base_discount_amount",
        "base_tax_amount",
        "base_shipping_amount",
        "base_shipping_tax_amount",
        "base_total_invoiced",
        "base_total_paid",
        "base_total_refunded",
        "base_total_canceled",
        "total_qty_ordered",
        "shipping_method",
        "shipping_description",
        "protect_code",
    ],
    presence: Presence::Core,
};

static ITEMS: Spec = Spec {
    table: "sales_order_item",
    key: "item_id",
    owner: "order_id",
    columns: &[
        "parent_item_id",
        "product_id",
        "product_type",
        "sku",
        "name",
        "is_virtual",
        "product_options",
        "weight",
        "qty_ordered",
        "qty_invoiced",
        "qty_shipped",
        "qty_refunded",
        "qty_canceled",
        "qty_backordered",
        "base_price",
        "base_row_total",
        "base_row_total_incl_tax",
        "base_discount_amount",
        "base_tax_amount",
        "base_amount_refunded",
    ],
    presence: Presence::Core,
};

static ADDRESSES: Spec = Spec {
    table: "sales_order_address",
    key: "entity_id",
    owner: "parent_id",
    columns: &[
        "address_type",
        "firstname",
        "lastname",
        "company",
        "street",
        "city",
        "region",
        "region_id",
        "postcode",
        "country_id",
        "telephone",
    ],
    presence: Presence::Core,
};

static PAYMENTS: Spec = Spec {
    table: "sales_order_payment",
    key: "entity_id",
    owner: "parent_id",
    columns: &[
        "method",
        "additional_information",
        "po_number",
        "last_trans_id",
        "base_amount_ordered",
        "base_amount_paid",
        "base_amount_paid_online",
        "base_amount_authorized",
        "base_amount_canceled",
        "base_amount_refunded",
        "base_amount_refunded_online",
    ],
    presence: Presence::Core,
};

static TRANSACTIONS: Spec = Spec {
    table: "sales_payment_transaction",
    key: "transaction_id",
    owner: "order_id",
    columns: &["txn_id", "txn_type", "created_at"],
    presence: Presence::Core,
};

static INVOICES: Spec = Spec {
    table: "sales_invoice",
    key: "entity_id",
    owner: "order_id",
    columns: &[
        "increment_id",
        "state",
        "created_at",
        "updated_at",
        "base_grand_total",
        "base_shipping_amount",
        "transaction_id",
    ],
    presence: Presence::Core,
};

static INVOICE_ITEMS: Spec = Spec {
    table: "sales_invoice_item",
    key: "entity_id",
    owner: "parent_id",
    columns: &[
        "order_item_id",
        "qty",
        "base_price",
        "base_row_total",
        "base_discount_amount",
        "base_tax_amount",
    ],
    presence: Presence::Core,
};

static SHIPMENTS: Spec = Spec {
    table: "sales_shipment",
    key: "entity_id",
    owner: "order_id",
    columns: &["increment_id", "created_at", "updated_at"],
    presence: Presence::Core,
};

static SHIPMENT_ITEMS: Spec = Spec {
    table: "sales_shipment_item",
    key: "entity_id",
    owner: "parent_id",
    columns: &["order_item_id", "qty"],
    presence: Presence::Core,
};

static TRACKS: Spec = Spec {
    table: "sales_shipment_track",
    key: "entity_id",
    owner: "parent_id",
    columns: &["carrier_code", "title", "track_number"],
    presence: Presence::Core,
};

static CREDIT_MEMOS: Spec = Spec {
    table: "sales_creditmemo",
    key: "entity_id",
    owner: "order_id",
    columns: &[
        "increment_id",
        "state",
        "created_at",
        "updated_at",
        "base_grand_total",
        "base_subtotal",
        "base_tax_amount",
        "base_shipping_amount",
        "base_adjustment",
        "transaction_id",
    ],
    presence: Presence::Core,
};

static CREDIT_MEMO_ITEMS: Spec = Spec {
    table: "sales_creditmemo_item",
    key: "entity_id",
    owner: "parent_id",
    columns: &[
        "order_item_id",
        "qty",
        "base_price",
        "base_row_total",
        "base_discount_amount",
        "base_tax_amount",
    ],
    presence: Presence::Core,
};

static CREDIT_MEMO_COMMENTS: Spec = Spec {
    table: "sales_creditmemo_comment",
    key: "entity_id",
    owner: "parent_id",
    columns: &[],
    presence: Presence::Core,
};

static TAXES: Spec = Spec {
    table: "sales_order_tax",
    key: "tax_id",
    owner: "order_id",
    columns: &["title", "base_amount"],
    presence: Presence::Optional("the titles of taxes are not sent"),
};

static HISTORY: Spec = Spec {
    table: "sales_order_status_history",
    key: "entity_id",
    owner: "parent_id",
    columns: &["status", "created_at"],
    presence: Presence::Core,
};

static RETURNS: Spec = Spec {
    table: "magento_rma",
    key: "entity_id",
    owner: "order_id",
    columns: &["increment_id", "status", "date_requested"],
    presence: NO_RETURNS,
};

static RETURN_ITEMS: Spec = Spec {
    table: "magento_rma_item_entity",
    key: "entity_id",
    owner: "rma_entity_id",
    columns: &[
        "order_item_id",
        "product_sku",
        "product_name",
        "status",
        "qty_requested",
        "qty_authorized",
        "qty_returned",
        "qty_approved",
    ],
    presence: NO_RETURNS,
};

static RETURN_HISTORY: Spec = Spec {
    table: "magento_rma_status_history",
    key: "entity_id",
    owner: "rma_entity_id",
    columns: &["status", "created_at"],
    presence: NO_RETURNS,
};
