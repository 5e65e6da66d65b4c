//! I8 and I9: version ids never rewind, and memory does not grow with the backlog.

use crate::support::daemon::{eventually, say};
use crate::support::edge;
use crate::support::embedded::ShopHouse;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changelog_cleaned_to_the_last_row_goes_on_where_it_was() {
    let edge = edge::start().await;
    let mut house = ShopHouse::new(&edge.server_url(), 30);
    let daemon = house.installation.start();
    let expected = house.expected();
    eventually("the history", || house.is_served(&edge, expected.len()));
    for _ in 0..20 {
        house.act();
    }
    let expected = house.expected();
    eventually("the changes", || house.is_served(&edge, expected.len()));
    eventually("the changes are captured", || {
        house.installation.index().is_some_and(|index| index.head > 0)
    });
    house
        .installation
        .run(&["cron", "run", "indexer_clean_all_changelogs"])
        .ok();
    let store = rusqlite::Connection::open(house.installation.path("orderfeed.db")).unwrap();
    let count = "SELECT count(*) FROM sales_order_data_exporter_v2_cl";
    assert_eq!(
        store.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(),
        1,
        "the last row marks the version"
    );
    let before = house.installation.index().unwrap();
    assert_eq!(before.version, before.head);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(
        store
            .execute("DELETE FROM sales_order_data_exporter_v2_cl", [])
            .unwrap(),
        1,
        "a hand that cleans up"
    );
    let daemon = house.installation.start_and_wait();
    let after = house.installation.index().unwrap();
    assert!(
        after.head >= before.head && after.version >= before.version,
        "{before:?} {after:?}"
    );
    let order = house.place();
    let expected = house.expected();
    assert!(expected.iter().any(|one| one.order_id == order));
    eventually("the order after the cleaning", || {
        house.is_served(&edge, expected.len())
    });
    let last = house.installation.index().unwrap();
    assert!(
        last.head > before.head && last.version == last.head,
        "{before:?} {last:?}"
    );
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}

/// Allowed memory growth for forty thousand more pending events. SQLite's caches fill up, but the bodies alone would
/// be about 50 MiB.
const ALLOWANCE_KIB: u64 = 24 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_does_not_grow_with_the_backlog() {
    let nobody = format!("http://{}", edge::free_address());
    let mut house = ShopHouse::new(&nobody, 4_600);
    let daemon = house.installation.start();
    let waits = |house: &ShopHouse, events| {
        let indexed = house
            .installation
            .index()
            .is_some_and(|i| i.status.as_str() == "valid" && i.backlog == 0);
        indexed && house.installation.pending() == events
    };
    let first = house.expected().len() as u64;
    eventually("the history waits in the outbox", || waits(&house, first));
    let before = daemon.memory_kib("VmHWM");
    house.live_through(9_200);
    let second = house.expected().len() as u64;
    eventually("three times as much waits", || waits(&house, second));
    let after = daemon.memory_kib("VmHWM");
    say(&format!(
        "memory: {before} KiB with {first} events waiting, {after} KiB with {second}"
    ));
    assert!(first >= 18_000 && second >= 54_000, "{first} {second}");
    assert!(
        after < before + ALLOWANCE_KIB,
        "{before} KiB with {first} events, {after} KiB with {second}"
    );
    assert_eq!(daemon.stop(), Some(0));
}
