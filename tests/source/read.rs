//! Orders are read whole, from one snapshot, with the same result from either database.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mysql_async::prelude::Queryable;
use orderfeed::commerce::source::{OrderFilter, Source};
use orderfeed::commerce::sqlite::SqliteSource;
use orderfeed::config::CaptureMode;
use orderfeed_demo_shop::embedded::EmbeddedShop;
use orderfeed_demo_shop::history;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_demo_shop::tables::schema::Edition;
use orderfeed_model::amount::Amount;
use orderfeed_model::clock::UtcMillis;
use orderfeed_model::order::{Scope, Track};

use super::{ids, read, source, span};
use crate::support::on_each_server;
use crate::support::product::Product;
use crate::support::server::Server;

on_each_server! {
    an_order_is_read_with_all_its_related_rows,
    both_databases_give_the_same_orders_and_pages,
    an_order_and_its_documents_are_never_torn,
    times_do_not_depend_on_the_servers_time_zone,
    an_edition_without_returns_and_taxes_under_a_prefix_is_read_and_reported,
    strange_values_hide_no_order,
}

fn amount(text: &str) -> Option<Amount> {
    Amount::parse(text)
}

/// One order with rows in every table that may refer to it. Ids are small and distinct.
const TREE: &[&str] = &[
    "INSERT INTO store_website (website_id, code, name) VALUES (1, 'base', 'Base')",
    "INSERT INTO store_group (group_id, website_id, code, name, root_category_id) VALUES (1, 1, 'main', 'Main', 2)",
    "INSERT INTO store (store_id, website_id, group_id, code, name) VALUES (1, 1, 1, 'german', 'German')",
    "INSERT INTO sales_order (entity_id, store_id, increment_id, state, status, created_at, updated_at, customer_is_guest, \
     customer_email, base_currency_code, base_grand_total, base_discount_amount, total_qty_ordered, shipping_method, protect_code) \
     VALUES (7, 1, '000000007', 'Processing', 'my_status', '2026-02-01 10:00:00', '2026-02-03 11:00:00', 1, \
     'Zoë@Example.com', 'EUR', 123.4500, -5.5, 2.5, 'flatrate_flatrate', 'abc')",
    "INSERT INTO sales_order_item (item_id, order_id, sku, name, product_type, qty_ordered, qty_shipped, base_price, product_options, created_at) \
     VALUES (71, 7, 'SKU-1', 'Löffel 🥄', 'simple', 2.5, 1, 49.38, '{\"options\":[]}', '2026-02-01 10:00:00')",
    "INSERT INTO sales_order_address (entity_id, parent_id, address_type, city, country_id, region_id) VALUES \
     (72, 7, 'shipping', 'Köln', 'DE', 91), (73, 7, 'billing', 'Bonn', 'DE', NULL)",
    "INSERT INTO sales_order_payment (entity_id, parent_id, method, additional_information, base_amount_paid) \
     VALUES (74, 7, 'checkmo', '{\"method_title\":\"Check\"}', 100)",
    "INSERT INTO sales_payment_transaction (transaction_id, order_id, payment_id, txn_id, txn_type, created_at) \
     VALUES (75, 7, 74, 'T-1', 'capture', '2026-02-01 11:00:00')",
    "INSERT INTO sales_invoice (entity_id, order_id, increment_id, state, base_grand_total, created_at) \
     VALUES (76, 7, 'I-1', 2, 123.45, '2026-02-02 10:00:00')",
    "INSERT INTO sales_invoice_item (entity_id, parent_id, order_item_id, qty, base_row_total) VALUES (77, 76, 71, 2.5, 123.45)",
    "INSERT INTO sales_shipment (entity_id, order_id, increment_id, created_at) VALUES (78, 7, 'S-1', '2026-02-03 10:00:00')",
    "INSERT INTO sales_shipment_item (entity_id, parent_id, order_item_id, qty) VALUES (79, 78, 71, 1)",
    "INSERT INTO sales_shipment_track (entity_id, parent_id, order_id, track_number, title, carrier_code) \
     VALUES (80, 78, 7, 'TN-1', 'DHL', 'dhl'), (81, 78, 7, 'TN-2', 'DHL', 'dhl')",
    "INSERT INTO sales_creditmemo (entity_id, order_id, increment_id, state, base_grand_total, base_adjustment, created_at) \
     VALUES (82, 7, 'C-1', 2, 10, 0.5, '2026-02-04 10:00:00')",
    "INSERT INTO sales_creditmemo_item (entity_id, parent_id, order_item_id, qty) VALUES (83, 82, 71, 0.5)",
    "INSERT INTO sales_creditmemo_comment (parent_id, comment, created_at) VALUES (82, 'a', '2026-02-04 10:00:00'), (82, 'b', '2026-02-04 10:00:00')",
    "INSERT INTO sales_order_tax (tax_id, order_id, title, base_amount) VALUES (84, 7, 'VAT', 19.71)",
    "INSERT INTO sales_order_status_history (entity_id, parent_id, status, comment, created_at) VALUES (85, 7, 'pending', 'secret', '2026-02-01 10:00:01')",
    "INSERT INTO magento_rma (entity_id, order_id, increment_id, status, date_requested) VALUES (86, 7, 'R-1', 'pending', '2026-02-05 10:00:00')",
    "INSERT INTO magento_rma_item_entity (entity_id, rma_entity_id, order_item_id, product_sku, status, qty_requested) \
     VALUES (87, 86, 71, 'SKU-1', 'pending', 1)",
    "INSERT INTO magento_rma_status_history (entity_id, rma_entity_id, status, created_at) VALUES (88, 86, 'pending', '2026-02-05 10:00:00')",
];

