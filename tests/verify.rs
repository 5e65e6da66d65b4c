//! Changes missed by capture are found by `verify` and by the nightly job, and repaired through the ordinary indexer.
//! Pending changes are not reported.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::daemon::{Installation, PATIENCE, eventually, now};
use crate::support::database::PASSWORD;
use crate::support::edge;
use crate::support::embedded::ShopFixture;
use crate::support::oracle;
use crate::support::server::Server;
use orderfeed_demo_shop::history::Span;
use orderfeed_demo_shop::shop::{Shop, ShopOptions};
use orderfeed_emulator::EmulatorHandle;

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
        .find(|row| row["job"] == "verify_source");
    let job = job.unwrap();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_traffic_is_neither_reported_nor_delayed() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 300);
    let daemon = fixture.installation.start();
    let expected = fixture.expected().len();
    eventually("the first sync", || fixture.is_served(&edge, expected));
    let mut verifying = fixture
        .installation
        .command(&["verify", "--json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut actions = 0;
    while verifying.try_wait().unwrap().is_none() {
        fixture.act();
        actions += 1;
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let output = verifying.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "after {actions} changes: {report:#}"
    );
    let served = fixture.expected().len();
    eventually("everything arrives", || fixture.is_served(&edge, served));
    assert_eq!(edge.totals().duplicates, 0);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_a_daemon_would_still_capture_are_no_difference() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 60);
    let daemon = fixture.installation.start();
    let expected = fixture.expected().len();
    eventually("the first sync", || fixture.is_served(&edge, expected));
    assert_eq!(daemon.stop(), Some(0));
    let placed = fixture.place();
    let (code, report) = verify(&fixture.installation, &[]);
    assert_eq!((code, number(&report, "/waiting")), (Some(0), 1), "{report:#}");

    without_triggers(
        &fixture,
        "UPDATE sales_order SET status = 'unseen' WHERE entity_id = (SELECT min(entity_id) FROM sales_order)",
    );
    let (code, report) = verify(&fixture.installation, &["--repair"]);
    assert_eq!((code, number(&report, "/repaired")), (Some(0), 1), "{report:#}");
    let daemon = fixture.installation.start();
    let served = fixture.expected().len();
    eventually("the next daemon does it", || fixture.is_served(&edge, served));
    let (code, report) = verify(&fixture.installation, &["--orders", &placed.to_string()]);
    assert_eq!((code, number(&report, "/orders")), (Some(0), 1), "{report:#}");
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_commit_beyond_the_overlap_is_found_by_the_nightly_job_and_delivered() {
    let database = Server::shared().database().await;
    let to = now();
    let span = Span {
        orders: 120,
        from: to.plus_millis(-40 * 86_400_000),
        to,
    };
    let options = ShopOptions {
        seed: 31,
        ..ShopOptions::default()
    };
    database.load(options, span).await;
    let edge = edge::start().await;
    let installation = in_front_of(&database.url(&database.read_only_account().await), &edge);
    let daemon = installation.start();
    let expected = || async {
        oracle::expected_in_mariadb(&mut database.conn().await, "", &Shop::website_codes()).await
    };
    let before = expected().await;
    eventually("the first sync", || {
        edge.unique_ids() >= before.len() && installation.is_settled()
    });

    // A transaction that began an hour ago commits now. Its rows carry the time at which they were written.
    database
        .execute(
            "UPDATE sales_order SET state = 'canceled', status = 'canceled', \
             updated_at = DATE_SUB(UTC_TIMESTAMP(), INTERVAL 1 HOUR) \
             WHERE state <> 'canceled' ORDER BY entity_id LIMIT 3",
        )
        .await;
    // Events of a cancelled order that were sent before stay sent.
    let after: BTreeSet<_> = expected().await.union(&before).cloned().collect();
    let unseen = after.difference(&before).count();
    assert!(unseen >= 1, "a cancelled order calls for an event");
    let version = || installation.index().unwrap().version;
    let settled = version();
    // At least two polls have passed when an ordinary change arrives.
    database
        .execute("UPDATE sales_order SET customer_note_notify = 1, updated_at = UTC_TIMESTAMP() ORDER BY entity_id DESC LIMIT 1")
        .await;
    eventually("an ordinary change is captured", || version() > settled);
    assert_eq!(edge.unique_ids(), before.len(), "no capture saw the late commit");

    let (code, report) = verify(&installation, &[]);
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(number(&report, "/differing/stale"), 3, "{report:#}");
    assert_eq!(sum(&report, "missing"), unseen as u64);

    let said = installation.run(&["cron", "run", "verify_source"]).ok();
    assert!(said.contains("3 differ and are indexed again"), "{said}");
    eventually("the late commit's events arrive", || {
        edge.unique_ids() >= after.len() && installation.is_settled()
    });
    edge::assert_holds(&edge, &after);
    let log = installation.log();
    assert!(
        log.contains("Verification found orders that differ from the source")
            && log.contains("stale_orders=3"),
        "{log}"
    );
    let (code, report) = verify(&installation, &["--from", "2000-01-01"]);
    assert_eq!((code, number(&report, "/orders")), (Some(0), 120), "{report:#}");
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_promises(&edge);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sweep_covers_all_of_history_night_after_night() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 90);
    fixture
        .installation
        .layer("nights", "[verify]\nnights = 3\nrecent = \"1h\"\n");
    let daemon = fixture.installation.start();
    let expected = fixture.expected().len();
    eventually("the first sync", || fixture.is_served(&edge, expected));
    let oldest = "(SELECT min(entity_id) FROM sales_order)";
    without_triggers(
        &fixture,
        &format!(
            "UPDATE sales_order SET status = 'unseen', updated_at = '2020-01-01 00:00:00' \
             WHERE entity_id = {oldest}"
        ),
    );
    let night = || fixture.installation.run(&["cron", "run", "verify_source"]).ok();
    let mut said = Vec::new();
    for _ in 0..3 {
        said.push(night());
    }
    assert!(said[0].contains("30 of all: nothing differs"), "{said:?}");
    assert!(said[1].contains("30 of all: nothing differs"), "{said:?}");
    assert!(
        said[2].contains("30 of all: 1 differ and are indexed again"),
        "{said:?}"
    );
    assert_eq!(daemon.stop(), Some(0));
    let history = fixture
        .installation
        .run(&["cron", "history", "--job", "verify_source"])
        .ok();
    assert!(history.contains("1 differ and are indexed again"), "{history}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_down_fails_the_night_and_the_next_one_continues() {
    let server = Server::start();
    let database = server.database().await;
    let to = now();
    let span = Span {
        orders: 40,
        from: to.plus_millis(-40 * 86_400_000),
        to,
    };
    database.load(ShopOptions::default(), span).await;
    let edge = edge::start().await;
    let installation = in_front_of(&database.url(&database.read_only_account().await), &edge);
    let daemon = installation.start();
    eventually("the first sync", || installation.is_settled());
    server.stop();
    let ran = installation.run(&["cron", "run", "verify_source"]);
    assert_eq!(ran.code, Some(69), "{ran:?}");
    let ran = installation.run(&["verify"]);
    assert_eq!(ran.code, Some(69), "{ran:?}");
    server.start_again();
    eventually("the source is back", || {
        let ran = installation.run(&["cron", "run", "verify_source"]);
        ran.code == Some(0) && ran.stdout.contains("nothing differs")
    });
    assert_eq!(daemon.stop(), Some(0));
}

fn in_front_of(url: &str, edge: &EmulatorHandle) -> Installation {
    let source = format!(
        "[source]\nkind = \"mysql\"\n[source.mysql]\nurl = \"{url}\"\npassword_file = \"password\"\ncapture = \"poll\"\n\
         poll_interval = \"100ms\"\npoll_overlap = \"10s\"\n"
    );
    let installation = Installation::new(&edge::config(&edge.server_url(), &source));
    installation.write("password", PASSWORD);
    installation
}
