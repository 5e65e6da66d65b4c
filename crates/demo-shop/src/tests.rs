//! Consistency of the simulated shop: documents, quantities and totals agree to four decimal places, in history and
//! in live mode. Checked by SQL on a SQLite file.

use rusqlite::Connection;

use crate::embedded::EmbeddedShop;
use crate::history;
use crate::history::Span;
use crate::orders::actions::USUAL;
use crate::shop::{Shop, ShopOptions};
use crate::tables::TABLES;
use orderfeed_model::clock::UtcMillis;

const SEEDS: u64 = 6;

fn span(orders: usize) -> Span {
    let to = UtcMillis::from_secs(1_790_000_000);
    Span {
        orders,
        from: to.plus_millis(-300 * 86_400_000),
        to,
    }
}

struct Filled {
    _dir: tempfile::TempDir,
    file: EmbeddedShop,
    shop: Shop,
    conn: Connection,
}

fn filled(seed: u64, orders: usize, live: i64) -> Filled {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    let mut file = EmbeddedShop::open(&path).unwrap();
    let mut shop = Shop::new(ShopOptions {
        seed,
        ..ShopOptions::default()
    });
    file.commit(&shop.open_statements()).unwrap();
    for batch in history::batches(&mut shop, span(orders)) {
        file.commit(&batch).unwrap();
    }
    for second in 0..live {
        let next = shop.next_action(span(0).to.plus_millis(second * 1000));
        file.commit(&next.statements).unwrap();
    }
    let conn = Connection::open(&path).unwrap();
    Filled {
        _dir: dir,
        file,
        shop,
        conn,
    }
}

/// Fails with the first rows of `violations`, if there are any.
fn none(conn: &Connection, what: &str, violations: &str) {
    // All decimals have four places: without the point they are ten-thousandths.
    let sql = expand(violations);
    let mut statement = conn
        .prepare(&sql)
        .unwrap_or_else(|cause| panic!("{cause}: {sql}"));
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        (0..columns)
            .map(|i| row.get::<_, rusqlite::types::Value>(i))
            .collect()
    };
    let found: Vec<Vec<rusqlite::types::Value>> = statement
        .query_map([], row)
        .unwrap()
        .map(Result::unwrap)
        .take(3)
        .collect();
    assert!(found.is_empty(), "{what}: {found:?}");
}

/// Expands `{column}` to the exact integer of a decimal text. NULL counts as zero.
fn expand(sql: &str) -> String {
    sql.replace('{', "CAST(REPLACE(COALESCE(")
        .replace('}', ",'0.0000'),'.','') AS INTEGER)")
}

#[test]
fn quantities_of_items_are_those_of_their_documents() {
    for seed in 0..SEEDS {
        let shop = filled(seed, 300, 300);
        for (column, table) in [
            ("qty_invoiced", "sales_invoice_item"),
            ("qty_shipped", "sales_shipment_item"),
            ("qty_refunded", "sales_creditmemo_item"),
        ] {
            let sql = format!(
                "SELECT i.order_id, i.item_id FROM sales_order_item i LEFT JOIN {table} d ON d.order_item_id = i.item_id
                 GROUP BY i.item_id HAVING {{i.{column}}} <> SUM({{d.qty}})"
            );
            none(&shop.conn, column, &sql);
        }
        none(
            &shop.conn,
            "bounds of quantities",
            "SELECT order_id, item_id FROM sales_order_item WHERE {qty_invoiced} + {qty_canceled} > {qty_ordered}
             OR {qty_shipped} + {qty_canceled} > {qty_ordered} OR {qty_refunded} > {qty_invoiced}",
        );
    }
}

#[test]
fn money_of_items_and_orders_is_that_of_their_documents() {
    for seed in 0..SEEDS {
        let shop = filled(seed, 300, 300);
        for p in ["base_", ""] {
            for (item, table, document) in [
                ("row_invoiced", "sales_invoice_item", "row_total"),
                ("tax_invoiced", "sales_invoice_item", "tax_amount"),
                ("discount_invoiced", "sales_invoice_item", "discount_amount"),
                ("amount_refunded", "sales_creditmemo_item", "row_total"),
                ("tax_refunded", "sales_creditmemo_item", "tax_amount"),
            ] {
                let sql = format!(
                    "SELECT i.order_id, i.item_id, i.{p}{item} FROM sales_order_item i
                     LEFT JOIN {table} d ON d.order_item_id = i.item_id
                     GROUP BY i.item_id HAVING {{i.{p}{item}}} <> SUM({{d.{p}{document}}})"
                );
                none(&shop.conn, item, &sql);
            }
            for (order, table, document) in [
                ("total_invoiced", "sales_invoice", "grand_total"),
                ("tax_invoiced", "sales_invoice", "tax_amount"),
                ("shipping_invoiced", "sales_invoice", "shipping_amount"),
                ("discount_invoiced", "sales_invoice", "discount_amount"),
                ("total_refunded", "sales_creditmemo", "grand_total"),
                ("subtotal_refunded", "sales_creditmemo", "subtotal"),
                ("shipping_refunded", "sales_creditmemo", "shipping_amount"),
            ] {
                let sql = format!(
                    "SELECT o.entity_id FROM sales_order o LEFT JOIN {table} d ON d.order_id = o.entity_id
                     GROUP BY o.entity_id HAVING {{o.{p}{order}}} <> SUM({{d.{p}{document}}})"
                );
                none(&shop.conn, order, &sql);
            }
        }
    }
}