const LABELS: &[&str] = &[
    "CREATE TABLE eav_attribute (attribute_id int PRIMARY KEY, attribute_code varchar(255))",
    "CREATE TABLE eav_attribute_option_value (value_id int PRIMARY KEY, option_id int, store_id int, value varchar(255))",
    "CREATE TABLE magento_rma_item_entity_int (value_id int PRIMARY KEY, attribute_id int, entity_id int, value int)",
    "INSERT INTO eav_attribute VALUES (1, 'reason'), (2, 'condition'), (3, 'other')",
    "INSERT INTO eav_attribute_option_value VALUES (1, 10, 0, 'Wrong size'), (2, 10, 1, 'Falsche Größe'), (3, 11, 0, 'Opened')",
    "INSERT INTO magento_rma_item_entity_int VALUES (1, 1, 87, 10), (2, 2, 87, 11), (3, 3, 87, 10)",
];

async fn an_order_is_read_with_all_its_related_rows(server: &Server) {
    let database = server.database().await;
    for statement in TREE.iter().chain(LABELS) {
        database.execute(statement).await;
    }
    let source = source(&database, CaptureMode::Poll);
    assert_eq!(source.describe().await.unwrap().notes, Vec::<String>::new());
    let orders = read(&source, &[7, 8]).await;
    assert_eq!(orders.len(), 1, "an id that does not exist is absent");
    let order = &orders[0];
    assert_eq!(
        (order.id, order.number.as_str(), order.state.as_str()),
        (7, "000000007", "processing")
    );
    assert_eq!(
        order.created_at,
        UtcMillis::parse_sql("2026-02-01 10:00:00").unwrap()
    );
    let scope = Scope {
        website: "base".into(),
        store: "main".into(),
        store_view: "german".into(),
    };
    assert_eq!(order.scope, Some(scope));
    assert_eq!(order.email.as_deref(), Some("Zoë@Example.com"));
    assert_eq!(
        (order.totals.grand_total, order.totals.discount),
        (amount("123.45"), amount("-5.5"))
    );
    assert_eq!(order.items[0].name.as_deref(), Some("Löffel 🥄"));
    assert_eq!(
        (order.items[0].qty_ordered, order.items[0].qty_shipped),
        (amount("2.5").unwrap(), Amount::from_units(1))
    );
    assert_eq!(
        order.shipping_address.as_ref().unwrap().city.as_deref(),
        Some("Köln")
    );
    assert_eq!(
        order.billing_address.as_ref().unwrap().city.as_deref(),
        Some("Bonn")
    );
    assert_eq!(
        order.payment.as_ref().unwrap().method_title.as_deref(),
        Some("Check")
    );
    assert_eq!(order.transactions[0].kind.as_deref(), Some("capture"));
    assert_eq!(order.invoices[0].items[0].row_total, amount("123.45"));
    let tracks = ["TN-1", "TN-2"].map(Some);
    assert_eq!(
        order.shipments[0]
            .tracks
            .iter()
            .map(|track: &Track| track.number.as_deref())
            .collect::<Vec<_>>(),
        tracks
    );
    assert_eq!(
        (order.credit_memos[0].comments, order.credit_memos[0].adjustment),
        (2, amount("0.5"))
    );
    assert_eq!(order.credit_memos[0].items[0].qty, amount("0.5").unwrap());
    assert_eq!(order.taxes[0].amount, amount("19.71"));
    assert_eq!(order.history[0].status.as_deref(), Some("pending"));
    let returned = &order.returns[0].items[0];
    assert_eq!(
        (returned.reason.as_deref(), returned.condition.as_deref()),
        (Some("Wrong size"), Some("Opened"))
    );
    assert_eq!(returned.resolution, None);
    assert_eq!(order.returns[0].history.len(), 1);
}

