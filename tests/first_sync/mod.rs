//! The first sync: it starts by itself, sends the newest orders first, reports its progress correctly, survives kill
//! -9, does not delay other events, and bounds the outbox.

mod fixture;
mod interrupted;

use std::collections::HashSet;

use orderfeed::store::first_sync::SyncState;
use orderfeed::store::views::IndexerStatus;
use orderfeed_demo_shop::shop::Shop;

use fixture::{Fixture, UNKNOWN, datastream, eventually};

const IN_WEBSITES: &str = "SELECT count(*) FROM sales_order WHERE store_id IS NOT NULL";

fn all() -> Vec<(&'static str, String)> {
    Shop::website_codes()
        .into_iter()
        .map(|code| (code, datastream(code)))
        .collect()
}

fn borrowed<'a>(websites: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    websites.iter().map(|(code, id)| (*code, id.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_backfill_serves_all_websites_newest_first_and_its_progress_is_correct() {
    let mut fixture = Fixture::new(600, 20).await;
    let websites = all();
    fixture.configure(&borrowed(&websites), "");
    fixture.start();
    let codes = Shop::website_codes();
    let mut last = (0, 0);
    eventually("the first sync", || {
        let syncs = fixture.syncs();
        let sum =
            |pick: fn(&orderfeed::first_sync::report::SyncReport) -> u64| syncs.iter().map(pick).sum::<u64>();
        let (done, sent) = (sum(|s| s.done_orders), sum(|s| s.sent_events));
        assert!(done >= last.0 && sent >= last.1, "progress never goes back");
        assert!(
            sent <= fixture.edge.unique_ids() as u64,
            "what counts as sent is at the edge"
        );
        assert!(
            syncs
                .iter()
                .all(|s| s.done_orders <= s.total_orders && s.sent_events <= s.events)
        );
        last = (done, sent);
        fixture.is_complete(&codes)
    });
    assert_eq!(fixture.number("orderfeed.db", "SELECT count(*) FROM walk"), 1);
    // An order of a deleted store view belongs to no website.
    let orders = fixture.number("shop.db", IN_WEBSITES);
    assert_eq!(
        last.0,
        orders.unsigned_abs(),
        "every order is counted once, for its website"
    );
    assert_eq!(last.1, fixture.edge.unique_ids() as u64);
    assert!(
        fixture
            .syncs()
            .iter()
            .all(|sync| !sync.missed && sync.completed_at.is_some())
    );
    // Newest first: the orders of the first tenth are newer than those of the last. Compared by entity id, because
    // order numbers start with the number of their store view.
    let ids = fixture.entity_ids();
    let numbers: Vec<u64> = fixture
        .edge
        .events()
        .iter()
        .filter_map(|event| ids.get(event.purchase_id.as_ref()?).copied())
        .collect();
    let tenth = numbers.len() / 10;
    let mean = |part: &[u64]| part.iter().sum::<u64>() / part.len() as u64;
    assert!(mean(&numbers[..tenth]) > mean(&numbers[numbers.len() - tenth..]));
    let status = fixture.run(&["status"]);
    assert!(
        status.contains("First sync base") && status.contains("within the window"),
        "{status}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_the_first_sync_continues_where_it_was() {
    let mut fixture = Fixture::new(1_500, 0).await;
    let websites = all();
    fixture.configure(&borrowed(&websites), "");
    fixture.start();
    let done = |fixture: &Fixture| fixture.syncs().iter().map(|sync| sync.done_orders).sum::<u64>();
    eventually("half of the history", || done(&fixture) >= 500);
    fixture.kill();
    let before = done(&fixture);
    let reindexing = fixture
        .syncs()
        .iter()
        .any(|sync| sync.state <= SyncState::Reindexing);
    assert!(reindexing, "killed too late");
    fixture.start();
    eventually("the rest", || {
        assert!(done(&fixture) >= before, "it does not restart");
        fixture.is_complete(&Shop::website_codes())
    });
    let orders = fixture.number("shop.db", "SELECT count(*) FROM sales_order");
    assert_eq!(fixture.number("orderfeed.db", "SELECT count(*) FROM walk"), 1);
    assert_eq!(fixture.number("orderfeed.db", "SELECT done FROM walk"), orders);
    assert_eq!(
        done(&fixture),
        fixture.number("shop.db", IN_WEBSITES).unsigned_abs()
    );
    assert!(fixture.edge.bytes_changed().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_website_that_is_enabled_later_syncs_its_own_history_beside_a_valid_index() {
    let mut fixture = Fixture::new(400, 0).await;
    let (base, eu) = (datastream("base"), datastream("eu"));
    fixture.configure(&[("base", &base)], "");
    fixture.start();
    eventually("the first website", || fixture.is_complete(&["base"]));
    eventually("a valid index", || {
        fixture
            .read_store(|reader| reader.indexer_state())
            .flatten()
            .is_some_and(|state| state.status == IndexerStatus::Valid)
    });
    let before = fixture.edge.events().len();
    let changed = fixture.number("orderfeed.db", "SELECT updated FROM indexer_state");
    fixture.configure(&[("base", &base), ("eu", &eu)], "");
    fixture.reload();
    eventually("the second website", || fixture.is_complete(&["eu"]));
    let events = fixture.edge.events();
    assert!(
        events[before..].iter().all(|event| event.datastream == eu),
        "only its own"
    );
    let total = fixture.sync("eu").unwrap();
    assert_eq!(total.done_orders, total.total_orders);
    assert_eq!((events.len() - before) as u64, total.events);
    assert!(total.events > 0);
    assert_eq!(
        fixture.number(
            "orderfeed.db",
            "SELECT count(*) FROM walk WHERE kind = 'first_sync'"
        ),
        1
    );
    let now = fixture.number("orderfeed.db", "SELECT updated FROM indexer_state");
    assert_eq!(now, changed, "the index was not touched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_while_a_website_was_disabled_are_found_when_it_is_enabled_again() {
    let mut fixture = Fixture::new(60, 0).await;
    let (base, eu) = (datastream("base"), datastream("eu"));
    let quick = "[index]\nmode = \"realtime\"\n[cron]\nindexer_reindex_all_invalid = \"* * * * * *\"";
    fixture.configure(&[("base", &base), ("eu", &eu)], quick);
    fixture.start();
    eventually("the first syncs", || fixture.is_complete(&["base", "eu"]));
    fixture.configure(&[("base", &base)], quick);
    fixture.reload();
    eventually("the reload", || {
        fixture.log().contains("The configuration was read again")
    });
    for _ in 0..20 {
        fixture.place();
    }
    let orders = fixture.number("shop.db", "SELECT count(*) FROM sales_order");
    eventually("the index", || {
        let feed = "SELECT count(*) FROM sales_data_exporter_orders_v2";
        fixture.number("orderfeed.db", feed) == orders
    });
    let in_eu = fixture.number(
        "shop.db",
        "SELECT count(*) FROM sales_order JOIN store USING (store_id) JOIN store_website USING (website_id)
         WHERE store_website.code = 'eu'",
    );
    let placed = |fixture: &Fixture| {
        let events = fixture.edge.events().into_iter();
        let kind = "commerce.backofficeOrderPlaced";
        events
            .filter(|event| event.datastream == eu && event.event_type.as_deref() == Some(kind))
            .count() as i64
    };
    assert!(placed(&fixture) < in_eu, "some were placed while it was off");
    fixture.configure(&[("base", &base), ("eu", &eu)], quick);
    fixture.reload();
    eventually("what was missed", || placed(&fixture) == in_eu);
    assert_eq!(fixture.edge.totals().duplicates, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_website_from_now_on_sends_no_history_and_every_live_change() {
    let mut fixture = Fixture::new(150, 0).await;
    let websites = all();
    fixture.configure(&borrowed(&websites), "[first_sync]\nhistory = \"none\"");
    fixture.start();
    eventually("an index without history", || {
        let valid = fixture.read_store(|reader| reader.indexer_state()).flatten();
        valid.is_some_and(|state| state.status == IndexerStatus::Valid)
            && fixture.is_complete(&Shop::website_codes())
    });
    assert_eq!(fixture.edge.unique_ids(), 0);
    fixture.place();
    eventually("the live order", || fixture.edge.unique_ids() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halted_website_does_not_delay_the_others_and_the_log_names_the_cause() {
    let mut fixture = Fixture::new(300, 0).await;
    let mut websites = all();
    websites[0].1 = UNKNOWN.to_owned();
    // The log reports an estimate only after a fifth of the window.
    fixture.configure(&borrowed(&websites), "[first_sync]\nwindow = \"20s\"");
    fixture.start();
    let others: Vec<&str> = websites[1..].iter().map(|(code, _)| *code).collect();
    eventually("the others", || fixture.is_complete(&others));
    let halted = fixture.sync(websites[0].0).unwrap();
    assert_eq!(halted.sent_events, 0);
    assert_ne!(halted.state, SyncState::Complete);
    eventually("the warning", || {
        let log = fixture.log();
        let mut lines = log.lines();
        lines.any(|line| line.contains("will miss its window") && line.contains("limited_by=edge"))
    });
    eventually("being overdue", || {
        fixture.log().contains("The first sync missed its window")
    });
    assert_eq!(fixture.log().matches("will miss its window").count(), 1);
    let status = fixture.run(&["status"]);
    assert!(status.contains("WINDOW MISSED"), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_order_overtakes_the_history() {
    let mut fixture = Fixture::new(800, 400).await;
    let websites = all();
    fixture.configure(
        &borrowed(&websites),
        "[delivery]\nlanes = 1\nmax_batch_events = 10",
    );
    fixture.start();
    eventually("a queue", || {
        fixture
            .syncs()
            .iter()
            .any(|sync| sync.events > sync.sent_events + 100)
    });
    let known: HashSet<String> = fixture.edge.ids();
    let (order, _) = fixture.place();
    let sql = format!("SELECT CAST(increment_id AS INTEGER) FROM sales_order WHERE entity_id = {order}");
    let number = fixture.number("shop.db", &sql);
    let arrived = |fixture: &Fixture| {
        let of_order =
            |id: &Option<String>| id.as_ref().and_then(|id| id.parse::<i64>().ok()) == Some(number);
        fixture
            .edge
            .events()
            .iter()
            .any(|event| of_order(&event.purchase_id) && !known.contains(&event.id))
    };
    eventually("the live order", || arrived(&fixture));
    assert!(
        fixture
            .syncs()
            .iter()
            .any(|sync| sync.state != SyncState::Complete),
        "history still waits"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intake_pauses_while_the_disk_is_nearly_full_and_resumes_by_itself() {
    let mut fixture = Fixture::new(100, 0).await;
    let websites = all();
    let reserve = |size: &str| format!("[store]\npath = \"orderfeed.db\"\ndisk_reserve = \"{size}\"");
    fixture.configure(&borrowed(&websites), &reserve("1000000GiB"));
    fixture.start();
    eventually("the warning", || {
        fixture.log().contains("The disk is nearly full")
    });
    // The log line precedes the commit, so poll the status.
    eventually("the status", || {
        fixture
            .run(&["status"])
            .contains("PAUSED: the disk is nearly full")
    });
    fixture.place();
    assert_eq!(
        fixture.syncs().iter().map(|sync| sync.done_orders).sum::<u64>(),
        0
    );
    fixture.configure(&borrowed(&websites), &reserve("1MiB"));
    fixture.reload();
    eventually("the rest", || fixture.is_complete(&Shop::website_codes()));
    assert!(fixture.log().contains("Intake is open again"));
    let orders = fixture.number("shop.db", "SELECT count(*) FROM sales_order");
    eventually("every order", || {
        fixture.number(
            "orderfeed.db",
            "SELECT count(*) FROM sales_data_exporter_orders_v2",
        ) == orders
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_outbox_holds_history_back_and_loses_nothing() {
    let mut fixture = Fixture::new(800, 0).await;
    let websites = all();
    // One page exceeds twice the bound, and does not contain all orders.
    let bound = "[delivery]\nmax_pending_events = 1000\n[index]\nmode = \"realtime\"\nbatch_size = 700";
    let unknown: Vec<(&str, &str)> = websites.iter().map(|(code, _)| (*code, UNKNOWN)).collect();
    fixture.configure(&unknown, bound);
    fixture.start();
    eventually("the pause", || fixture.log().contains("The outbox holds twice"));
    let pending = fixture.read_store(|reader| reader.pending_events()).unwrap();
    assert!((2_000..4_000).contains(&pending), "{pending}");
    fixture.configure(&borrowed(&websites), bound);
    fixture.reload();
    eventually("the rest", || fixture.is_complete(&Shop::website_codes()));
    let orders = fixture.number("shop.db", "SELECT count(*) FROM sales_order");
    assert_eq!(fixture.number("orderfeed.db", "SELECT done FROM walk"), orders);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivered_bodies_are_removed_after_their_retention_and_their_events_are_kept() {
    let mut fixture = Fixture::new(60, 0).await;
    let websites = all();
    fixture.configure(
        &borrowed(&websites),
        "[store]\npath = \"orderfeed.db\"\nbody_retention = \"0s\"",
    );
    fixture.start();
    eventually("the first sync", || fixture.is_complete(&Shop::website_codes()));
    let sent = fixture.edge.unique_ids();
    fixture.run(&["cron", "run", "cleanup_delivered_events"]);
    assert_eq!(
        fixture.number("orderfeed.db", "SELECT count(*) FROM outbox_body"),
        0
    );
    assert_eq!(
        fixture.number("orderfeed.db", "SELECT count(*) FROM outbox_batch"),
        0
    );
    assert_eq!(
        fixture.number("orderfeed.db", "SELECT count(*) FROM outbox_event"),
        sent.cast_signed() as i64
    );
    fixture.run(&["saas:resync", "--feed", "orders", "--cleanup-feed"]);
    assert_eq!(
        fixture.number("orderfeed.db", "SELECT count(*) FROM outbox_batch"),
        0,
        "nothing is sent twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_dated_in_the_future_are_reported_and_do_not_hold_up_the_completion() {
    let mut fixture = Fixture::new(60, 0).await;
    let websites = all();
    fixture.configure(&borrowed(&websites), "");
    let ahead = "UPDATE sales_order SET created_at = datetime('now', '+3 days')
                 WHERE entity_id IN (SELECT max(entity_id) FROM sales_order WHERE store_id IS NOT NULL)";
    let shop = rusqlite::Connection::open(fixture.dir.path().join("shop.db")).unwrap();
    assert_eq!(shop.execute(ahead, []).unwrap(), 1);
    fixture.start();
    let codes = Shop::website_codes();
    eventually("the first sync", || fixture.is_complete(&codes));
    let log = fixture.log();
    assert_eq!(log.matches("OF05-10").count(), 1, "{log}");
    let status: serde_json::Value = serde_json::from_str(&fixture.run(&["status", "--json"])).unwrap();
    let pending = |field: &str| -> Vec<&serde_json::Value> {
        let websites = status["websites"].as_array().unwrap();
        websites
            .iter()
            .map(|website| &website["pending"][field])
            .collect()
    };
    let waiting: u64 = pending("dated_ahead")
        .iter()
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert!(waiting > 0, "{status:#}");
    assert_eq!(
        pending("dated_ahead_until")
            .iter()
            .filter(|due| due.is_string())
            .count(),
        1
    );
    let syncs = fixture.syncs();
    let (events, sent) = syncs.iter().fold((0, 0), |sum, sync| {
        (sum.0 + sync.events, sum.1 + sync.sent_events)
    });
    assert_eq!((sent, events - sent), (fixture.edge.unique_ids() as u64, waiting));
}
