//! The order with its items, addresses, payment, tax and history, and the stores it belongs to.

use crate::tables::columns::Kind::*;
use crate::tables::columns::{Table, cascade, set_null};

pub(crate) static STORE_WEBSITE: Table = Table {
    name: "store_website",
    columns: &[
        (SmallIdentity, "website_id"),
        (Varchar(32), "code"),
        (Varchar(64), "name"),
        (SmallDefault(0), "sort_order default_group_id is_default"),
    ],
    unique: &["code"],
    indexes: &["sort_order", "default_group_id"],
    references: &[],
};

pub(crate) static STORE_GROUP: Table = Table {
    name: "store_group",
    columns: &[
        (SmallIdentity, "group_id"),
        (SmallDefault(0), "website_id"),
        (VarcharRequired(255), "name"),
        (KeyOrNull, "root_category_id"),
        (SmallDefault(0), "default_store_id"),
        (Varchar(32), "code"),
    ],
    unique: &["code"],
    indexes: &["website_id", "default_store_id"],
    references: &[cascade("website_id", "store_website", "website_id")],
};

pub(crate) static STORE: Table = Table {
    name: "store",
    columns: &[
        (SmallIdentity, "store_id"),
        (Varchar(32), "code"),
        (SmallDefault(0), "website_id group_id"),
        (VarcharRequired(255), "name"),
        (SmallDefault(0), "sort_order is_active"),
    ],
    unique: &["code"],
    indexes: &["website_id", "is_active sort_order", "group_id"],
    references: &[
        cascade("group_id", "store_group", "group_id"),
        cascade("website_id", "store_website", "website_id"),
    ],
};

pub(crate) static ORDER: Table = Table {
    name: "sales_order",
    columns: &[
        (Identity, "entity_id"),
        (Varchar(32), "state status"),
        (
            Varchar(255),
            "coupon_code protect_code shipping_description discount_description store_name x_forwarded_for coupon_rule_name",
        ),
        (
            Small,
            "is_virtual store_id can_ship_partially can_ship_partially_item customer_is_guest customer_note_notify \
             email_sent send_email forced_shipment_with_invoice",
        ),
        (KeyOrNull, "customer_id"),
        (
            Money,
            "base_discount_amount base_discount_canceled base_discount_invoiced base_discount_refunded \
             base_grand_total base_shipping_amount base_shipping_canceled base_shipping_invoiced \
             base_shipping_refunded base_shipping_tax_amount base_shipping_tax_refunded base_subtotal \
             base_subtotal_canceled base_subtotal_invoiced base_subtotal_refunded base_tax_amount \
             base_tax_canceled base_tax_invoiced base_tax_refunded base_to_global_rate base_to_order_rate \
             base_total_canceled base_total_invoiced base_total_invoiced_cost base_total_offline_refunded \
             base_total_online_refunded base_total_paid base_total_refunded discount_amount discount_canceled \
             discount_invoiced discount_refunded grand_total shipping_amount shipping_canceled \
             shipping_invoiced shipping_refunded shipping_tax_amount shipping_tax_refunded subtotal \
             subtotal_canceled subtotal_invoiced subtotal_refunded tax_amount tax_canceled tax_invoiced \
             tax_refunded total_canceled total_invoiced total_offline_refunded total_online_refunded \
             total_paid total_refunded adjustment_negative adjustment_positive base_adjustment_negative \
             base_adjustment_positive base_shipping_discount_amount base_subtotal_incl_tax base_total_due \
             payment_authorization_amount shipping_discount_amount subtotal_incl_tax total_due \
             discount_tax_compensation_amount base_discount_tax_compensation_amount \
             shipping_discount_tax_compensation_amount base_shipping_discount_tax_compensation_amnt \
             discount_tax_compensation_invoiced base_discount_tax_compensation_invoiced \
             discount_tax_compensation_refunded base_discount_tax_compensation_refunded shipping_incl_tax \
             base_shipping_incl_tax",
        ),
        (
            Qty,
            "base_total_qty_ordered store_to_base_rate store_to_order_rate total_qty_ordered weight",
        ),
        (
            Int,
            "billing_address_id customer_group_id edit_increment payment_auth_expiration quote_address_id \
             quote_id shipping_address_id customer_gender",
        ),
        (Moment, "customer_dob"),
        (Varchar(50), "increment_id original_increment_id"),
        (
            Varchar(128),
            "applied_rule_ids customer_email customer_firstname customer_lastname customer_middlename",
        ),
        (
            Varchar(3),
            "base_currency_code global_currency_code order_currency_code store_currency_code",
        ),
        (
            Varchar(32),
            "customer_prefix customer_suffix customer_taxvat ext_customer_id ext_order_id hold_before_state \
             hold_before_status relation_child_id relation_child_real_id relation_parent_id \
             relation_parent_real_id",
        ),
        (Varchar(45), "remote_ip"),
        (Varchar(120), "shipping_method"),
        (Text, "customer_note"),
        (CreatedAt, "created_at"),
        (UpdatedAt, "updated_at"),
        (SmallDefault(0), "total_item_count"),
    ],
    unique: &["increment_id store_id"],
    indexes: &[
        "status",
        "state",
        "store_id",
        "created_at",
        "customer_id",
        "ext_order_id",
        "quote_id",
        "updated_at",
        "send_email",
        "email_sent",
        "store_id state created_at",
        "customer_email customer_is_guest store_id",
    ],
    references: &[set_null("store_id", "store", "store_id")],
};

