//! Power cuts: unsynced writes are lost, as a whole or sector by sector. Every event received by the edge is in the
//! store, byte for byte, and a daemon started on the remains delivers the rest.
//!
//! The real daemon runs on a watched disk (`support::disk`). `ORDERFEED_POWER_CUTS` asks for more cuts than in CI.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use orderfeed::store::{Store, StoreView};

use crate::support::daemon::{Daemon, eventually, say};
use crate::support::disk::{self, Record, Unsynced};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

fn cuts(short: usize) -> usize {
    let asked = std::env::var("ORDERFEED_POWER_CUTS").ok();
    asked.and_then(|number| number.parse().ok()).unwrap_or(short)
}

fn start_watched(fixture: &ShopFixture, log: &Path) -> Daemon {
    fixture.installation.start_with(|command| {
        command
            .env("LD_PRELOAD", disk::library())
            .env("ORDERFEED_DISK_LOG", log);
    })
}

/// Returns the bytes of all events in the store, by id.
fn held(store: &Path) -> BTreeMap<String, Vec<u8>> {
    let connection = rusqlite::Connection::open(store).unwrap();
    let mut statement = connection.prepare("SELECT batch_id FROM outbox_body").unwrap();
    let batches: Vec<i64> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let read = |reader: &orderfeed::store::Reader<'_>| {
        let mut held = BTreeMap::new();
        for batch in batches {
            let body = reader.batch_body(batch)?.unwrap();
            for (_, json) in body.events() {
                let event: serde_json::Value = serde_json::from_slice(json).unwrap();
                held.insert(event["xdm"]["_id"].as_str().unwrap().to_owned(), json.to_vec());
            }
        }
        Ok(held)
    };
    StoreView::open(store).unwrap().read(read).unwrap()
}

/// Returns the violations found after a power cut.
fn after_cut(record: &Record, steps: usize, unsynced: Unsynced, dir: &Path) -> Vec<String> {
    // Each cut has a directory of its own: reader threads may close the store slightly after its handle is dropped,
    // and the last to close removes the WAL, which could otherwise be that of the next cut.
    let own = tempfile::tempdir_in(dir).unwrap();
    let store = own.path().join("cut.db");
    disk::put(&store, &record.after(steps, unsynced));
    let sent = record.sent_before(steps);
    if sent.is_empty() {
        // There may have been no store yet. The remains must be usable all the same.
        return Store::open(&store)
            .err()
            .map(|error| format!("{steps} {unsynced:?}: {error}"))
            .into_iter()
            .collect();
    }
    match Store::open(&store) {
        Ok(open) => drop(open),
        Err(error) => return vec![format!("{steps} {unsynced:?}: {error}")],
    }
    let held = held(&store);
    let lost = sent.iter().filter(|(id, bytes)| held.get(*id) != Some(bytes));
    lost.map(|(id, _)| format!("{steps} {unsynced:?}: {id} was sent and is not held as it was"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_received_by_the_edge_survive_a_power_cut_at_any_time() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 150);
    fixture.installation.layer("small", "[index]\nbatch_size = 10\n");
    let store = fixture.installation.path("orderfeed.db");
    let scratch = fixture.installation.path("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let mut wrong = Vec::new();
    let mut tried = 0;
    let mut sent = 0;
    // First the history, then live changes on a store checkpointed by a clean stop.
    for life in 0..2 {
        let begin = disk::files(&store);
        let log = fixture.installation.path(&format!("disk-{life}.log"));
        let daemon = start_watched(&fixture, &log);
        for _ in 0..life * 30 {
            fixture.act();
        }
        let expected = fixture.expected();
        eventually("everything arrives", || fixture.is_served(&edge, expected.len()));
        assert_eq!(daemon.stop(), Some(0));
        let record = Record::read(&log, begin);
        sent += record.sent_before(record.len()).len();
        let lied = after_cut(&record, record.len(), Unsynced::NeverSynced, &scratch);
        assert!(!lied.is_empty(), "this would notice a commit that is not synced");
        let mut dice = fastrand::Rng::with_seed(life);
        for cut in 0..cuts(60) as u64 {
            let steps = dice.usize(..=record.len());
            let unsynced = [Unsynced::Lost, Unsynced::Kept, Unsynced::Torn(cut)][dice.usize(..3)];
            wrong.extend(after_cut(&record, steps, unsynced, &scratch));
            tried += 1;
        }
    }
    assert!(sent > 100, "the sending was not seen: {sent}");
    assert!(
        wrong.is_empty(),
        "{} of {tried} cuts: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(5)]
    );
    say(&format!(
        "power cuts: {tried} moments, {sent} events sent, nothing lost"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_continues_after_power_cuts_and_delivers_everything_with_the_same_bytes() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 200);
    fixture.installation.layer("small", "[index]\nbatch_size = 10\n");
    let store = fixture.installation.path("orderfeed.db");
    let mut dice = fastrand::Rng::with_seed(7);
    for cut in 0..cuts(6) as u64 {
        let begin = disk::files(&store);
        let log = fixture.installation.path("disk.log");
        let _ = std::fs::remove_file(&log);
        let daemon = start_watched(&fixture, &log);
        for _ in 0..5 {
            fixture.act();
            std::thread::sleep(Duration::from_millis(dice.u64(20..160)));
        }
        daemon.kill();
        // The machine is off and has lost the unsynced writes.
        let record = Record::read(&log, begin);
        let unsynced = if dice.bool() {
            Unsynced::Lost
        } else {
            Unsynced::Torn(cut)
        };
        disk::put(&store, &record.after(record.len(), unsynced));
    }
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("everything arrives", || fixture.is_served(&edge, expected.len()));
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}
