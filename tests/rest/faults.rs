//! Each fault of the API by itself: during a first sync, and while changes are captured.

use std::time::Duration;

use orderfeed_mock_commerce::{Effect, Fault, MockConfig, RandomFaults};

use super::fixture::RestFixture;
use crate::support::daemon::eventually;

/// Faults of one answer.
fn transient() -> Vec<Effect> {
    vec![
        Effect::Delay(Duration::from_millis(300)),
        Effect::Stall(Duration::from_millis(300)),
        Effect::CutJson,
        Effect::CutConnection,
        Effect::BadGzip,
        Effect::Html(200),
        Effect::Html(502),
        Effect::Html(503),
        Effect::TooMany { retry_after: None },
        Effect::TooMany { retry_after: Some(1) },
        Effect::Masked(400),
        Effect::Masked(500),
        Effect::Fatal,
        Effect::NonceUsed,
        Effect::NonceFailed,
        Effect::EmptyList,
        Effect::DoubledRows,
        Effect::Unsorted,
        Effect::ShortPage,
        Effect::WrongCount(3),
        Effect::WrongCount(-1),
        Effect::Redirect,
        Effect::Html(403),
        Effect::BadSignature,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_while_changes_are_captured_loses_and_doubles_nothing() {
    let mut rest = RestFixture::start(40, MockConfig::default()).await;
    let daemon = rest.installation().start();
    rest.wait_until_served();
    let lists = ["/V1/orders", "/V1/invoices", "/V1/shipments", "/V1/returns"];
    for (effect, list) in transient().into_iter().zip(lists.into_iter().cycle()) {
        rest.mock.script([Fault::once(effect.clone()).on(list)]);
        for _ in 0..4 {
            rest.shop.act();
        }
        eventually(&format!("{list} meets {effect:?}"), || {
            rest.mock.pending_faults().is_empty()
        });
        rest.wait_until_served();
    }
    assert_eq!(rest.edge.totals().duplicates, 0);
    rest.assert_whole(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_sync_through_one_fault_in_six_requests_is_complete() {
    let config = MockConfig {
        random_faults: Some(RandomFaults { rate: 0.17, seed: 1 }),
        ..MockConfig::default()
    };
    let rest = RestFixture::start(400, config).await;
    let daemon = rest.installation().start();
    rest.wait_until_served();
    let met = rest.faults_met();
    assert!(met >= 5, "only {met} faults");
    assert_eq!(rest.edge.totals().duplicates, 0);
    rest.assert_whole(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maintenance_is_survived_and_named() {
    let mut rest = RestFixture::start(30, MockConfig::default()).await;
    let daemon = rest.installation().start();
    rest.wait_until_served();
    rest.mock.configure(|config| config.maintenance = true);
    for _ in 0..20 {
        rest.shop.act();
    }
    eventually("the outage is logged", || {
        rest.installation().log().contains("maintenance")
    });
    rest.mock.configure(|config| config.maintenance = false);
    rest.wait_until_served();
    rest.assert_whole(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_changes_between_its_two_reads_is_read_again() {
    let rest = RestFixture::start(30, MockConfig::default()).await;
    // The order was read, and its documents not yet.
    let ship = "INSERT INTO sales_shipment (order_id, store_id, increment_id, total_qty) \
                SELECT entity_id, store_id, 'between', '1.0000' FROM sales_order WHERE store_id IS NOT NULL ORDER BY entity_id LIMIT 1; \
                UPDATE sales_order SET customer_note = 'moved', updated_at = CURRENT_TIMESTAMP WHERE entity_id IN \
                (SELECT order_id FROM sales_shipment WHERE increment_id = 'between')";
    let fault = Fault::once(Effect::Then(vec![ship.to_owned()])).on("/V1/orders");
    // The first two are the probe of the doctor's checks and the highest id; the third is a page.
    rest.mock.script([fault]);
    let daemon = rest.installation().start();
    rest.wait_until_served();
    assert!(rest.mock.pending_faults().is_empty());
    rest.assert_whole(daemon);
}