pub(crate) static ORDER_ITEM: Table = Table {
    name: "sales_order_item",
    columns: &[
        (Identity, "item_id"),
        (Key, "order_id"),
        (KeyOrNull, "parent_item_id quote_item_id"),
        (Small, "store_id"),
        (CreatedAt, "created_at"),
        (UpdatedAt, "updated_at"),
        (KeyOrNull, "product_id"),
        (Varchar(255), "product_type"),
        (LongText, "product_options"),
        (QtyZero, "weight"),
        (Small, "is_virtual"),
        (Varchar(255), "sku name"),
        (Text, "description applied_rule_ids additional_data"),
        (Small, "is_qty_decimal"),
        (SmallDefault(0), "no_discount"),
        (
            QtyZero,
            "qty_backordered qty_canceled qty_invoiced qty_ordered qty_refunded qty_shipped base_cost \
             tax_percent discount_percent row_weight",
        ),
        (
            MoneyZero,
            "price base_price row_total base_row_total row_invoiced base_row_invoiced",
        ),
        (
            Money,
            "original_price base_original_price tax_amount base_tax_amount tax_invoiced base_tax_invoiced \
             discount_amount base_discount_amount discount_invoiced base_discount_invoiced amount_refunded \
             base_amount_refunded base_tax_before_discount tax_before_discount price_incl_tax \
             base_price_incl_tax row_total_incl_tax base_row_total_incl_tax \
             discount_tax_compensation_amount base_discount_tax_compensation_amount \
             discount_tax_compensation_invoiced base_discount_tax_compensation_invoiced \
             discount_tax_compensation_refunded base_discount_tax_compensation_refunded \
             discount_tax_compensation_canceled tax_refunded base_tax_refunded discount_refunded \
             base_discount_refunded",
        ),
        (Qty, "tax_canceled"),
        (Varchar(255), "ext_order_item_id"),
        (Small, "locked_do_invoice locked_do_ship"),
    ],
    unique: &[],
    indexes: &["order_id", "store_id"],
    references: &[
        cascade("order_id", "sales_order", "entity_id"),
        set_null("store_id", "store", "store_id"),
    ],
};

pub(crate) static ORDER_ADDRESS: Table = Table {
    name: "sales_order_address",
    columns: &[
        (Identity, "entity_id"),
        (KeyOrNull, "parent_id"),
        (Int, "customer_address_id quote_address_id region_id customer_id"),
        (
            Varchar(255),
            "fax region postcode lastname street city email telephone firstname address_type prefix \
             middlename suffix company",
        ),
        (Varchar(2), "country_id"),
        (Text, "vat_id vat_request_id vat_request_date"),
        (Small, "vat_is_valid vat_request_success"),
    ],
    unique: &[],
    indexes: &["parent_id"],
    references: &[cascade("parent_id", "sales_order", "entity_id")],
};