async fn both_databases_give_the_same_orders_and_pages(server: &Server) {
    let database = server.database().await;
    database.load(ShopOptions::default(), span(300)).await;
    let mysql = source(&database, CaptureMode::Poll);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    let mut embedded = EmbeddedShop::open(&path).unwrap();
    let mut shop = Shop::new(ShopOptions::default());
    embedded.commit(&shop.open_statements()).unwrap();
    for batch in history::batches(&mut shop, span(300)) {
        embedded.commit(&batch).unwrap();
    }
    let sqlite = SqliteSource::open(&path).unwrap();
    let all = ids(&mysql).await;
    assert_eq!(all.len(), 300);
    assert_eq!(ids(&sqlite).await, all);
    let (left, right) = (read(&mysql, &all).await, read(&sqlite, &all).await);
    for (left, right) in left.iter().zip(&right) {
        assert_eq!(left, right);
    }
    assert!(
        left.iter().any(|order| !order.returns.is_empty())
            && left.iter().any(|order| !order.credit_memos.is_empty())
    );
    let views = mysql.store_views().await.unwrap();
    assert_eq!(views, sqlite.store_views().await.unwrap());
    let swiss = views.iter().find(|view| view.code == "ch_de").unwrap();
    assert_eq!(
        (
            swiss.website_code.as_str(),
            swiss.store_code.as_str(),
            swiss.currency.as_deref()
        ),
        ("eu", "eu_store", Some("CHF"))
    );
    let fingerprints = (
        mysql.describe().await.unwrap().fingerprint,
        sqlite.describe().await.unwrap().fingerprint,
    );
    assert_eq!(
        fingerprints.0, fingerprints.1,
        "the same data is the same database, wherever it is"
    );

    let filter = OrderFilter {
        created_from: Some(left[50].created_at),
        created_before: Some(left[250].created_at),
        website: left[100].scope.as_ref().map(|scope| scope.website.clone()),
        ..OrderFilter::default()
    };
    let wanted = |order: &&orderfeed_model::order::Order| {
        Some(order.created_at) >= filter.created_from
            && Some(order.created_at) < filter.created_before
            && order.scope.as_ref().map(|scope| &scope.website) == filter.website.as_ref()
    };
    let mut expected: Vec<_> = left.iter().filter(wanted).map(|order| order.id).collect();
    expected.reverse();
    assert!(expected.len() > 10);
    for source in [&mysql as &dyn Source, &sqlite] {
        assert_eq!(source.count_orders(&filter).await.unwrap(), expected.len() as u64);
        let mut paged = Vec::new();
        while let Ok(page) = source.order_ids(&filter, paged.last().copied(), 7).await {
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, expected);
        let number = &left[5].number;
        let same: Vec<_> = left
            .iter()
            .filter(|order| order.number == *number)
            .map(|order| order.id)
            .collect();
        assert_eq!(source.find_by_number(number).await.unwrap(), same);
        assert_eq!(
            source.find_by_number("no' such").await.unwrap(),
            Vec::<i64>::new()
        );
    }
}

