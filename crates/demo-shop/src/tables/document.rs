//! The documents of an order: invoices, shipments, credit memos and returns.

use crate::tables::columns::Kind::*;
use crate::tables::columns::{Table, cascade, set_null};

pub(crate) static INVOICE: Table = Table {
    name: "sales_invoice",
    columns: &[
        (Identity, "entity_id"),
        (
            Small,
            "store_id is_used_for_refund email_sent send_email can_void_flag customer_note_notify",
        ),
        (
            Money,
            "base_grand_total shipping_tax_amount tax_amount base_tax_amount store_to_order_rate \
             base_shipping_tax_amount base_discount_amount base_to_order_rate grand_total shipping_amount \
             subtotal_incl_tax base_subtotal_incl_tax store_to_base_rate base_shipping_amount \
             base_to_global_rate subtotal base_subtotal discount_amount discount_tax_compensation_amount \
             base_discount_tax_compensation_amount shipping_discount_tax_compensation_amount \
             base_shipping_discount_tax_compensation_amnt shipping_incl_tax base_shipping_incl_tax \
             base_total_refunded",
        ),
        (Qty, "total_qty"),
        (Int, "billing_address_id state shipping_address_id"),
        (Key, "order_id"),
        (
            Varchar(3),
            "store_currency_code order_currency_code base_currency_code global_currency_code",
        ),
        (Varchar(255), "transaction_id discount_description"),
        (Varchar(50), "increment_id"),
        (CreatedAt, "created_at"),
        (UpdatedAt, "updated_at"),
        (Text, "customer_note"),
    ],
    unique: &["increment_id store_id"],
    indexes: &[
        "store_id",
        "grand_total",
        "order_id",
        "state",
        "created_at",
        "updated_at",
        "send_email",
        "email_sent",
    ],
    references: &[
        cascade("order_id", "sales_order", "entity_id"),
        set_null("store_id", "store", "store_id"),
    ],
};

pub(crate) static INVOICE_ITEM: Table = document_item(
    "sales_invoice_item",
    &[cascade("parent_id", "sales_invoice", "entity_id")],
);

pub(crate) static SHIPMENT: Table = Table {
    name: "sales_shipment",
    columns: &[
        (Identity, "entity_id"),
        (Small, "store_id email_sent send_email customer_note_notify"),
        (Qty, "total_weight total_qty"),
        (Key, "order_id"),
        (
            Int,
            "customer_id shipping_address_id billing_address_id shipment_status",
        ),
        (Varchar(50), "increment_id"),
        (CreatedAt, "created_at"),
        (UpdatedAt, "updated_at"),
        (Text, "packages customer_note"),
    ],
    unique: &["increment_id store_id"],
    indexes: &[
        "store_id",
        "total_qty",
        "order_id",
        "created_at",
        "updated_at",
        "send_email",
        "email_sent",
    ],
    references: &[
        cascade("order_id", "sales_order", "entity_id"),
        set_null("store_id", "store", "store_id"),
    ],
};

pub(crate) static SHIPMENT_ITEM: Table = Table {
    name: "sales_shipment_item",
    columns: &[
        (Identity, "entity_id"),
        (Key, "parent_id"),
        (Money, "row_total price"),
        (Qty, "weight qty"),
        (Int, "product_id order_item_id"),
        (Text, "additional_data description"),
        (Varchar(255), "name sku"),
    ],
    unique: &[],
    indexes: &["parent_id"],
    references: &[cascade("parent_id", "sales_shipment", "entity_id")],
};

pub(crate) static SHIPMENT_TRACK: Table = Table {
    name: "sales_shipment_track",
    columns: &[
        (Identity, "entity_id"),
        (Key, "parent_id order_id"),
        (Qty, "weight qty"),
        (Text, "track_number description"),
        (Varchar(255), "title"),
        (Varchar(32), "carrier_code"),
        (CreatedAt, "created_at"),
        (UpdatedAt, "updated_at"),
    ],
    unique: &[],
    indexes: &["parent_id", "order_id", "created_at"],
    references: &[cascade("parent_id", "sales_shipment", "entity_id")],
};