pub(crate) static ORDER_PAYMENT: Table = Table {
    name: "sales_order_payment",
    columns: &[
        (Identity, "entity_id"),
        (Key, "parent_id"),
        (
            Money,
            "base_shipping_captured shipping_captured amount_refunded base_amount_paid amount_canceled \
             base_amount_authorized base_amount_paid_online base_amount_refunded_online \
             base_shipping_amount shipping_amount amount_paid amount_authorized base_amount_ordered \
             base_shipping_refunded shipping_refunded base_amount_refunded amount_ordered \
             base_amount_canceled",
        ),
        (Int, "quote_payment_id"),
        (Text, "additional_data additional_information"),
        (Varchar(128), "method cc_owner cc_number_enc"),
        (Varchar(255), "last_trans_id"),
        (Varchar(100), "cc_last_4"),
        (Varchar(32), "cc_type po_number cc_trans_id"),
        (Varchar(12), "cc_exp_month"),
        (Varchar(4), "cc_exp_year cc_status"),
    ],
    unique: &[],
    indexes: &["parent_id"],
    references: &[cascade("parent_id", "sales_order", "entity_id")],
};

pub(crate) static PAYMENT_TRANSACTION: Table = Table {
    name: "sales_payment_transaction",
    columns: &[
        (Identity, "transaction_id"),
        (KeyOrNull, "parent_id"),
        (Key, "order_id payment_id"),
        (Varchar(100), "txn_id parent_txn_id"),
        (Varchar(15), "txn_type"),
        (SmallDefault(1), "is_closed"),
        (Text, "additional_information"),
        (CreatedAt, "created_at"),
    ],
    unique: &["order_id payment_id txn_id"],
    indexes: &["parent_id", "payment_id"],
    references: &[
        cascade("order_id", "sales_order", "entity_id"),
        cascade("parent_id", "sales_payment_transaction", "transaction_id"),
        cascade("payment_id", "sales_order_payment", "entity_id"),
    ],
};

pub(crate) static ORDER_TAX: Table = Table {
    name: "sales_order_tax",
    columns: &[
        (Identity, "tax_id"),
        (Key, "order_id"),
        (Varchar(255), "code title"),
        (Qty, "percent"),
        (Money, "amount base_amount base_real_amount"),
        (Int, "priority position"),
        (SmallDefault(0), "process"),
    ],
    unique: &[],
    indexes: &["order_id priority position"],
    references: &[],
};

pub(crate) static ORDER_TAX_ITEM: Table = Table {
    name: "sales_order_tax_item",
    columns: &[
        (Identity, "tax_item_id"),
        (Key, "tax_id"),
        (KeyOrNull, "item_id"),
        (Qty, "tax_percent"),
        (Money, "amount base_amount real_amount real_base_amount"),
        (KeyOrNull, "associated_item_id"),
        (VarcharRequired(32), "taxable_item_type"),
    ],
    unique: &["tax_id item_id"],
    indexes: &["item_id"],
    references: &[
        cascade("tax_id", "sales_order_tax", "tax_id"),
        cascade("item_id", "sales_order_item", "item_id"),
    ],
};

pub(crate) static STATUS_HISTORY: Table = Table {
    name: "sales_order_status_history",
    columns: &[
        (Identity, "entity_id"),
        (Key, "parent_id"),
        (Int, "is_customer_notified"),
        (SmallDefault(0), "is_visible_on_front"),
        (Text, "comment"),
        (Varchar(32), "status entity_name"),
        (CreatedAt, "created_at"),
    ],
    unique: &[],
    indexes: &["parent_id", "created_at"],
    references: &[cascade("parent_id", "sales_order", "entity_id")],
};

pub(crate) static STATUS_CHANGE_HISTORY: Table = Table {
    name: "sales_order_status_change_history",
    columns: &[
        (Identity, "entity_id"),
        (Key, "order_id"),
        (Varchar(32), "status"),
        (CreatedAt, "created_at"),
    ],
    unique: &[],
    indexes: &["order_id"],
    references: &[cascade("order_id", "sales_order", "entity_id")],
};
