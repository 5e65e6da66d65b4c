//! The sales tables of Commerce that an order status can be read from, with the column names, types and indexes of
//! the real ones. Sources: `Sales/etc/db_schema.xml`, `Store/etc/db_schema.xml` and `Tax/etc/db_schema.xml` of
//! magento/magento2; the return tables belong to the commercial edition and are described as its installations
//! show them.
//!
//! The traps are kept: `sales_order_item` has no index on `updated_at`, `sales_shipment_track` only one on
//! `created_at`, addresses and payments carry no timestamp at all, and a return only knows when it was requested.

pub mod columns;
pub(crate) mod document;
pub mod mview;
pub(crate) mod order;
pub mod schema;

use crate::tables::columns::Table;
use crate::tables::document::*;
use crate::tables::order::*;

/// All tables, parents before children.
pub static TABLES: [&Table; 23] = [
    &STORE_WEBSITE,
    &STORE_GROUP,
    &STORE,
    &ORDER,
    &ORDER_ITEM,
    &ORDER_ADDRESS,
    &ORDER_PAYMENT,
    &PAYMENT_TRANSACTION,
    &INVOICE,
    &INVOICE_ITEM,
    &SHIPMENT,
    &SHIPMENT_ITEM,
    &SHIPMENT_TRACK,
    &CREDITMEMO,
    &CREDITMEMO_ITEM,
    &CREDITMEMO_COMMENT,
    &ORDER_TAX,
    &ORDER_TAX_ITEM,
    &STATUS_HISTORY,
    &STATUS_CHANGE_HISTORY,
    &RMA,
    &RMA_ITEM,
    &RMA_STATUS_HISTORY,
];

/// The tables that older versions or the open-source edition do not have.
pub const OPTIONAL_TABLES: [&str; 6] = [
    "sales_order_tax",
    "sales_order_tax_item",
    "sales_order_status_change_history",
    "magento_rma",
    "magento_rma_item_entity",
    "magento_rma_status_history",
];
