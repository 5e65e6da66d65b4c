//! A website disabled during its backfill: no order is skipped, and no report is wrong.

use orderfeed::store::first_sync::SyncState;
use orderfeed::store::views::IndexerStatus;
use orderfeed_demo_shop::shop::Shop;

use super::fixture::{Fixture, datastream, eventually};

/// Settings so slow that the backfill mostly waits for space in the outbox.
const SLOW: &str = "[delivery]\nlanes = 1\nmax_batch_events = 10\nmax_pending_events = 1000\n\
                    [cron]\nindexer_reindex_all_invalid = \"* * * * * *\"";

fn in_eu(fixture: &Fixture) -> i64 {
    fixture.number(
        "shop.db",
        "SELECT count(*) FROM sales_order JOIN store USING (store_id) JOIN store_website USING (website_id)
         WHERE store_website.code = 'eu'",
    )
}

/// Returns the number of the website's orders whose first event has reached the edge.
fn placed(fixture: &Fixture) -> i64 {
    let (eu, kind) = (datastream("eu"), "commerce.backofficeOrderPlaced");
    let of_eu = |event: &orderfeed_emulator::EventRow| {
        event.datastream == eu && event.event_type.as_deref() == Some(kind)
    };
    fixture.edge.events().iter().filter(|event| of_eu(event)).count() as i64
}

/// Disables the second website during its backfill, enables it again, and asserts that its history is complete in the
/// end.
fn switch_off_and_on(fixture: &mut Fixture, with: &[(&str, &str)], without: &[(&str, &str)]) {
    eventually("the middle of its backfill", || {
        fixture.sync("eu").is_some_and(|sync| sync.events > 20)
    });
    let eu = datastream("eu");
    let off = format!("{SLOW}\n[websites.eu]\ndatastream_id = \"{eu}\"\nback_office_events = false");
    fixture.configure(without, &off);
    fixture.reload();
    eventually("the interruption", || {
        fixture
            .sync("eu")
            .is_some_and(|sync| sync.interrupted_at.is_some())
    });
    eventually("an empty outbox", || {
        fixture.read_store(|reader| reader.pending_events()) == Some(0)
    });
    let sync = fixture.sync("eu").unwrap();
    assert!(
        sync.state < SyncState::Sending && sync.completed_at.is_none(),
        "{sync:?}"
    );
    assert_eq!((sync.sent_events, sync.missed), (sync.events, false));
    assert!(placed(fixture) < in_eu(fixture), "the rest waits");
    let status = fixture.run(&["status"]);
    assert!(
        status.contains("the website is switched off; resumes"),
        "{status}"
    );
    fixture.configure(with, SLOW);
    fixture.reload();
    eventually("its end", || fixture.is_complete(&["eu"]));
    assert_eq!(placed(fixture), in_eu(fixture));
    let sync = fixture.sync("eu").unwrap();
    assert_eq!((sync.done_orders, sync.missed), (sync.total_orders, false));
    assert!(fixture.log().contains("the first sync continues in a new window"));
    assert_eq!(fixture.edge.totals().duplicates, 0, "and it did not restart");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_website_disabled_during_its_own_backfill_continues_where_it_was() {
    let mut fixture = Fixture::new(1500, 20).await;
    let (base, eu) = (datastream("base"), datastream("eu"));
    fixture.configure(&[("base", &base)], "[first_sync]\nhistory = \"none\"");
    fixture.start();
    eventually("the first website", || {
        let index = fixture.read_store(|reader| reader.indexer_state()).flatten();
        fixture.is_complete(&["base"]) && index.is_some_and(|state| state.status == IndexerStatus::Valid)
    });
    let (with, without) = ([("base", &*base), ("eu", &*eu)], [("base", &*base)]);
    fixture.configure(&with, SLOW);
    fixture.reload();
    switch_off_and_on(&mut fixture, &with, &without);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_website_disabled_during_the_first_backfill_of_all_is_completed_as_well() {
    let mut fixture = Fixture::new(1500, 20).await;
    let codes = Shop::website_codes();
    let all: Vec<(&str, String)> = codes.iter().map(|code| (*code, datastream(code))).collect();
    let with: Vec<(&str, &str)> = all.iter().map(|(code, id)| (*code, id.as_str())).collect();
    let without: Vec<(&str, &str)> = with.iter().filter(|(code, _)| *code != "eu").copied().collect();
    fixture.configure(&with, SLOW);
    fixture.start();
    switch_off_and_on(&mut fixture, &with, &without);
    eventually("the others", || fixture.is_complete(&codes));
}
