//! I2, I5 and I7: the state of the store after a kill, and the requests that are repeated.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use orderfeed::store::Reader;
use orderfeed::store::outbox::FinalState;
use orderfeed_demo_shop::shop::Shop;
use orderfeed_emulator::{EmulatorHandle, FaultStep};

use crate::support::daemon::eventually;
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// Asserts the invariants of a snapshot of the store, which must hold during any write. Returns `None` while there is
/// no store.
fn check_snapshot(store: &Path) -> Option<(i64, i64)> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = rusqlite::Connection::open_with_flags(store, flags).ok()?;
    conn.busy_timeout(Duration::from_secs(5)).ok()?;
    let snapshot = conn.unchecked_transaction().ok()?;
    let count = |sql: &str| snapshot.query_row(sql, [], |row| row.get::<_, i64>(0));
    let orders = count("SELECT count(*) FROM sales_data_exporter_orders_v2").ok()?;
    let feed_without_events = "SELECT count(*) FROM sales_data_exporter_orders_v2 f WHERE f.exported = 0 AND NOT EXISTS \
                               (SELECT 1 FROM outbox_event e WHERE e.order_id = f.id AND e.kind = 1)";
    assert_eq!(
        count(feed_without_events).unwrap(),
        0,
        "orders are indexed, but their events are not there"
    );
    let events_without_feed = "SELECT count(*) FROM outbox_event e WHERE NOT EXISTS \
                               (SELECT 1 FROM sales_data_exporter_orders_v2 f WHERE f.id = e.order_id)";
    assert_eq!(
        count(events_without_feed).unwrap(),
        0,
        "events are there whose orders are not indexed"
    );
    let events_without_body = "SELECT count(*) FROM outbox_event e WHERE NOT EXISTS \
                               (SELECT 1 FROM outbox_body b WHERE b.batch_id = e.batch_id)";
    assert_eq!(
        count(events_without_body).unwrap(),
        0,
        "events are there without their bytes"
    );
    let backfilled = count("SELECT coalesce(max(done), 0) FROM walk").unwrap();
    assert_eq!(
        backfilled, orders,
        "the backfill's position and its feed rows differ"
    );
    Some((orders, backfilled))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_snapshot_of_the_store_is_whole_and_kills_lose_nothing() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 900);
    fixture.installation.layer("small", "[index]\nbatch_size = 15\n");
    let store = fixture.installation.path("orderfeed.db");
    let expected = fixture.expected();
    let mut random = fastrand::Rng::with_seed(4);
    let mut seen = BTreeSet::new();
    for _ in 0..8 {
        let daemon = fixture.installation.start_and_wait();
        let until = Instant::now() + Duration::from_millis(random.u64(550..900));
        while Instant::now() < until {
            seen.extend(check_snapshot(&store));
        }
        daemon.kill();
        seen.extend(check_snapshot(&store));
    }
    assert!(
        seen.len() > 5,
        "the snapshots saw too little of the work: {seen:?}"
    );
    let daemon = fixture.installation.start_and_wait();
    eventually("everything arrives", || fixture.is_served(&edge, expected.len()));
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_delivered_before_the_edge_has_answered() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 120);
    let expected = fixture.expected();
    let delivered = || {
        let outbox = fixture
            .installation
            .read_store(|reader| reader.outbox_by_website())
            .unwrap();
        let totals = outbox.iter().flat_map(|website| website.totals.clone());
        totals
            .filter(|(_, state, _)| *state == FinalState::Delivered)
            .map(|(_, _, events)| events)
            .sum::<u64>()
    };
    // One request per website. First the edge hangs before it records anything, then after it.
    fixture.installation.layer("lanes", "[delivery]\nlanes = 1\n");
    let websites = Shop::website_codes().len();
    for (round, record) in [(1, false), (2, true)] {
        let times = Some(u32::try_from(websites).unwrap());
        let step = FaultStep {
            hang_ms: Some(60_000),
            record: Some(record),
            times,
            ..FaultStep::default()
        };
        edge.script(vec![step]).unwrap();
        let daemon = fixture.installation.start_and_wait();
        let indexed = || {
            fixture
                .installation
                .index()
                .is_some_and(|index| index.status.as_str() == "valid")
        };
        eventually("every website waits for an answer", || {
            indexed() && data_requests(&edge) == round * websites
        });
        let recorded = || {
            edge.events()
                .iter()
                .map(|event| event.datastream.clone())
                .collect::<BTreeSet<_>>()
                .len()
        };
        eventually("the edge has recorded every request, or none", || {
            recorded() == websites * usize::from(record)
        });
        assert_eq!(delivered(), 0, "no answer, no delivery");
        daemon.kill();
        assert_eq!(
            fixture.installation.pending(),
            expected.len() as u64,
            "everything is still to be sent"
        );
    }
    let recorded = edge.totals().events;
    assert!(recorded > 0);
    let daemon = fixture.installation.start_and_wait();
    eventually("everything arrives", || fixture.is_served(&edge, expected.len()));
    assert_eq!(delivered(), expected.len() as u64);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(
        edge.totals().duplicates,
        recorded,
        "what was in flight is repeated, and nothing else"
    );
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}

