//! Commerce's own changelog of the Sales Orders Feed, as "Update by Schedule" creates it: the table
//! `sales_order_data_exporter_v2_cl` and, for each of the five subscribed tables, a trigger for each kind of change.
//!
//! Source: `mview.xml` of the SalesOrdersDataExporter module of magento/commerce-data-export and
//! `Mview/View/Subscription.php` of magento/magento2. As there, an update that changes only `updated_at` is not
//! recorded, and items, addresses, tracks and returns are not watched at all. MySQL and MariaDB only.

use crate::tables::TABLES;

/// Name of the changelog without the table prefix.
pub const CHANGELOG: &str = "sales_order_data_exporter_v2_cl";

/// Tables the view subscribes to, with the column that holds the order's id.
const SUBSCRIPTIONS: [(&str, &str); 5] = [
    ("sales_order", "entity_id"),
    ("sales_shipment", "order_id"),
    ("sales_invoice", "order_id"),
    ("sales_creditmemo", "order_id"),
    ("sales_payment_transaction", "order_id"),
];

/// Returns the statements that create the changelog and its fifteen triggers.
pub fn changelog_statements(table_prefix: &str) -> Vec<String> {
    let table = format!(
        "CREATE TABLE `{table_prefix}{CHANGELOG}` (\n  \
         `version_id` int unsigned NOT NULL AUTO_INCREMENT,\n  \
         `entity_id` int unsigned NOT NULL DEFAULT 0,\n  PRIMARY KEY (`version_id`)\n\
         ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
    );
    let triggers = SUBSCRIPTIONS.iter().flat_map(|(table, column)| {
        ["insert", "update", "delete"].map(|event| trigger(table_prefix, table, column, event))
    });
    std::iter::once(table).chain(triggers).collect()
}

fn trigger(prefix: &str, table: &str, column: &str, event: &str) -> String {
    let row = if event == "delete" { "OLD" } else { "NEW" };
    let note = format!("INSERT IGNORE INTO `{prefix}{CHANGELOG}` (`entity_id`) VALUES ({row}.`{column}`);");
    let body = if event == "update" {
        format!("IF ({}) THEN {note} END IF;", any_change(table))
    } else {
        note
    };
    format!(
        "CREATE TRIGGER `trg_{prefix}{table}_after_{event}` AFTER {} ON `{prefix}{table}` FOR EACH ROW BEGIN {body} END",
        event.to_uppercase()
    )
}

fn any_change(table: &str) -> String {
    let differences: Vec<String> = TABLES
        .iter()
        .filter(|described| described.name == table)
        .flat_map(|described| described.columns())
        .filter(|name| *name != "updated_at")
        .map(|name| format!("NOT(NEW.`{name}` <=> OLD.`{name}`)"))
        .collect();
    differences.join(" OR ")
}
