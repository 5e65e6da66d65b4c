//! Idempotence: neither another change of a row, nor a reindex, nor a resync sends an event twice, and a forced
//! resend has the same id and the same bytes.

use crate::support::daemon::{Ran, eventually};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_reindexes_and_resyncs_make_no_second_event_beside_a_daemon() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 300);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the first sync", || fixture.is_served(&edge, expected.len()));
    let version = || fixture.installation.index().unwrap().version;
    let before = version();
    for status in ["first", "second"] {
        fixture
            .sql()
            .execute(
                "UPDATE sales_order SET status = ?1 WHERE entity_id % 3 = 0",
                [status],
            )
            .unwrap();
    }
    eventually("the changes are indexed", || {
        version() > before && fixture.installation.is_settled()
    });
    for _ in 0..2 {
        let said = fixture.installation.run(&["indexer:reindex"]).ok();
        assert!(
            said.starts_with("Sales Orders Feed index has been rebuilt successfully in 00:00:"),
            "{said}"
        );
        let said = fixture
            .installation
            .run(&["saas:resync", "--feed", "orders", "--wait"])
            .ok();
        assert!(said.contains(": 0 events were queued"), "{said}");
    }
    let said = fixture.installation.run(&["index:reindex"]).ok();
    assert!(said.contains("has been rebuilt successfully"), "{said}");
    edge::assert_holds(&edge, &expected);
    assert_eq!(
        edge.totals().duplicates,
        0,
        "nothing is sent twice unless it is asked for"
    );

    let said = fixture
        .installation
        .run(&["saas:resync", "--feed", "orders", "--force", "--wait"])
        .ok();
    assert!(
        said.contains(&format!("{} of them again", expected.len())),
        "{said}"
    );
    edge::assert_holds(&edge, &expected);
    assert_eq!(
        edge.totals().duplicates,
        expected.len() as u64,
        "each event came exactly once more"
    );
    fixture.act();
    let expected = fixture.expected();
    eventually("a change after all that", || {
        fixture.is_served(&edge, expected.len())
    });
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resync_without_a_daemon_queues_and_the_next_daemon_sends() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 120);
    let resync = |args: &[&str]| {
        fixture
            .installation
            .run(&[&["saas:resync", "--feed", "orders"], args].concat())
    };
    let said = resync(&["--dry-run"]).ok();
    let expected = fixture.expected();
    assert!(
        said.contains(&format!("{} events would be queued", expected.len())),
        "{said}"
    );
    assert_eq!(fixture.installation.pending(), 0, "a dry run stores nothing");
    let said = resync(&[]).ok();
    assert!(
        said.contains(&format!("{} events were queued", expected.len())),
        "{said}"
    );
    assert_eq!(edge.totals().requests, 0, "nothing is sent without a daemon");
    assert!(resync(&[]).ok().contains(": 0 events were queued"));
    let daemon = fixture.installation.start();
    eventually("the delivery", || fixture.is_served(&edge, expected.len()));
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(edge.totals().duplicates, 0);
    assert!(resync(&["--force"]).ok().contains("of them again"));
    let daemon = fixture.installation.start();
    let twice = 2 * expected.len() as u64;
    eventually("the forced delivery", || {
        edge.totals().events == twice && fixture.installation.pending() == 0
    });
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_filled_in_by_ranges_that_may_overlap_beside_live_changes() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 90);
    let from_now_on = "[first_sync]\nhistory = \"none\"\n[index]\nmode = \"realtime\"\n";
    fixture.installation.layer("none", from_now_on);
    let daemon = fixture.installation.start();
    eventually("the index", || fixture.installation.is_settled());
    assert_eq!(edge.totals().events, 0, "no history");
    let quarter = |part: i64| -> String {
        let sql = "SELECT created_at FROM sales_order ORDER BY created_at LIMIT 1 OFFSET ?1";
        fixture
            .sql()
            .query_row(sql, [90 * part / 4], |row| row.get(0))
            .unwrap()
    };
    let quarters = [quarter(1), quarter(2), quarter(3)];
    let resync = |fixture: &ShopFixture, range: &[&str]| {
        let args = [&["saas:resync", "--feed", "orders", "--wait"], range].concat();
        fixture.installation.run(&args).ok()
    };
    resync(&fixture, &["--from", &quarters[0], "--to", &quarters[2]]);
    let live = fixture.place();
    resync(&fixture, &["--from", &quarters[1]]);
    let said = resync(&fixture, &["--from", &quarters[1], "--to", &quarters[2]]);
    assert!(said.contains(": 0 events were queued"), "{said}");
    let old: Vec<i64> = {
        let conn = fixture.sql();
        let mut statement = conn
            .prepare("SELECT entity_id FROM sales_order WHERE created_at < ?1")
            .unwrap();
        let rows = statement.query_map([&quarters[0]], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let mut expected = fixture.expected();
    expected.retain(|one| !old.contains(&one.order_id));
    assert!(!old.is_empty() && expected.iter().any(|one| one.order_id == live));
    eventually("the ranges and the live order", || {
        fixture.is_served(&edge, expected.len())
    });
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
    assert_eq!(edge.totals().duplicates, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resync_of_some_orders_touches_those_alone() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 90);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the first sync", || fixture.is_served(&edge, expected.len()));
    let resync = |args: &[&str]| {
        fixture
            .installation
            .run(&[&["saas:resync", "--feed", "orders"], args].concat())
    };
    let events_of = |order: i64| expected.iter().filter(|one| one.order_id == order).count();
    let (one, two) = (
        expected.iter().next().unwrap().order_id,
        expected.iter().last().unwrap().order_id,
    );
    let number: String = fixture
        .sql()
        .query_row(
            "SELECT increment_id FROM sales_order WHERE entity_id = ?1",
            [one],
            |row| row.get(0),
        )
        .unwrap();
    let of_number: Vec<i64> = {
        let conn = fixture.sql();
        let mut statement = conn
            .prepare("SELECT entity_id FROM sales_order WHERE increment_id = ?1")
            .unwrap();
        statement
            .query_map([&number], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    };
    let named = format!("{number},{two}");
    let again: usize = of_number
        .iter()
        .chain([&two])
        .map(|order| events_of(*order))
        .sum();
    assert!(
        resync(&["--by-ids", &named, "--dry-run", "--force"])
            .ok()
            .contains("would be queued")
    );
    assert_eq!(edge.totals().duplicates, 0, "a dry run sends nothing");
    assert!(
        resync(&["--by-ids", &named, "--wait"])
            .ok()
            .contains(": 0 events were queued")
    );
    let said = resync(&["--by-ids", &named, "--force", "--wait"]).ok();
    assert!(said.contains(&format!("{again} of them again")), "{said}");
    assert_eq!(edge.totals().duplicates, again as u64);

    let middle: String = fixture
        .sql()
        .query_row(
            "SELECT created_at FROM sales_order ORDER BY created_at LIMIT 1 OFFSET 45",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let newer = fixture.sql().query_row(
        "SELECT group_concat(entity_id) FROM sales_order WHERE created_at >= ?1",
        [&middle],
        |row| row.get::<_, String>(0),
    );
    let newer: Vec<i64> = newer.unwrap().split(',').map(|id| id.parse().unwrap()).collect();
    let of_newer = expected
        .iter()
        .filter(|one| newer.contains(&one.order_id))
        .count();
    assert!(0 < of_newer && of_newer < expected.len());
    for (option, events) in [("--from", of_newer), ("--to", expected.len() - of_newer)] {
        let before = edge.totals().duplicates;
        let said = resync(&[option, &middle, "--force", "--wait"]).ok();
        assert!(
            said.contains(&format!("{events} of them again")),
            "{option}: {said}"
        );
        assert_eq!(edge.totals().duplicates - before, events as u64, "{option}");
    }
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}

#[test]
fn contradicting_options_are_refused_before_anything_happens() {
    let fixture = ShopFixture::new("http://127.0.0.1:9", 1);
    let Ran { code, stderr, .. } = fixture.installation.run(&[
        "saas:resync",
        "--feed",
        "orders",
        "--by-ids",
        "1",
        "--from",
        "2026-01-01",
    ]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("--by-ids names orders one by one"), "{stderr}");
    let Ran { stderr, .. } = fixture.installation.run(&["saas:resync", "--feed", "products"]);
    assert!(
        stderr.contains("The feed \"products\" does not exist. Supported feeds: orders"),
        "{stderr}"
    );
}
