//! A website disabled during its backfill: no order is skipped, and no report is wrong.

use orderfeed::store::first_sync::SyncState;
use orderfeed::store::views::IndexerStatus;
use orderfeed_demo_shop::shop::Shop;

use super::rig::{Rig, datastream, eventually};

/// Settings so slow that the backfill mostly waits for space in the outbox.
const SLOW: &str = "[delivery]\nlanes = 1\nmax_batch_events = 10\nmax_pending_events = 1000\n\
                    [cron]\nindexer_reindex_all_invalid = \"* * * * * *\"";

fn in_eu(rig: &Rig) -> i64 {
    rig.number(
        "shop.db",
        "SELECT count(*) FROM sales_order JOIN store USING (store_id) JOIN store_website USING (website_id)
         WHERE store_website.code = 'eu'",
    )
}

/// Returns the number of the website's orders whose first event has reached the edge.
fn placed(rig: &Rig) -> i64 {
    let (eu, kind) = (datastream("eu"), "commerce.backofficeOrderPlaced");
    let of_eu = |event: &orderfeed_emulator::EventRow| {
        event.datastream == eu && event.event_type.as_deref() == Some(kind)
    };
    rig.edge.events().iter().filter(|event| of_eu(event)).count() as i64
}

/// Disables the second website during its backfill, enables it again, and asserts that its history is complete in the
/// end.
fn switch_off_and_on(rig: &mut Rig, with: &[(&str, &str)], without: &[(&str, &str)]) {
    eventually("the middle of its walk", || {
        rig.sync("eu").is_some_and(|sync| sync.events > 20)
    });
    let eu = datastream("eu");
    let off = format!("{SLOW}\n[websites.eu]\ndatastream_id = \"{eu}\"\nback_office_events = false");
    rig.configure(without, &off);
    rig.reload();
    eventually("the interruption", || {
        rig.sync("eu").is_some_and(|sync| sync.interrupted_at.is_some())
    });
    eventually("an empty outbox", || {
        rig.look(|reader| reader.pending_events()) == Some(0)
    });
    let sync = rig.sync("eu").unwrap();
    assert!(
        sync.state < SyncState::Sending && sync.completed_at.is_none(),
        "{sync:?}"
    );
    assert_eq!((sync.sent_events, sync.missed), (sync.events, false));
    assert!(placed(rig) < in_eu(rig), "the rest waits");
    let status = rig.run(&["status"]);
    assert!(
        status.contains("the website is switched off; resumes"),
        "{status}"
    );
    rig.configure(with, SLOW);
    rig.reload();
    eventually("its end", || rig.is_complete(&["eu"]));
    assert_eq!(placed(rig), in_eu(rig));
    let sync = rig.sync("eu").unwrap();
    assert_eq!((sync.done_orders, sync.missed), (sync.total_orders, false));
    assert!(rig.log().contains("the first sync goes on, in a new window"));
    assert_eq!(rig.edge.totals().duplicates, 0, "and it did not start over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_website_that_is_off_in_the_middle_of_its_own_backfill_goes_on_where_it_was() {
    let mut rig = Rig::new(1500, 20).await;
    let (base, eu) = (datastream("base"), datastream("eu"));
    rig.configure(&[("base", &base)], "[first_sync]\nhistory = \"none\"");
    rig.start();
    eventually("the first website", || {
        let index = rig.look(|reader| reader.indexer_state()).flatten();
        rig.is_complete(&["base"]) && index.is_some_and(|state| state.status == IndexerStatus::Valid)
    });
    let (with, without) = ([("base", &*base), ("eu", &*eu)], [("base", &*base)]);
    rig.configure(&with, SLOW);
    rig.reload();
    switch_off_and_on(&mut rig, &with, &without);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_website_that_is_off_in_the_middle_of_the_first_backfill_of_all_is_completed_as_well() {
    let mut rig = Rig::new(1500, 20).await;
    let codes = Shop::website_codes();
    let all: Vec<(&str, String)> = codes.iter().map(|code| (*code, datastream(code))).collect();
    let with: Vec<(&str, &str)> = all.iter().map(|(code, id)| (*code, id.as_str())).collect();
    let without: Vec<(&str, &str)> = with.iter().filter(|(code, _)| *code != "eu").copied().collect();
    rig.configure(&with, SLOW);
    rig.start();
    switch_off_and_on(&mut rig, &with, &without);
    eventually("the others", || rig.is_complete(&codes));
}
