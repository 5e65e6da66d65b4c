//! A shop with 300,000 orders, loaded in bulk: its tables' statistics are those of empty tables until they are analyzed.

use std::fmt::Write;

use mysql_async::prelude::Queryable;

use crate::support::database::Database;

pub const ORDERS: i64 = 300_000;
/// Rows of each table but those of the orders and their items.
const DOCUMENTS: i64 = 30_000;
/// One return in six is open.
pub const RETURNS: i64 = 8_200;
/// The second website has one order in a hundred.
pub const SMALL_WEBSITE: &str = "small";

/// The tables of labels, as Commerce creates them.
const LABELS: [&str; 3] = [
    "CREATE TABLE eav_attribute (attribute_id smallint unsigned PRIMARY KEY, entity_type_id smallint unsigned NOT NULL, \
     attribute_code varchar(255), UNIQUE KEY (entity_type_id, attribute_code))",
    "CREATE TABLE eav_attribute_option_value (value_id int unsigned PRIMARY KEY, option_id int unsigned NOT NULL, \
     store_id smallint unsigned NOT NULL, value varchar(255), KEY (option_id), KEY (store_id))",
    "CREATE TABLE magento_rma_item_entity_int (value_id int PRIMARY KEY, attribute_id smallint unsigned NOT NULL, \
     entity_id int unsigned NOT NULL, value int, UNIQUE KEY (entity_id, attribute_id), KEY (attribute_id))",
];

/// Table, number of rows, columns, and their values by the number `i` of the row, from 1.
const ROWS: [(&str, i64, &str, &str); 20] = [
    (
        "sales_order",
        ORDERS,
        "entity_id, store_id, increment_id, state, status, created_at, updated_at, base_grand_total",
        "i, IF(i % 100 = 0, 2 + i % 200 / 100, 1), LPAD(i, 9, '0'), 'complete', 'complete', \
         '2024-01-01' + INTERVAL i * 3 MINUTE, '2024-01-01' + INTERVAL i * 3 MINUTE, 12.5",
    ),
    (
        "sales_order_item",
        ORDERS,
        "item_id, order_id, sku, qty_ordered",
        "i, i, 'sku', 1",
    ),
    (
        "sales_order_address",
        DOCUMENTS,
        "entity_id, parent_id, address_type, city",
        "i, 270000 + i, 'billing', 'Bonn'",
    ),
    (
        "sales_order_payment",
        DOCUMENTS,
        "entity_id, parent_id, method",
        "i, 270000 + i, 'checkmo'",
    ),
    (
        "sales_payment_transaction",
        DOCUMENTS,
        "transaction_id, order_id, payment_id, txn_id",
        "i, 270000 + i, i, i",
    ),
    (
        "sales_invoice",
        DOCUMENTS,
        "entity_id, order_id, increment_id, state, created_at, updated_at",
        "i, 270000 + i, LPAD(i, 9, '0'), 2, '2025-01-01', '2025-01-01' + INTERVAL i MINUTE",
    ),
    (
        "sales_invoice_item",
        DOCUMENTS,
        "entity_id, parent_id, order_item_id, qty",
        "i, i, i, 1",
    ),
    (
        "sales_shipment",
        DOCUMENTS,
        "entity_id, order_id, increment_id, created_at, updated_at",
        "i, 270000 + i, LPAD(i, 9, '0'), '2025-01-01', '2025-01-01' + INTERVAL i MINUTE",
    ),
    (
        "sales_shipment_item",
        DOCUMENTS,
        "entity_id, parent_id, order_item_id, qty",
        "i, i, i, 1",
    ),
    (
        "sales_shipment_track",
        DOCUMENTS,
        "entity_id, parent_id, order_id",
        "i, i, 270000 + i",
    ),
    (
        "sales_creditmemo",
        DOCUMENTS,
        "entity_id, order_id, increment_id, created_at, updated_at",
        "i, 270000 + i, LPAD(i, 9, '0'), '2025-01-01', '2025-01-01' + INTERVAL i MINUTE",
    ),
    (
        "sales_creditmemo_item",
        DOCUMENTS,
        "entity_id, parent_id, order_item_id, qty",
        "i, i, i, 1",
    ),
    (
        "sales_creditmemo_comment",
        DOCUMENTS,
        "entity_id, parent_id",
        "i, i",
    ),
    (
        "sales_order_tax",
        DOCUMENTS,
        "tax_id, order_id, title",
        "i, 270000 + i, 'VAT'",
    ),
    (
        "sales_order_status_history",
        DOCUMENTS,
        "entity_id, parent_id, status",
        "i, 270000 + i, 'complete'",
    ),
    (
        "magento_rma",
        RETURNS,
        "entity_id, order_id, status",
        "i, 290000 + i, IF(i % 41 < 7, ELT(1 + i % 3, 'pending', 'authorized', 'received'), \
         IF(i % 2, 'closed', 'processed_closed'))",
    ),
    (
        "magento_rma_item_entity",
        RETURNS,
        "entity_id, rma_entity_id, order_item_id, status",
        "i, i, i, 'pending'",
    ),
    (
        "magento_rma_status_history",
        RETURNS,
        "entity_id, rma_entity_id, status",
        "i, i, 'pending'",
    ),
    (
        "magento_rma_item_entity_int",
        RETURNS * 3,
        "value_id, attribute_id, entity_id, value",
        "i, 1 + i % 3, 1 + i DIV 3, 1 + i % 50",
    ),
    (
        "eav_attribute_option_value",
        5_000,
        "value_id, option_id, store_id, value",
        "i, 1 + i DIV 5, i % 5, 'label'",
    ),
];

