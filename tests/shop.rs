//! The simulated shop represents Commerce faithfully: a real MariaDB accepts everything it writes and then holds the
//! same rows as the embedded SQLite file.

use std::collections::BTreeSet;

use mysql_async::prelude::Queryable;
use orderfeed_demo_shop::embedded::EmbeddedShop;
use orderfeed_demo_shop::history;
use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_demo_shop::tables::schema::Edition;
use orderfeed_demo_shop::tables::{TABLES, Table};
use orderfeed_model::clock::UtcMillis;

use crate::support::database::PASSWORD;
use crate::support::oracle;
use crate::support::server::Server;

const DAY: i64 = 86_400_000;

fn span(orders: usize) -> Span {
    let to = UtcMillis::parse_sql("2026-11-01 00:00:00").unwrap();
    Span {
        orders,
        from: to.plus_millis(-200 * DAY),
        to,
    }
}

#[tokio::test]
async fn mariadb_and_sqlite_hold_the_same_shop_and_call_for_the_same_events() {
    let websites = Shop::website_codes();
    let options = ShopOptions {
        seed: 42,
        ..ShopOptions::default()
    };
    let mariadb = Server::shared().database().await;
    let mut shop = mariadb.load(options.clone(), span(1_500)).await;
    let (dir, mut embedded, mut twin) = embedded(options, 1_500);
    for second in 0..600 {
        let now = span(0).to.plus_millis(second * 1000);
        let (one, other) = (shop.next_action(now), twin.next_action(now));
        assert_eq!(one, other, "the same seed gives the same run");
        mariadb.apply(&one).await;
        embedded.commit(&other.statements).unwrap();
    }
    let conn = rusqlite::Connection::open(dir.path().join("shop.db")).unwrap();
    for table in TABLES.iter() {
        let from_mariadb = mariadb_rows(&mut mariadb.conn().await, table).await;
        assert_eq!(from_mariadb, sqlite_rows(&conn, table), "{}", table.name);
        assert!(!from_mariadb.is_empty(), "{}", table.name);
    }
    let from_mariadb = oracle::expected_in_mariadb(&mut mariadb.conn().await, "", &websites).await;
    let from_sqlite = oracle::expected_in_sqlite(&conn, &websites);
    assert_eq!(oracle::counts(&from_mariadb), oracle::counts(&from_sqlite));
    assert_eq!(from_mariadb, from_sqlite);
    assert_eq!(
        oracle::counts(&from_mariadb).len(),
        8,
        "every kind: {:?}",
        oracle::counts(&from_mariadb)
    );
}

#[tokio::test]
async fn the_read_only_account_reads_and_does_nothing_else() {
    let database = Server::shared().database_with(Edition::Minimal, "mg_").await;
    database.load(ShopOptions::default(), span(20)).await;
    let user = database.read_only_account().await;
    let url = database.url(&user).replace('@', &format!(":{PASSWORD}@"));
    let mut conn = mysql_async::Conn::from_url(url).await.unwrap();
    let orders: Option<i64> = conn
        .query_first("SELECT count(*) FROM mg_sales_order")
        .await
        .unwrap();
    assert_eq!(orders, Some(20));
    assert!(
        conn.query_drop("UPDATE mg_sales_order SET status = 'x'")
            .await
            .is_err()
    );
    assert!(conn.query_drop("CREATE TABLE mine (id int)").await.is_err());
}

#[tokio::test]
async fn commerces_own_changelog_records_orders_and_documents_but_not_tracks() {
    let database = Server::shared().database().await;
    let mut shop = database.load(ShopOptions::default(), span(50)).await;
    database.enable_changelog().await;
    let placed = shop.place(span(0).to);
    database.apply(&placed).await;
    let mut conn = database.conn().await;
    let noted: Vec<i64> = conn
        .query("SELECT DISTINCT entity_id FROM sales_order_data_exporter_v2_cl")
        .await
        .unwrap();
    assert_eq!(noted, [placed.order_id]);
    conn.query_drop("UPDATE sales_shipment_track SET title = 'x'; ")
        .await
        .unwrap();
    conn.query_drop("UPDATE sales_order SET updated_at = '2030-01-01 00:00:00'")
        .await
        .unwrap();
    let noted: Vec<i64> = conn
        .query("SELECT DISTINCT entity_id FROM sales_order_data_exporter_v2_cl")
        .await
        .unwrap();
    assert_eq!(noted, [placed.order_id]);
}