#[test]
fn totals_add_up_from_the_rows() {
    for seed in 0..SEEDS {
        let shop = filled(seed, 300, 300);
        for p in ["base_", ""] {
            let sql = format!(
                "SELECT o.entity_id FROM sales_order o JOIN sales_order_item i ON i.order_id = o.entity_id
                 WHERE i.parent_item_id IS NULL GROUP BY o.entity_id
                 HAVING {{o.{p}subtotal}} <> SUM({{i.{p}row_total}})
                 OR -{{o.{p}discount_amount}} <> SUM({{i.{p}discount_amount}})
                 OR {{o.{p}tax_amount}} - {{o.{p}shipping_tax_amount}} <> SUM({{i.{p}tax_amount}})"
            );
            none(&shop.conn, "an order's totals", &sql);
            for (table, adjustment) in [
                ("sales_order", "0"),
                ("sales_invoice", "0"),
                ("sales_creditmemo", "ADJ"),
            ] {
                let adjustment = adjustment.replace("ADJ", &format!("{{{p}adjustment}}"));
                let sql = format!(
                    "SELECT entity_id FROM {table} WHERE {{{p}grand_total}} <> {{{p}subtotal}} + {{{p}discount_amount}}
                     + {{{p}tax_amount}} + {{{p}shipping_amount}} + {adjustment} OR {{{p}grand_total}} < 0"
                );
                none(&shop.conn, table, &sql);
            }
            let sql = format!(
                "SELECT entity_id FROM sales_order WHERE {{{p}total_refunded}} > {{{p}total_paid}}
                 OR {{{p}total_paid}} > {{{p}total_invoiced}}
                 OR {{{p}total_invoiced}} + {{{p}total_canceled}} > {{{p}grand_total}}
                 OR {{{p}total_due}} <> {{{p}grand_total}} - {{{p}total_paid}}"
            );
            none(&shop.conn, "an order's money", &sql);
        }
        none(
            &shop.conn,
            "taxes",
            "SELECT t.order_id FROM sales_order_tax t JOIN sales_order_tax_item i ON i.tax_id = t.tax_id
             GROUP BY t.tax_id HAVING {t.base_amount} <> SUM({i.base_amount})",
        );
    }
}

#[test]
fn states_follow_from_what_was_invoiced_shipped_and_refunded() {
    for seed in 0..SEEDS {
        let shop = filled(seed, 300, 300);
        none(
            &shop.conn,
            "canceled orders have no documents",
            "SELECT o.entity_id FROM sales_order o WHERE o.state = 'canceled' AND (
             EXISTS (SELECT 1 FROM sales_invoice d WHERE d.order_id = o.entity_id)
             OR EXISTS (SELECT 1 FROM sales_shipment d WHERE d.order_id = o.entity_id)
             OR {o.base_total_canceled} <> {o.base_grand_total})",
        );
        none(
            &shop.conn,
            "complete and closed orders have nothing left to invoice",
            "SELECT o.entity_id FROM sales_order o JOIN sales_order_item i ON i.order_id = o.entity_id
             WHERE o.state IN ('complete', 'closed') AND i.parent_item_id IS NULL
             AND {i.qty_invoiced} + {i.qty_canceled} < {i.qty_ordered}",
        );
        none(
            &shop.conn,
            "closed orders are refunded to the last cent",
            "SELECT entity_id FROM sales_order WHERE state = 'closed' AND {base_total_refunded} <> {base_total_paid}",
        );
        none(
            &shop.conn,
            "new and unpaid orders have no documents",
            "SELECT o.entity_id FROM sales_order o JOIN sales_invoice d ON d.order_id = o.entity_id
             WHERE o.state IN ('new', 'pending_payment', 'payment_review')",
        );
        none(
            &shop.conn,
            "an order knows what it was before it was held",
            "SELECT entity_id FROM sales_order WHERE (state = 'holded') <> (hold_before_state IS NOT NULL)",
        );
    }
}

#[test]
fn every_status_has_an_entry_in_the_history_and_no_time_lies_in_the_future() {
    let shop = filled(1, 300, 100);
    none(
        &shop.conn,
        "status history",
        "SELECT o.entity_id FROM sales_order o WHERE NOT EXISTS (
         SELECT 1 FROM sales_order_status_history h WHERE h.parent_id = o.entity_id AND h.status = o.status)",
    );
    let end = span(0).to.plus_millis(100_000).sql();
    none(
        &shop.conn,
        "time",
        &format!("SELECT entity_id FROM sales_order WHERE updated_at > '{end}' OR created_at > updated_at"),
    );
}