/// Fills the tables that `wanted` returns true for.
pub async fn fill(database: &Database, wanted: impl Fn(&str) -> bool) {
    let mut conn = database.conn().await;
    let mut script = vec![
        "SET SESSION foreign_key_checks = 0, SESSION unique_checks = 0".to_owned(),
        format!(
            "INSERT INTO store_website (website_id, code) VALUES (1, 'base'), (2, '{SMALL_WEBSITE}')"
        ),
        "INSERT INTO store_group (group_id, website_id, code, name) VALUES (1, 1, 'base', 'Base'), (2, 2, 'small', 'Small')"
            .to_owned(),
        "INSERT INTO store (store_id, website_id, group_id, code, name) VALUES (1, 1, 1, 'base', 'Base'), \
         (2, 2, 2, 'small_de', 'Small'), (3, 2, 2, 'small_fr', 'Small')"
            .to_owned(),
        "CREATE TABLE numbers (i int unsigned PRIMARY KEY)".to_owned(),
        "INSERT INTO numbers VALUES (1)".to_owned(),
    ];
    script.extend(LABELS.map(str::to_owned));
    script.push(
        "INSERT INTO eav_attribute VALUES (1, 9, 'reason'), (2, 9, 'condition'), (3, 9, 'resolution')"
            .to_owned(),
    );
    let mut rows = 1;
    while rows < ORDERS {
        script.push(format!("INSERT INTO numbers SELECT i + {rows} FROM numbers"));
        rows *= 2;
    }
    for (table, rows, columns, values) in ROWS.into_iter().filter(|(table, ..)| wanted(table)) {
        // As after a bulk load or a restored dump.
        script.push(format!(
            "ALTER TABLE {table} STATS_PERSISTENT = 1, STATS_AUTO_RECALC = 0"
        ));
        script.push(format!(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM numbers WHERE i <= {rows}"
        ));
    }
    for statement in script {
        conn.query_drop(&statement)
            .await
            .unwrap_or_else(|cause| panic!("{cause}: {statement}"));
    }
}

/// Refreshes the statistics of every table.
pub async fn analyze(database: &Database) {
    let mut tables = String::new();
    for (table, ..) in ROWS {
        let separator = if tables.is_empty() { "" } else { ", " };
        write!(tables, "{separator}{table}").unwrap();
    }
    database.execute(&format!("ANALYZE TABLE {tables}")).await;
}
