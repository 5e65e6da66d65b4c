//! Commands over a shop behind its REST API: the same answers as over its database.

use std::collections::BTreeSet;

use orderfeed_mock_commerce::MockConfig;
use serde_json::{Value, json};

use super::fixture::RestFixture;
use crate::support::daemon::{Ran, eventually};
use crate::support::edge;
use crate::support::oracle::Expected;

const ORDERS: usize = 60;

/// Runs a command over the API, then over the database of the same shop.
fn over_both(rest: &RestFixture, args: &[&str]) -> (Ran, Ran) {
    let layer = rest.installation().path("conf.d/rest.toml");
    let over_rest = rest.installation().run(args);
    let settings = std::fs::read_to_string(&layer).unwrap();
    std::fs::remove_file(&layer).unwrap();
    let over_database = rest.installation().run(args);
    rest.installation().layer("rest", &settings);
    (over_rest, over_database)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_counts_what_the_database_gives_and_sends_nothing() {
    let rest = RestFixture::start(ORDERS, MockConfig::default()).await;
    let expected = rest.shop.expected().len();
    let (over_rest, over_database) = over_both(&rest, &["run", "--dry-run"]);
    let said = over_rest.ok();
    assert_eq!(said, over_database.ok());
    let counted =
        format!("{ORDERS} orders would be indexed; {expected} events would be sent, 0 would be parked");
    assert!(said.starts_with(&counted), "{said}, not {counted}");
    assert!(rest.requests("/V1/orders") > 0, "the API was read");
    assert_eq!(rest.edge.totals().requests, 0);
    assert!(!rest.installation().path("orderfeed.db").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connection_to_the_edge_is_tested_as_over_the_database() {
    let rest = RestFixture::start(1, MockConfig::default()).await;
    let (over_rest, over_database) = over_both(&rest, &["test-connection", "--json"]);
    let verdicts = |ran: Ran| -> Vec<(Value, Value, Value)> {
        let report: Value = serde_json::from_str(&ran.ok()).unwrap();
        assert_eq!(report["verdict"], "ok", "{report:#}");
        let websites = report["websites"].as_array().unwrap().iter();
        let row = |one: &Value| {
            (
                one["website"].clone(),
                one["verdict"].clone(),
                one["checks"][1]["status"].clone(),
            )
        };
        websites.map(row).collect()
    };
    let (over_rest, over_database) = (verdicts(over_rest), verdicts(over_database));
    assert_eq!(over_rest, over_database);
    assert_eq!(over_rest.len(), 4, "{over_rest:?}");
    assert!(over_rest.iter().all(|row| row.2 == 400), "{over_rest:?}");
    assert_eq!(rest.edge.unique_ids(), 0, "nothing is ingested");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_explained_from_the_shop_to_the_edge() {
    let rest = RestFixture::start(ORDERS, MockConfig::default()).await;
    let daemon = rest.installation().start();
    rest.wait_until_served();
    let (number, wanted) = busiest(&rest);
    let life: Value =
        serde_json::from_str(&rest.installation().run(&["explain", &number, "--json"]).ok()).unwrap();
    assert_eq!(life["daemon"]["running"], true);
    let orders = life["orders"].as_array().unwrap();
    assert_eq!(orders.len(), 1, "{life:#}");
    assert_eq!(orders[0]["missing"], json!([]), "{life:#}");
    let events = orders[0]["events"].as_array().unwrap();
    let shown: BTreeSet<&str> = events.iter().map(|one| one["id"].as_str().unwrap()).collect();
    let ids = edge::ids(&wanted);
    assert_eq!(shown, ids.iter().map(String::as_str).collect(), "{life:#}");
    for event in events {
        assert_eq!(event["export_status"], "Submitted", "{event:#}");
    }
    assert_eq!(daemon.stop(), Some(0));

    // Without a daemon the API is read all the same; without the API the store tells what it knows.
    let said = rest.installation().run(&["explain", &number]).ok();
    assert!(said.contains("not running"), "{said}");
    assert!(!said.contains("could not be read"), "{said}");
    rest.mock.configure(|config| config.maintenance = true);
    let said = rest.installation().run(&["explain", &number]).ok();
    assert!(said.contains("Shop       could not be read"), "{said}");
    assert!(said.contains("Submitted"), "{said}");
}

/// Returns the number of the order with the most events, and these.
fn busiest(rest: &RestFixture) -> (String, BTreeSet<Expected>) {
    let expected = rest.shop.expected();
    let of = |order: i64| expected.iter().filter(move |one| one.order_id == order);
    let order = expected
        .iter()
        .map(|one| one.order_id)
        .max_by_key(|order| of(*order).count())
        .unwrap();
    let sql = "SELECT increment_id FROM sales_order WHERE entity_id = ?1";
    let number = rest.shop.sql().query_row(sql, [order], |row| row.get(0));
    let events: BTreeSet<Expected> = of(order).cloned().collect();
    assert!(events.len() >= 3, "{events:?}");
    (number.unwrap(), events)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_finds_what_capture_missed_and_repairs_it() {
    let rest = RestFixture::start(ORDERS, MockConfig::default()).await;
    let daemon = rest.installation().start();
    rest.wait_until_served();
    let (code, report) = verify(&rest, &[]);
    assert_eq!(code, Some(0), "{report:#}");
    for path in ["/orders", "/in_feed"] {
        assert_eq!(report.pointer(path), Some(&json!(ORDERS)), "{report:#}");
    }
    let expected = rest.shop.expected();
    for column in ["expected", "delivered"] {
        let rows = report["events"].as_array().unwrap().iter();
        let sum: u64 = rows.map(|row| row[column].as_u64().unwrap()).sum();
        assert_eq!(sum, expected.len() as u64, "{column}: {report:#}");
    }

    let of = |index: usize| expected.iter().nth(index).unwrap().order_id;
    let (stale, forgotten) = (of(0), of(expected.len() - 1));
    assert_ne!(stale, forgotten);
    // No poll asks for orders of that time.
    let change =
        "UPDATE sales_order SET status = 'unseen', updated_at = '2020-01-01 00:00:00' WHERE entity_id = ?1";
    assert_eq!(rest.shop.sql().execute(change, [stale]).unwrap(), 1);
    let store = rusqlite::Connection::open(rest.installation().path("orderfeed.db")).unwrap();
    store.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let lose = "DELETE FROM sales_data_exporter_orders_v2 WHERE id = ?1";
    assert_eq!(store.execute(lose, [forgotten]).unwrap(), 1);

    let (code, report) = verify(&rest, &[]);
    assert_eq!(code, Some(1), "{report:#}");
    let differing = &report["differing"];
    assert_eq!(
        (&differing["stale"], &differing["missing_orders"]),
        (&json!(1), &json!(1)),
        "{report:#}"
    );
    let named: BTreeSet<i64> = report["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["order"].as_i64().unwrap())
        .collect();
    assert_eq!(named, BTreeSet::from([stale, forgotten]), "{report:#}");
    let (code, report) = verify(&rest, &["--repair"]);
    assert_eq!((code, &report["repaired"]), (Some(0), &json!(2)), "{report:#}");
    eventually("the repair is indexed", || rest.installation().is_settled());
    let (code, report) = verify(&rest, &[]);
    assert_eq!(code, Some(0), "{report:#}");
    rest.assert_whole(daemon);
}

fn verify(rest: &RestFixture, args: &[&str]) -> (Option<i32>, Value) {
    let ran = rest.installation().run(&[&["verify", "--json"], args].concat());
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|cause| panic!("{cause}: {ran:?}"));
    (ran.code, report)
}