#[tokio::test]
async fn an_account_with_trigger_rights_can_install_a_trigger_that_logs() {
    let database = Server::shared().database().await;
    let mut shop = database.load(ShopOptions::default(), span(5)).await;
    let user = database.trigger_account("orderfeed_log").await;
    let url = database.url(&user).replace('@', &format!(":{PASSWORD}@"));
    let mut conn = mysql_async::Conn::from_url(url).await.unwrap();
    conn.query_drop("CREATE TABLE orderfeed_log (id bigint AUTO_INCREMENT PRIMARY KEY, entity_id int)")
        .await
        .unwrap();
    conn.query_drop("CREATE TRIGGER t AFTER INSERT ON sales_order FOR EACH ROW INSERT INTO orderfeed_log (entity_id) VALUES (NEW.entity_id)").await.unwrap();
    let placed = shop.place(span(0).to);
    database.apply(&placed).await;
    let noted: Vec<i64> = conn.query("SELECT entity_id FROM orderfeed_log").await.unwrap();
    assert_eq!(noted, [placed.order_id]);
}

#[tokio::test]
async fn a_private_server_survives_a_kill_with_what_it_had_committed_before_a_stop() {
    let server = Server::start();
    let name = {
        let database = server.database().await;
        database.load(ShopOptions::default(), span(30)).await;
        database.name().to_owned()
    };
    server.stop();
    server.start_again();
    server.kill();
    server.start_again();
    let url = format!("mysql://admin@127.0.0.1:{}/{name}", server.port());
    let mut conn = mysql_async::Conn::from_url(url).await.unwrap();
    let orders: Option<i64> = conn
        .query_first("SELECT count(*) FROM sales_order")
        .await
        .unwrap();
    assert_eq!(orders, Some(30));
}

fn embedded(options: ShopOptions, orders: usize) -> (tempfile::TempDir, EmbeddedShop, Shop) {
    let dir = tempfile::tempdir().unwrap();
    let mut file = EmbeddedShop::open(&dir.path().join("shop.db")).unwrap();
    let mut shop = Shop::new(options);
    file.commit(&shop.open_statements()).unwrap();
    for batch in history::batches(&mut shop, span(orders)) {
        file.commit(&batch).unwrap();
    }
    let free = file.next_free_id().unwrap();
    assert!(free > i64::try_from(orders).unwrap());
    (dir, file, shop)
}

#[test]
fn every_kind_of_event_and_product_occurs_in_five_hundred_orders() {
    for seed in 0..5 {
        let (dir, _file, _shop) = embedded(
            ShopOptions {
                seed,
                ..ShopOptions::default()
            },
            500,
        );
        let conn = rusqlite::Connection::open(dir.path().join("shop.db")).unwrap();
        let expected = oracle::expected_in_sqlite(&conn, &Shop::website_codes());
        assert_eq!(
            oracle::counts(&expected).len(),
            8,
            "seed {seed}: {:?}",
            oracle::counts(&expected)
        );
        let types: BTreeSet<String> = strings(&conn, "SELECT DISTINCT product_type FROM sales_order_item");
        let all = [
            "bundle",
            "configurable",
            "downloadable",
            "grouped",
            "simple",
            "virtual",
        ];
        assert_eq!(types, all.map(str::to_owned).into());
        let states = strings(&conn, "SELECT DISTINCT state FROM sales_order");
        assert!(states.len() >= 6, "{states:?}");
    }
}

/// Returns every row with every column as text, the form in which SQLite stores amounts and timestamps.
async fn mariadb_rows(conn: &mut mysql_async::Conn, table: &Table) -> Vec<String> {
    let columns: Vec<String> = table
        .columns()
        .map(|name| format!("COALESCE(CAST({name} AS CHAR), '-')"))
        .collect();
    let sql = format!(
        "SELECT CONCAT_WS('|', {}) FROM {} ORDER BY 1",
        columns.join(","),
        table.name
    );
    let mut rows: Vec<String> = conn.query(sql).await.unwrap();
    rows.sort();
    rows
}

fn sqlite_rows(conn: &rusqlite::Connection, table: &Table) -> Vec<String> {
    let columns: Vec<String> = table
        .columns()
        .map(|name| format!("COALESCE(CAST({name} AS TEXT), '-')"))
        .collect();
    let sql = format!("SELECT {} FROM {}", columns.join(" || '|' || "), table.name);
    let mut statement = conn.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    let mut rows: Vec<String> = rows.map(Result::unwrap).collect();
    rows.sort();
    rows
}

fn strings(conn: &rusqlite::Connection, sql: &str) -> BTreeSet<String> {
    let mut statement = conn.prepare(sql).unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}
