//! The queries of the ledger, with real requests.

use orderfeed_emulator::LedgerDetail;
use serde_json::json;

use crate::emulator::fixture::{Fixture, batch, event, ids};

#[tokio::test]
async fn resends_are_counted_and_compared_byte_by_byte() {
    for detail in [LedgerDetail::Full, LedgerDetail::Compact] {
        let fixture = Fixture::with(|config| {
            config.ledger = detail;
            config.keep_bodies = true;
        })
        .await;
        fixture.collect(ids(&["a", "b"])).await;
        fixture.collect(ids(&["a"])).await;
        let mut changed = event("b");
        changed["xdm"]["commerce"]["order"]["purchaseID"] = json!("43");
        fixture.collect(batch(&[changed])).await;
        assert_eq!(fixture.emulator.unique_ids(), 2);
        assert_eq!(fixture.emulator.totals().duplicates, 2);
        assert_eq!(fixture.emulator.bytes_changed(), ["b"]);
        assert_eq!(fixture.emulator.body("a").unwrap(), event("a").to_string());
        assert_eq!(
            fixture.emulator.requests().is_empty(),
            detail == LedgerDetail::Compact
        );
    }
}

#[tokio::test]
async fn an_order_whose_events_overtake_each_other_is_found_only_within_its_store_view() {
    let fixture = Fixture::start().await;
    let at = |id: &str, store: &str, time: &str| {
        let mut event = event(id);
        event["xdm"]["timestamp"] = json!(time);
        event["xdm"]["commerce"]["commerceScope"] = json!({ "storeViewCode": store });
        event
    };
    let (early, late) = ("2026-11-22T05:00:00Z", "2026-11-22T06:00:00Z");
    fixture
        .collect(batch(&[at("a", "de", late), at("b", "en", early)]))
        .await;
    assert!(fixture.emulator.order_violations().is_empty());
    fixture.collect(batch(&[at("c", "de", early)])).await;
    let found = fixture.emulator.order_violations();
    assert_eq!((found.len(), found[0].id.as_str(), found[0].seq), (1, "c", 3));
}

#[tokio::test]
async fn personal_data_is_found() {
    let fixture = Fixture::start().await;
    let mut loud = event("loud");
    loud["xdm"]["personalEmail"] = json!({ "address": "jo@example.com" });
    loud["xdm"]["billingAddress"] = json!({ "street1": "Main St" });
    fixture.collect(batch(&[event("quiet"), loud])).await;
    let found: Vec<_> = fixture
        .emulator
        .pii_findings()
        .into_iter()
        .map(|finding| (finding.id, finding.what))
        .collect();
    let loud = |what| ("loud".to_owned(), what);
    assert_eq!(found, [loud("street"), loud("personalEmail"), loud("email")]);
}

#[tokio::test]
async fn requests_before_the_end_of_a_pause_are_found() {
    let fixture = Fixture::start().await;
    fixture.script(json!([{ "status": 503, "code": "0000", "retry_after": "7" }]));
    fixture.collect(ids(&["a"])).await;
    fixture
        .emulator
        .set_clock(fixture.emulator.now().plus_millis(6_999));
    fixture.collect(ids(&["a"])).await;
    fixture.emulator.set_clock(fixture.emulator.now().plus_millis(1));
    fixture.collect(ids(&["a"])).await;
    let early = fixture.emulator.early_requests();
    assert_eq!(early.iter().map(|request| request.seq).collect::<Vec<_>>(), [2]);
    assert_eq!(
        (
            early[0].asked_by,
            early[0].not_before.millis_since(early[0].received_at)
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_ledger_of_counts_still_counts() {
    let fixture = Fixture::with(|config| config.ledger = LedgerDetail::Counts).await;
    fixture.collect(ids(&["a", "a"])).await;
    fixture.collect("{").await;
    let totals = fixture.emulator.totals();
    assert_eq!((totals.events, totals.requests), (2, 2));
    assert_eq!(
        totals.by_status.into_iter().collect::<Vec<_>>(),
        [(202, 1), (400, 1)]
    );
}
