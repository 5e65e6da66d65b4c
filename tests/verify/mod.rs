//! Changes missed by capture are found by `verify` and by the nightly job, and repaired through the ordinary indexer.

mod live;
mod nightly;

use serde_json::Value;

use crate::support::daemon::{Installation, PATIENCE, eventually};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// Executes `sql` without the shop's triggers, so that capture misses the change.
fn without_triggers(fixture: &ShopFixture, sql: &str) {
    let conn = fixture.sql();
    let before: i64 = conn
        .query_row(
            "SELECT coalesce(max(version_id), 0) FROM orderfeed_log",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let transaction = conn.unchecked_transaction().unwrap();
    transaction.execute_batch(sql).unwrap();
    transaction
        .execute("DELETE FROM orderfeed_log WHERE version_id > ?1", [before])
        .unwrap();
    transaction.commit().unwrap();
}

fn verify(installation: &Installation, args: &[&str]) -> (Option<i32>, Value) {
    let ran = installation.run(&[&["verify", "--json"], args].concat());
    let report = serde_json::from_str(&ran.stdout).unwrap_or_else(|cause| panic!("{cause}: {ran:?}"));
    (ran.code, report)
}

/// Asserts that the nightly job of a new store has nothing to catch up on and waits for its night.
fn assert_no_missed_night(installation: &Installation) {
    let history = installation.read_store(|reader| reader.cron_history(Some("verify_source"), 1));
    assert_eq!(history, Some(Vec::new()));
    let jobs: Value = serde_json::from_str(&installation.run(&["cron", "list", "--json"]).ok()).unwrap();
    let job = jobs
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["job"] == "verify_source")
        .unwrap();
    assert!(job["last"].is_null() && job["next"].is_string(), "{job}");
}
fn store_sql(installation: &Installation, sql: &str) -> usize {
    let conn = rusqlite::Connection::open(installation.path("orderfeed.db")).unwrap();
    conn.busy_timeout(PATIENCE).unwrap();
    conn.execute(sql, []).unwrap()
}

fn number(report: &Value, path: &str) -> u64 {
    report
        .pointer(path)
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("{path} in {report:#}"))
}

fn sum(report: &Value, column: &str) -> u64 {
    let rows = report["events"].as_array().unwrap();
    rows.iter().map(|row| row[column].as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_difference_is_found_reported_and_repaired_beside_a_daemon() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 200);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the first sync", || fixture.is_served(&edge, expected.len()));
    assert_no_missed_night(&fixture.installation);
    let (code, report) = verify(&fixture.installation, &[]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(number(&report, "/orders"), 200);
    assert_eq!(number(&report, "/in_feed"), 200);
    assert_eq!(sum(&report, "expected"), expected.len() as u64);
    assert_eq!(sum(&report, "delivered"), expected.len() as u64);

    let ids: Vec<i64> = expected.iter().map(|one| one.order_id).collect();
    let (stale, missing, lost, gone) = (ids[0], ids[ids.len() / 3], ids[ids.len() / 2], ids[ids.len() - 1]);
    assert!(stale != missing && missing != lost && lost != gone);
    without_triggers(
        &fixture,
        &format!(
            "UPDATE sales_order SET status = 'unseen', updated_at = '2020-01-01 00:00:00' WHERE entity_id = {stale};
             DELETE FROM sales_order WHERE entity_id = {gone}"
        ),
    );
    let forgotten = format!("DELETE FROM sales_data_exporter_orders_v2 WHERE id = {missing}");
    assert_eq!(store_sql(&fixture.installation, &forgotten), 1);
    let forgotten = format!("DELETE FROM outbox_event WHERE order_id = {missing} OR order_id = {lost}");
    let events_lost = store_sql(&fixture.installation, &forgotten) as u64;
    assert!(events_lost >= 2);

    let (code, report) = verify(&fixture.installation, &[]);
    assert_eq!(code, Some(1), "{report:#}");
    for (what, found) in [
        ("stale", 1),
        ("missing_orders", 1),
        ("missing_events", 1),
        ("gone", 1),
    ] {
        assert_eq!(
            number(&report, &format!("/differing/{what}")),
            found,
            "{report:#}"
        );
    }
    assert_eq!(sum(&report, "missing"), events_lost);
    let words: Vec<(i64, &str)> = report["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["order"].as_i64().unwrap(), one["finding"].as_str().unwrap()))
        .collect();
    for pair in [
        (stale, "stale"),
        (missing, "missing_order"),
        (lost, "missing_event"),
        (gone, "gone"),
    ] {
        assert!(words.contains(&pair), "{pair:?} in {words:?}");
    }
    let one = fixture
        .installation
        .run(&["verify", "--orders", &format!("{lost},no-such-order")]);
    assert_eq!(one.code, Some(1), "{one:?}");
    assert!(
        one.stdout.contains("the outbox lacks events") && one.stdout.contains("no-such-order: no such order"),
        "{one:?}"
    );

    let (code, report) = verify(&fixture.installation, &["--repair"]);
    assert_eq!((code, number(&report, "/repaired")), (Some(0), 4), "{report:#}");
    eventually("the repair is indexed", || fixture.installation.is_settled());
    let (code, report) = verify(&fixture.installation, &[]);
    assert_eq!((code, number(&report, "/orders")), (Some(0), 199), "{report:#}");
    assert_eq!(
        edge.totals().duplicates,
        events_lost,
        "what was lost is sent once more"
    );

    fixture.act();
    let served = fixture.expected().len();
    eventually("a change after all that", || fixture.is_served(&edge, served));
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_promises(&edge);
}