#[test]
fn a_history_in_batches_holds_the_rows_that_it_holds_one_by_one() {
    let (mut one, mut other) = (Connection::open_in_memory().unwrap(), filled(3, 120, 0));
    for sql in crate::tables::schema::create_statements(
        crate::tables::schema::Dialect::Sqlite,
        "",
        crate::tables::schema::Edition::Full,
    ) {
        one.execute_batch(&sql).unwrap();
    }
    let mut shop = Shop::new(ShopOptions {
        seed: 3,
        ..ShopOptions::default()
    });
    let mut statements = shop.open_statements();
    statements.extend(history::orders(&mut shop, span(120)).flat_map(|order| order.statements));
    let tx = one.transaction().unwrap();
    for statement in statements {
        tx.execute(&statement.sql, rusqlite::params_from_iter(&statement.params))
            .unwrap();
    }
    tx.commit().unwrap();
    for table in TABLES.iter() {
        assert_eq!(
            dump(&one, table.name),
            dump(&other.conn, table.name),
            "{}",
            table.name
        );
    }
    let next = shop.next_action(span(0).to);
    assert_eq!(next, other.shop.next_action(span(0).to), "both shops go on alike");
    other.file.commit(&next.statements).unwrap();
}

#[test]
fn a_shop_goes_on_in_a_file_that_exists() {
    let mut first = filled(5, 40, 40);
    assert!(!first.file.is_empty().unwrap());
    let first_id = first.file.next_free_id().unwrap();
    let mut shop = Shop::new(ShopOptions {
        seed: 5,
        first_id,
        ..ShopOptions::default()
    });
    for second in 0..200 {
        let next = shop.next_action(span(0).to.plus_millis(second * 1000));
        first.file.commit(&next.statements).unwrap();
    }
}

#[test]
fn every_action_happens_in_a_busy_live_shop() {
    let mut shop = Shop::new(ShopOptions::default());
    assert_eq!(history::orders(&mut shop, span(400)).count(), 400);
    let seen: std::collections::BTreeSet<_> = (0..3_000)
        .map(|second| shop.next_action(span(0).to.plus_millis(second * 1000)).action)
        .collect();
    for (action, _) in USUAL {
        assert!(
            seen.contains(action.as_str()),
            "{} is missing in {seen:?}",
            action.as_str()
        );
    }
}

#[test]
fn another_seed_is_another_shop_and_the_same_seed_the_same() {
    let story = |seed| {
        let mut shop = Shop::new(ShopOptions {
            seed,
            ..ShopOptions::default()
        });
        (0..100)
            .map(|n| shop.next_action(UtcMillis::from_secs(n)))
            .collect::<Vec<_>>()
    };
    assert_eq!(story(1), story(1));
    assert_ne!(story(1), story(2));
}

fn dump(conn: &Connection, table: &str) -> Vec<String> {
    let mut statement = conn
        .prepare(&format!("SELECT * FROM {table} ORDER BY 1"))
        .unwrap();
    let columns = statement.column_count();
    let named: Vec<String> = statement.column_names().map(str::to_owned).collect();
    // A column that was not set has the time of the insert.
    let set = |i: &usize| table.starts_with("sales_order") || named[*i] != "updated_at";
    let row = |row: &rusqlite::Row<'_>| {
        let cells: Vec<rusqlite::types::Value> = (0..columns)
            .filter(set)
            .map(|i| row.get(i))
            .collect::<Result<_, _>>()?;
        Ok(format!("{cells:?}"))
    };
    statement
        .query_map([], row)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn the_rows_of_orders_move_with_the_actions_that_move_them_in_commerce() {
    let mut shop = Shop::new(ShopOptions::default());
    let mut moves: std::collections::BTreeMap<&str, (usize, usize)> = std::collections::BTreeMap::new();
    for second in 0..4_000 {
        let done = shop.next_action(UtcMillis::from_secs(1_790_000_000 + second));
        let is_move = |sql: &str| sql.starts_with("UPDATE sales_order SET") && sql.contains("updated_at");
        let counts = moves.entry(done.action).or_default();
        match done.statements.iter().any(|statement| is_move(&statement.sql)) {
            true => counts.0 += 1,
            false => counts.1 += 1,
        }
    }
    for action in ["invoice", "cancel", "hold", "unhold", "refund", "status"] {
        assert!(
            moves[action].0 > 0 && moves[action].1 == 0,
            "{action}: {:?}",
            moves[action]
        );
    }
    for action in ["track", "comment", "address", "void", "return", "return_step"] {
        assert!(
            moves[action].0 == 0 && moves[action].1 > 0,
            "{action}: {:?}",
            moves[action]
        );
    }
    // Only with a new state, not for a further partial shipment.
    assert!(moves["ship"].0 > 0 && moves["ship"].1 > 0, "{:?}", moves["ship"]);
}