fn data_requests(edge: &EmulatorHandle) -> usize {
    edge.requests()
        .iter()
        .filter(|row| row.path.contains("/collect"))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_and_the_changes_that_it_covers_are_seen_together_or_not_at_all() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 20);
    // The changelog keeps its rows until the end of the test.
    let kept = "[cron]\nindexer_clean_all_changelogs = \"0 0 1 1 *\"\n";
    fixture.installation.layer("kept", kept);
    let mut daemon = fixture.installation.start_and_wait();
    let store = fixture.installation.path("orderfeed.db");
    // Position of the shop's log at the first capture. Earlier changes belong to the history.
    eventually("the first position", || {
        let position = |reader: &Reader<'_>| reader.source_cursors();
        fixture.installation.read_store(position).flatten().is_some()
    });
    let shop = fixture.sql();
    shop.execute_batch(REMEMBER).unwrap();
    let mut seen = BTreeSet::new();
    for round in 1..=3 {
        eventually("captures are seen", || {
            fixture.act();
            for _ in 0..15 {
                let (cursor, changes) = cursor_and_changes(&store);
                assert_eq!(
                    changes,
                    logged_until(&shop, cursor),
                    "the position {cursor} does not cover the changes that are there"
                );
                seen.insert(cursor);
            }
            seen.len() > 15 * round
        });
        daemon.kill();
        daemon = fixture.installation.start_and_wait();
    }
    let expected = fixture.expected();
    eventually("everything arrives", || fixture.is_served(&edge, expected.len()));
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}

/// The shop's log is emptied as it is captured, so the test keeps a copy.
const REMEMBER: &str = "CREATE TABLE remembered (version_id INTEGER PRIMARY KEY, entity_id, source_table);
    CREATE TRIGGER remember AFTER INSERT ON orderfeed_log BEGIN
        INSERT INTO remembered VALUES (NEW.version_id, NEW.entity_id, NEW.source_table);
    END";

/// An order and the table in which it changed.
type Changed = (i64, String);

/// Returns the changes logged by the shop up to this position.
fn logged_until(shop: &rusqlite::Connection, position: i64) -> Vec<Changed> {
    let sql = "SELECT entity_id, source_table FROM remembered WHERE version_id <= ?1 ORDER BY version_id";
    let mut statement = shop.prepare_cached(sql).unwrap();
    let rows = statement.query_map([position], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// Returns the position in the shop's log and the captured changes, from one snapshot.
fn cursor_and_changes(store: &Path) -> (i64, Vec<Changed>) {
    let mut conn = rusqlite::Connection::open(store).unwrap();
    conn.busy_timeout(Duration::from_secs(60)).unwrap();
    let snapshot = conn.transaction().unwrap();
    let cursor = "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM source_cursor), 0)";
    let cursor = snapshot.query_row(cursor, [], |row| row.get(0)).unwrap();
    let sql = "SELECT entity_id, source_table FROM sales_order_data_exporter_v2_cl WHERE op <> 'recheck' ORDER BY version_id";
    let mut statement = snapshot.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let changes = rows.unwrap().collect::<Result<_, _>>().unwrap();
    (cursor, changes)
}
