//! The first sync: it starts by itself, sends the newest orders first, reports its progress correctly, survives kill
//! -9, does not delay other events, and bounds the outbox.

mod interrupted;
mod rig;

use std::collections::HashSet;

use orderfeed::store::first_sync::SyncState;
use orderfeed::store::views::IndexerStatus;
use orderfeed_demo_shop::shop::Shop;

use rig::{Rig, UNKNOWN, datastream, eventually};

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
async fn one_backfill_serves_all_websites_newest_first_and_its_progress_is_true() {
    let mut rig = Rig::new(600, 20).await;
    let websites = all();
    rig.configure(&borrowed(&websites), "");
    rig.start();
    let codes = Shop::website_codes();
    let mut last = (0, 0);
    eventually("the first sync", || {
        let syncs = rig.syncs();
        let sum =
            |pick: fn(&orderfeed::first_sync::report::SyncReport) -> u64| syncs.iter().map(pick).sum::<u64>();
        let (done, sent) = (sum(|s| s.done_orders), sum(|s| s.sent_events));
        assert!(done >= last.0 && sent >= last.1, "progress never goes back");
        assert!(
            sent <= rig.edge.unique_ids() as u64,
            "what counts as sent is at the edge"
        );
        assert!(
            syncs
                .iter()
                .all(|s| s.done_orders <= s.total_orders && s.sent_events <= s.events)
        );
        last = (done, sent);
        rig.is_complete(&codes)
    });
    assert_eq!(rig.number("orderfeed.db", "SELECT count(*) FROM walk"), 1);
    // An order of a deleted store view belongs to no website.
    let orders = rig.number("shop.db", IN_WEBSITES);
    assert_eq!(
        last.0,
        orders.unsigned_abs(),
        "every order is counted once, for its website"
    );
    assert_eq!(last.1, rig.edge.unique_ids() as u64);
    assert!(
        rig.syncs()
            .iter()
            .all(|sync| !sync.missed && sync.completed_at.is_some())
    );
    // Newest first: the orders of the first tenth are newer than those of the last. Compared by entity id, because
    // order numbers start with the number of their store view.
    let ids = rig.entity_ids();
    let numbers: Vec<u64> = rig
        .edge
        .events()
        .iter()
        .filter_map(|event| ids.get(event.purchase_id.as_ref()?).copied())
        .collect();
    let tenth = numbers.len() / 10;
    let mean = |part: &[u64]| part.iter().sum::<u64>() / part.len() as u64;
    assert!(mean(&numbers[..tenth]) > mean(&numbers[numbers.len() - tenth..]));
    let status = rig.run(&["status"]);
    assert!(
        status.contains("First sync base") && status.contains("within the window"),
        "{status}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_in_the_middle_goes_on_where_it_was() {
    let mut rig = Rig::new(1_500, 0).await;
    let websites = all();
    rig.configure(&borrowed(&websites), "");
    rig.start();
    let done = |rig: &Rig| rig.syncs().iter().map(|sync| sync.done_orders).sum::<u64>();
    eventually("half of it", || done(&rig) >= 500);
    rig.kill();
    let before = done(&rig);
    let reindexing = rig.syncs().iter().any(|sync| sync.state <= SyncState::Reindexing);
    assert!(reindexing, "killed too late to tell");
    rig.start();
    eventually("the rest", || {
        assert!(done(&rig) >= before, "it does not start over");
        rig.is_complete(&Shop::website_codes())
    });
    let orders = rig.number("shop.db", "SELECT count(*) FROM sales_order");
    assert_eq!(rig.number("orderfeed.db", "SELECT count(*) FROM walk"), 1);
    assert_eq!(rig.number("orderfeed.db", "SELECT done FROM walk"), orders);
    assert_eq!(done(&rig), rig.number("shop.db", IN_WEBSITES).unsigned_abs());
    assert!(rig.edge.bytes_changed().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_website_that_is_enabled_later_syncs_its_own_history_beside_a_valid_index() {
    let mut rig = Rig::new(400, 0).await;
    let (base, eu) = (datastream("base"), datastream("eu"));
    rig.configure(&[("base", &base)], "");
    rig.start();
    eventually("the first website", || rig.is_complete(&["base"]));
    eventually("a valid index", || {
        rig.look(|reader| reader.indexer_state())
            .flatten()
            .is_some_and(|state| state.status == IndexerStatus::Valid)
    });
    let before = rig.edge.events().len();
    let changed = rig.number("orderfeed.db", "SELECT updated FROM indexer_state");
    rig.configure(&[("base", &base), ("eu", &eu)], "");
    rig.reload();
    eventually("the second website", || rig.is_complete(&["eu"]));
    let events = rig.edge.events();
    assert!(
        events[before..].iter().all(|event| event.datastream == eu),
        "nobody else's"
    );
    let total = rig.sync("eu").unwrap();
    assert_eq!(total.done_orders, total.total_orders);
    assert_eq!((events.len() - before) as u64, total.events);
    assert!(total.events > 0);
    assert_eq!(
        rig.number(
            "orderfeed.db",
            "SELECT count(*) FROM walk WHERE kind = 'first_sync'"
        ),
        1
    );
    let now = rig.number("orderfeed.db", "SELECT updated FROM indexer_state");
    assert_eq!(now, changed, "the index was not touched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_while_a_website_was_off_is_found_when_it_is_on_again() {
    let mut rig = Rig::new(60, 0).await;
    let (base, eu) = (datastream("base"), datastream("eu"));
    let quick = "[index]\nmode = \"realtime\"\n[cron]\nindexer_reindex_all_invalid = \"* * * * * *\"";
    rig.configure(&[("base", &base), ("eu", &eu)], quick);
    rig.start();
    eventually("the first syncs", || rig.is_complete(&["base", "eu"]));
    rig.configure(&[("base", &base)], quick);
    rig.reload();
    eventually("the reload", || {
        rig.log().contains("The configuration was read again")
    });
    for _ in 0..20 {
        rig.place();
    }
    let orders = rig.number("shop.db", "SELECT count(*) FROM sales_order");
    eventually("the index", || {
        let feed = "SELECT count(*) FROM sales_data_exporter_orders_v2";
        rig.number("orderfeed.db", feed) == orders
    });
    let in_eu = rig.number(
        "shop.db",
        "SELECT count(*) FROM sales_order JOIN store USING (store_id) JOIN store_website USING (website_id)
         WHERE store_website.code = 'eu'",
    );
    let placed = |rig: &Rig| {
        let events = rig.edge.events().into_iter();
        let kind = "commerce.backofficeOrderPlaced";
        events
            .filter(|event| event.datastream == eu && event.event_type.as_deref() == Some(kind))
            .count() as i64
    };
    assert!(placed(&rig) < in_eu, "some were placed while it was off");
    rig.configure(&[("base", &base), ("eu", &eu)], quick);
    rig.reload();
    eventually("what was missed", || placed(&rig) == in_eu);
    assert_eq!(rig.edge.totals().duplicates, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_website_from_now_on_sends_no_history_and_every_live_change() {
    let mut rig = Rig::new(150, 0).await;
    let websites = all();
    rig.configure(&borrowed(&websites), "[first_sync]\nhistory = \"none\"");
    rig.start();
    eventually("an index without history", || {
        let valid = rig.look(|reader| reader.indexer_state()).flatten();
        valid.is_some_and(|state| state.status == IndexerStatus::Valid)
            && rig.is_complete(&Shop::website_codes())
    });
    assert_eq!(rig.edge.unique_ids(), 0);
    rig.place();
    eventually("the live order", || rig.edge.unique_ids() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halted_website_does_not_hold_up_the_others_and_the_log_says_what_holds_it_up() {
    let mut rig = Rig::new(300, 0).await;
    let mut websites = all();
    websites[0].1 = UNKNOWN.to_owned();
    // The log reports an estimate only after a fifth of the window.
    rig.configure(&borrowed(&websites), "[first_sync]\nwindow = \"20s\"");
    rig.start();
    let others: Vec<&str> = websites[1..].iter().map(|(code, _)| *code).collect();
    eventually("the others", || rig.is_complete(&others));
    let halted = rig.sync(websites[0].0).unwrap();
    assert_eq!(halted.sent_events, 0);
    assert_ne!(halted.state, SyncState::Complete);
    eventually("the warning", || {
        let log = rig.log();
        let mut lines = log.lines();
        lines.any(|line| line.contains("will miss its window") && line.contains("limited_by=edge"))
    });
    eventually("being overdue", || {
        rig.log().contains("The first sync missed its window")
    });
    assert_eq!(rig.log().matches("will miss its window").count(), 1);
    let status = rig.run(&["status"]);
    assert!(status.contains("WINDOW MISSED"), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_order_overtakes_the_history() {
    let mut rig = Rig::new(800, 400).await;
    let websites = all();
    rig.configure(
        &borrowed(&websites),
        "[delivery]\nlanes = 1\nmax_batch_events = 10",
    );
    rig.start();
    eventually("a queue", || {
        rig.syncs()
            .iter()
            .any(|sync| sync.events > sync.sent_events + 100)
    });
    let known: HashSet<String> = rig.edge.ids();
    let (order, _) = rig.place();
    let sql = format!("SELECT CAST(increment_id AS INTEGER) FROM sales_order WHERE entity_id = {order}");
    let number = rig.number("shop.db", &sql);
    let arrived = |rig: &Rig| {
        let of_order =
            |id: &Option<String>| id.as_ref().and_then(|id| id.parse::<i64>().ok()) == Some(number);
        rig.edge
            .events()
            .iter()
            .any(|event| of_order(&event.purchase_id) && !known.contains(&event.id))
    };
    eventually("the live order", || arrived(&rig));
    assert!(
        rig.syncs().iter().any(|sync| sync.state != SyncState::Complete),
        "history still waits"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intake_pauses_while_the_disk_is_nearly_full_and_goes_on_by_itself() {
    let mut rig = Rig::new(100, 0).await;
    let websites = all();
    let reserve = |size: &str| format!("[store]\npath = \"orderfeed.db\"\ndisk_reserve = \"{size}\"");
    rig.configure(&borrowed(&websites), &reserve("1000000GiB"));
    rig.start();
    eventually("the warning", || rig.log().contains("The disk is nearly full"));
    // The log line precedes the commit, so poll the status.
    eventually("the status says so", || {
        rig.run(&["status"]).contains("PAUSED: the disk is nearly full")
    });
    rig.place();
    assert_eq!(rig.syncs().iter().map(|sync| sync.done_orders).sum::<u64>(), 0);
    rig.configure(&borrowed(&websites), &reserve("1MiB"));
    rig.reload();
    eventually("the rest", || rig.is_complete(&Shop::website_codes()));
    assert!(rig.log().contains("Everything flows in again"));
    let orders = rig.number("shop.db", "SELECT count(*) FROM sales_order");
    eventually("every order", || {
        rig.number(
            "orderfeed.db",
            "SELECT count(*) FROM sales_data_exporter_orders_v2",
        ) == orders
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_outbox_holds_history_back_and_loses_nothing() {
    let mut rig = Rig::new(800, 0).await;
    let websites = all();
    // One page exceeds twice the bound, and does not contain all orders.
    let bound = "[delivery]\nmax_pending_events = 1000\n[index]\nmode = \"realtime\"\nbatch_size = 700";
    let unknown: Vec<(&str, &str)> = websites.iter().map(|(code, _)| (*code, UNKNOWN)).collect();
    rig.configure(&unknown, bound);
    rig.start();
    eventually("the pause", || rig.log().contains("The outbox holds twice"));
    let pending = rig.look(|reader| reader.pending_events()).unwrap();
    assert!((2_000..4_000).contains(&pending), "{pending}");
    rig.configure(&borrowed(&websites), bound);
    rig.reload();
    eventually("the rest", || rig.is_complete(&Shop::website_codes()));
    let orders = rig.number("shop.db", "SELECT count(*) FROM sales_order");
    assert_eq!(rig.number("orderfeed.db", "SELECT done FROM walk"), orders);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivered_bodies_go_after_their_retention_and_their_events_stay_known() {
    let mut rig = Rig::new(60, 0).await;
    let websites = all();
    rig.configure(
        &borrowed(&websites),
        "[store]\npath = \"orderfeed.db\"\nbody_retention = \"0s\"",
    );
    rig.start();
    eventually("the first sync", || rig.is_complete(&Shop::website_codes()));
    let sent = rig.edge.unique_ids();
    rig.run(&["cron", "run", "cleanup_delivered_events"]);
    assert_eq!(rig.number("orderfeed.db", "SELECT count(*) FROM outbox_body"), 0);
    assert_eq!(rig.number("orderfeed.db", "SELECT count(*) FROM outbox_batch"), 0);
    assert_eq!(
        rig.number("orderfeed.db", "SELECT count(*) FROM outbox_event"),
        sent.cast_signed() as i64
    );
    rig.run(&["saas:resync", "--feed", "orders", "--cleanup-feed"]);
    assert_eq!(
        rig.number("orderfeed.db", "SELECT count(*) FROM outbox_batch"),
        0,
        "nothing is sent twice"
    );
}
