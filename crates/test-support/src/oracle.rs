//! The events that a shop's tables call for, computed by SQL alone. Written from the specification of the event
//! kinds, independently of the code that derives events; the two must agree.
//!
//! One query serves MariaDB and SQLite, using only their common dialect. SQLite stores quantities as text, so sums
//! are rounded to whole ten-thousandths before they are compared.

use std::collections::BTreeSet;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// An event that must reach the edge exactly once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Expected {
    /// Name of the kind, such as `placed` or `invoiced`.
    pub kind: String,
    /// Id of its document's row: the order itself for `placed`, `shipment_completed` and `cancelled`.
    pub document_id: i64,
    pub order_id: i64,
    pub website: String,
}

/// Returns the expected events of a MariaDB source for these websites. Needs the full edition.
pub async fn expected_in_mariadb(conn: &mut Conn, prefix: &str, websites: &[&str]) -> BTreeSet<Expected> {
    let rows: Vec<(String, i64, i64, String)> = conn
        .query(query(prefix))
        .await
        .expect("the shop has Commerce's tables");
    select(rows, websites)
}

/// Returns the expected events of an embedded shop.
pub fn expected_in_sqlite(conn: &rusqlite::Connection, websites: &[&str]) -> BTreeSet<Expected> {
    let mut statement = conn.prepare(&query("")).expect("the shop has Commerce's tables");
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .expect("the query has no parameters");
    let rows = rows
        .collect::<Result<_, _>>()
        .expect("the columns have the types of the query");
    select(rows, websites)
}

/// Returns the number of events of each kind.
pub fn counts(expected: &BTreeSet<Expected>) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for one in expected {
        *counts.entry(one.kind.clone()).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

fn select(rows: Vec<(String, i64, i64, String)>, websites: &[&str]) -> BTreeSet<Expected> {
    let count = rows.len();
    let all: BTreeSet<Expected> = rows
        .into_iter()
        .map(|(kind, document_id, order_id, website)| Expected {
            kind,
            document_id,
            order_id,
            website,
        })
        .collect();
    assert_eq!(all.len(), count, "the oracle names an event twice");
    all.into_iter()
        .filter(|one| websites.contains(&one.website.as_str()))
        .collect()
}

/// Returns the query. The joins exclude orders without a store view.
fn query(p: &str) -> String {
    let left = "ROUND((item.qty_ordered - CASE WHEN item.qty_shipped + 0.0 > item.qty_refunded + 0.0 \
                THEN item.qty_shipped ELSE item.qty_refunded END - item.qty_canceled) * 10000)";
    let separately = |alias: &str| {
        format!(
            "({alias}.product_type = 'bundle' AND ({alias}.product_options LIKE '%\"shipment_type\":1%' \
             OR {alias}.product_options LIKE '%\"shipment_type\":\"1\"%'))"
        )
    };
    let scope = format!(
        "JOIN {p}sales_order o ON o.entity_id = d.oid \
         JOIN {p}store s ON s.store_id = o.store_id \
         JOIN {p}store_website w ON w.website_id = s.website_id"
    );
    format!(
        "SELECT d.kind, d.id, d.oid, w.code FROM (
            SELECT 'placed' AS kind, entity_id AS id, entity_id AS oid FROM {p}sales_order
            UNION ALL SELECT 'invoiced', entity_id, order_id FROM {p}sales_invoice
            UNION ALL SELECT 'items_shipped', entity_id, order_id FROM {p}sales_shipment
            UNION ALL SELECT 'refunded', entity_id, order_id FROM {p}sales_creditmemo
            UNION ALL SELECT 'cancelled', entity_id, entity_id FROM {p}sales_order WHERE state = 'canceled'
            UNION ALL SELECT 'return_initiated', entity_id, order_id FROM {p}magento_rma
            UNION ALL SELECT 'return_completed', entity_id, order_id FROM {p}magento_rma
                WHERE status IN ('closed', 'processed_closed')
            UNION ALL SELECT 'shipment_completed', so.entity_id, so.entity_id FROM {p}sales_order so
                WHERE so.state <> 'canceled'
                AND EXISTS (SELECT 1 FROM {p}sales_shipment sh WHERE sh.order_id = so.entity_id)
                AND NOT EXISTS (
                    SELECT 1 FROM {p}sales_order_item item
                    LEFT JOIN {p}sales_order_item parent ON parent.item_id = item.parent_item_id
                    WHERE item.order_id = so.entity_id AND COALESCE(item.is_virtual, 0) = 0 AND {left} > 0
                    AND ((item.parent_item_id IS NULL AND NOT COALESCE({own}, 0))
                         OR COALESCE({theirs}, 0)))
        ) d {scope}",
        own = separately("item"),
        theirs = separately("parent"),
    )
}