pub(crate) static CREDITMEMO: Table = Table {
    name: "sales_creditmemo",
    columns: &[
        (Identity, "entity_id"),
        (Small, "store_id email_sent send_email customer_note_notify"),
        (
            Money,
            "adjustment_positive base_shipping_tax_amount store_to_order_rate base_discount_amount \
             base_to_order_rate grand_total base_adjustment_negative base_subtotal_incl_tax shipping_amount \
             subtotal_incl_tax adjustment_negative base_shipping_amount store_to_base_rate \
             base_to_global_rate base_adjustment base_subtotal discount_amount subtotal adjustment \
             base_grand_total base_adjustment_positive base_tax_amount shipping_tax_amount tax_amount \
             discount_tax_compensation_amount base_discount_tax_compensation_amount \
             shipping_discount_tax_compensation_amount base_shipping_discount_tax_compensation_amnt \
             shipping_incl_tax base_shipping_incl_tax",
        ),
        (Key, "order_id"),
        (
            Int,
            "creditmemo_status state shipping_address_id billing_address_id invoice_id",
        ),
        (
            Varchar(3),
            "store_currency_code order_currency_code base_currency_code global_currency_code",
        ),
        (Varchar(255), "transaction_id discount_description"),
        (Varchar(50), "increment_id"),
        (CreatedAt, "created_at"),
        (UpdatedAt, "updated_at"),
        (Text, "customer_note"),
    ],
    unique: &["increment_id store_id"],
    indexes: &[
        "store_id",
        "order_id",
        "creditmemo_status",
        "state",
        "created_at",
        "updated_at",
        "send_email",
        "email_sent",
    ],
    references: &[
        cascade("order_id", "sales_order", "entity_id"),
        set_null("store_id", "store", "store_id"),
    ],
};

pub(crate) static CREDITMEMO_ITEM: Table = document_item(
    "sales_creditmemo_item",
    &[cascade("parent_id", "sales_creditmemo", "entity_id")],
);

pub(crate) static CREDITMEMO_COMMENT: Table = Table {
    name: "sales_creditmemo_comment",
    columns: &[
        (Identity, "entity_id"),
        (Key, "parent_id"),
        (Int, "is_customer_notified"),
        (SmallDefault(0), "is_visible_on_front"),
        (Text, "comment"),
        (CreatedAt, "created_at"),
        (UpdatedAt, "updated_at"),
    ],
    unique: &[],
    indexes: &["created_at", "parent_id"],
    references: &[cascade("parent_id", "sales_creditmemo", "entity_id")],
};

pub(crate) static RMA: Table = Table {
    name: "magento_rma",
    columns: &[
        (Identity, "entity_id"),
        (Varchar(32), "status"),
        (SmallDefault(1), "is_active"),
        (Varchar(50), "increment_id order_increment_id"),
        (CreatedAt, "date_requested"),
        (Key, "order_id"),
        (Small, "store_id"),
        (KeyOrNull, "customer_id"),
        (Varchar(255), "customer_custom_email protect_code"),
    ],
    unique: &[],
    indexes: &[
        "status",
        "is_active",
        "increment_id",
        "date_requested",
        "order_id",
        "order_increment_id",
        "store_id",
        "customer_id",
    ],
    references: &[set_null("store_id", "store", "store_id")],
};

pub(crate) static RMA_ITEM: Table = Table {
    name: "magento_rma_item_entity",
    columns: &[
        (Identity, "entity_id"),
        (SmallDefault(0), "entity_type_id attribute_set_id is_qty_decimal"),
        (Key, "rma_entity_id"),
        (Qty, "qty_requested qty_authorized qty_approved qty_returned"),
        (Varchar(32), "status"),
        (KeyOrNull, "order_item_id"),
        (
            Varchar(255),
            "product_name product_sku product_admin_name product_admin_sku",
        ),
        (Text, "product_options"),
    ],
    unique: &[],
    indexes: &["rma_entity_id"],
    references: &[cascade("rma_entity_id", "magento_rma", "entity_id")],
};

pub(crate) static RMA_STATUS_HISTORY: Table = Table {
    name: "magento_rma_status_history",
    columns: &[
        (Identity, "entity_id"),
        (Key, "rma_entity_id"),
        (Int, "is_customer_notified"),
        (SmallDefault(0), "is_visible_on_front is_admin"),
        (Text, "comment"),
        (Varchar(32), "status"),
        (CreatedAt, "created_at"),
    ],
    unique: &[],
    indexes: &["rma_entity_id", "created_at"],
    references: &[cascade("rma_entity_id", "magento_rma", "entity_id")],
};

/// Invoice and credit memo items have the same columns.
const fn document_item(
    name: &'static str,
    references: &'static [crate::tables::columns::Reference],
) -> Table {
    Table {
        name,
        columns: &[
            (Identity, "entity_id"),
            (Key, "parent_id"),
            (
                Money,
                "base_price tax_amount base_row_total discount_amount row_total base_discount_amount \
                 price_incl_tax base_tax_amount base_price_incl_tax base_cost price base_row_total_incl_tax \
                 row_total_incl_tax discount_tax_compensation_amount base_discount_tax_compensation_amount",
            ),
            (Qty, "qty"),
            (Int, "product_id order_item_id"),
            (Text, "additional_data description tax_ratio"),
            (Varchar(255), "sku name"),
        ],
        unique: &[],
        indexes: &["parent_id"],
        references,
    }
}