async fn an_order_and_its_documents_are_never_torn(server: &Server) {
    let database = server.database().await;
    for statement in TREE {
        database.execute(statement).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (stop, mut conn) = (Arc::clone(&stop), database.conn().await);
        tokio::spawn(async move {
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) {
                round += 1;
                for statement in [
                    "BEGIN".to_owned(),
                    format!("UPDATE sales_order SET base_grand_total = {round} WHERE entity_id = 7"),
                    format!("UPDATE sales_invoice SET base_grand_total = {round} WHERE entity_id = 76"),
                    format!("UPDATE magento_rma_status_history SET status = '{round}' WHERE entity_id = 88"),
                    "COMMIT".to_owned(),
                ] {
                    conn.query_drop(statement).await.unwrap();
                }
            }
        })
    };
    let source = source(&database, CaptureMode::Poll);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let order = read(&source, &[7]).await.remove(0);
        assert_eq!(order.totals.grand_total, order.invoices[0].grand_total);
        let last = order.returns[0].history[0].status.clone().unwrap();
        assert!(
            last == "pending" || Amount::parse(&last) == order.totals.grand_total,
            "{last}"
        );
        seen.insert(last);
    }
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();
    assert!(
        seen.len() > 10,
        "the writer really wrote meanwhile: {}",
        seen.len()
    );
}

async fn times_do_not_depend_on_the_servers_time_zone(server: &Server) {
    let database = server.database().await;
    for statement in TREE {
        database.execute(statement).await;
    }
    // Applies to new sessions only; the sessions of other tests set their own zone.
    database.execute("SET GLOBAL time_zone = '+05:00'").await;
    let source = source(&database, CaptureMode::Poll);
    let order = read(&source, &[7]).await.remove(0);
    assert_eq!(order.created_at.sql(), "2026-02-01 10:00:00");
    assert_eq!(order.returns[0].requested_at.sql(), "2026-02-05 10:00:00");
    let off = source
        .describe()
        .await
        .unwrap()
        .database_time
        .millis_since(orderfeed_model::clock::Clock::System.now());
    assert!(off.abs() < 60_000, "{off} ms");
    database.execute("SET GLOBAL time_zone = 'SYSTEM'").await;
}

async fn an_edition_without_returns_and_taxes_under_a_prefix_is_read_and_reported(server: &Server) {
    let database = server.database_with(Edition::Minimal, "m2_").await;
    database.load(ShopOptions::default(), span(40)).await;
    database
        .execute("ALTER TABLE m2_sales_order DROP COLUMN protect_code")
        .await;
    let settings = orderfeed::config::MysqlConfig {
        table_prefix: "m2_".parse().unwrap(),
        ..super::settings(&database, "admin")
    };
    let source = orderfeed::commerce::mysql::MysqlSource::new(settings).unwrap();
    let info = source.describe().await.unwrap();
    let product = match server.product() {
        Product::MariaDb => "MariaDB 1",
        Product::MySql => "MySQL ",
    };
    assert!(info.product.starts_with(product), "{}", info.product);
    for part in [
        "sales_order_tax",
        "magento_rma ",
        "magento_rma_item_entity",
        "no column protect_code",
    ] {
        assert_eq!(
            info.notes.iter().filter(|note| note.contains(part)).count(),
            1,
            "{part}: {:?}",
            info.notes
        );
    }
    let orders = read(&source, &ids(&source).await).await;
    assert_eq!(orders.len(), 40);
    assert!(
        orders
            .iter()
            .all(|order| order.returns.is_empty() && order.protect_code.is_none())
    );
}

async fn strange_values_hide_no_order(server: &Server) {
    let database = server.database().await;
    for statement in TREE {
        database.execute(statement).await;
    }
    let mut conn = database.conn().await;
    for statement in [
        "SET SESSION sql_mode = ''",
        "INSERT INTO sales_order (entity_id, increment_id, created_at) VALUES (9, 'nine', '0000-00-00 00:00:00')",
        "ALTER TABLE sales_order MODIFY base_subtotal varchar(20)",
        "INSERT INTO sales_order (entity_id, base_subtotal) VALUES (10, 'many')",
    ] {
        conn.query_drop(statement).await.unwrap();
    }
    let orders = source(&database, CaptureMode::Poll)
        .read_orders(&[7, 9, 10])
        .await
        .unwrap();
    let texts: Vec<_> = orders.iter().map(|order| format!("{order:?}")).collect();
    assert!(
        texts[0].starts_with("Whole") && texts[1].contains("created_at: UtcMillis(0)"),
        "{}",
        texts[1]
    );
    assert_eq!(
        texts[2],
        r#"Unreadable { id: 10, reason: "sales_order.base_subtotal is not a decimal" }"#
    );
}
