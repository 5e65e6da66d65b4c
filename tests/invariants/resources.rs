//! I8 and I9: version ids never rewind, and memory does not grow with the backlog.

use crate::support::daemon::{eventually, say};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changelog_cleaned_to_the_last_row_continues_where_it_was() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 30);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the history", || fixture.is_served(&edge, expected.len()));
    for _ in 0..20 {
        fixture.act();
    }
    let expected = fixture.expected();
    eventually("the changes", || fixture.is_served(&edge, expected.len()));
    eventually("the changes are captured", || {
        fixture.installation.index().is_some_and(|index| index.head > 0)
    });
    fixture
        .installation
        .run(&["cron", "run", "indexer_clean_all_changelogs"])
        .ok();
    let store = rusqlite::Connection::open(fixture.installation.path("orderfeed.db")).unwrap();
    let count = "SELECT count(*) FROM sales_order_data_exporter_v2_cl";
    assert_eq!(
        store.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap(),
        1,
        "the last row marks the version"
    );
    let before = fixture.installation.index().unwrap();
    assert_eq!(before.version, before.head);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(
        store
            .execute("DELETE FROM sales_order_data_exporter_v2_cl", [])
            .unwrap(),
        1,
        "a hand that cleans up"
    );
    let daemon = fixture.installation.start_and_wait();
    let after = fixture.installation.index().unwrap();
    assert!(
        after.head >= before.head && after.version >= before.version,
        "{before:?} {after:?}"
    );
    let order = fixture.place();
    let expected = fixture.expected();
    assert!(expected.iter().any(|one| one.order_id == order));
    eventually("the order after the cleaning", || {
        fixture.is_served(&edge, expected.len())
    });
    let last = fixture.installation.index().unwrap();
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
    let mut fixture = ShopFixture::new(&nobody, 4_600);
    let daemon = fixture.installation.start();
    let waits = |fixture: &ShopFixture, events| {
        let indexed = fixture
            .installation
            .index()
            .is_some_and(|i| i.status.as_str() == "valid" && i.backlog == 0);
        indexed && fixture.installation.pending() == events
    };
    let first = fixture.expected().len() as u64;
    eventually("the history waits in the outbox", || waits(&fixture, first));
    let before = daemon.memory_kib("VmHWM");
    fixture.live_through(9_200);
    let second = fixture.expected().len() as u64;
    eventually("three times as much waits", || waits(&fixture, second));
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
