//! Stop, abort and kill: nothing is lost, and nothing is sent with other bytes.

use std::time::Duration;

use orderfeed::config::HumanDuration;
use orderfeed::store::outbox::{EventState, PauseScope, SenderState};
use orderfeed_emulator::Emulator;
use serde_json::json;

use crate::delivery::fixture::{Fixture, id};

#[tokio::test]
async fn a_stop_lets_requests_in_flight_finish_and_starts_no_others() {
    let fixture = Fixture::with(|_| {}, |config| config.delivery.lanes = 1).await;
    fixture.line.close();
    fixture.enqueue("base", &[1], &[1]).await;
    let running = fixture.run();
    fixture
        .eventually("the request is in flight", async || {
            !fixture.requests().is_empty()
        })
        .await;
    fixture.enqueue("base", &[2], &[1]).await;
    fixture.request_stop();
    fixture.line.open();
    let drained = fixture.wait(running).await;
    assert_eq!(
        (
            drained.finished_requests,
            drained.abandoned_requests,
            drained.pending_events
        ),
        (1, 0, 1)
    );
    assert_eq!(
        (fixture.states(1).await, fixture.states(2).await),
        (vec![EventState::Delivered], vec![EventState::Pending])
    );
}

#[tokio::test]
async fn a_stop_gives_up_after_its_budget_and_an_abort_at_once() {
    let fixture = Fixture::with(
        |_| {},
        |config| config.delivery.stop_budget = HumanDuration::from_millis(50),
    )
    .await;
    fixture.script(json!([{"hang_ms": 60_000}]));
    fixture.enqueue("base", &[1], &[1]).await;
    let running = fixture.run();
    fixture
        .eventually("the request is in flight", async || {
            !fixture.requests().is_empty()
        })
        .await;
    let drained = fixture.stop(running).await;
    assert_eq!((drained.abandoned_requests, drained.pending_events), (1, 1));

    let fixture = Fixture::new().await;
    fixture.script(json!([{"hang_ms": 60_000}]));
    fixture.enqueue("base", &[1], &[1]).await;
    let running = fixture.run();
    fixture
        .eventually("the request is in flight", async || {
            !fixture.requests().is_empty()
        })
        .await;
    fixture.request_stop();
    fixture.abort.cancel();
    assert_eq!(fixture.wait(running).await.abandoned_requests, 1);
}

#[tokio::test]
async fn a_pause_requested_during_a_stop_applies_after_the_next_start() {
    let fixture = Fixture::with(
        |_| {},
        |config| config.delivery.stop_budget = HumanDuration::from_millis(1_000),
    )
    .await;
    fixture.line.close();
    fixture.script(json!([{"hang_ms": 60_000}, {"status": 429, "retry_after": "60"}]));
    let running = fixture.run();
    for order in [1, 2] {
        fixture.enqueue("base", &[order], &[1]).await;
        let under_way = usize::try_from(order).unwrap();
        fixture
            .eventually("it is in flight", async || fixture.requests().len() == under_way)
            .await;
    }
    fixture.request_stop();
    fixture.line.open();
    assert_eq!(fixture.wait(running).await.abandoned_requests, 1);
    let asked = fixture.store.read(|reader| reader.pauses()).await.unwrap();
    assert_eq!(
        asked.iter().map(|pause| pause.key.scope).collect::<Vec<_>>(),
        [PauseScope::Organization]
    );
    assert_eq!(
        fixture.sender("base").await.map(|row| row.state),
        Some(SenderState::BackingOff)
    );
}

#[test]
fn a_kill_between_recording_and_ack_repeats_the_same_bytes() {
    let outer = tokio::runtime::Runtime::new().unwrap();
    let fixture = outer.block_on(Fixture::new());
    outer.block_on(async {
        fixture.script(json!([{"status": 202, "record": true, "hang_ms": 60_000}]));
        fixture.enqueue("base", &[1, 2, 3], &[1]).await;
    });
    // Dropping the runtime stands in for a kill: every task ends without cleanup.
    let doomed = tokio::runtime::Runtime::new().unwrap();
    doomed.block_on(async {
        let _running = fixture.run();
        fixture
            .eventually("recorded", async || fixture.emulator.unique_ids() == 3)
            .await;
    });
    doomed.shutdown_timeout(Duration::from_secs(5));
    outer.block_on(async {
        let running = fixture.run();
        fixture.until_nothing_is_pending().await;
        fixture.stop(running).await;
        fixture.assert_promises();
        assert_eq!(
            (
                fixture.emulator.unique_ids(),
                fixture.emulator.times_recorded(&id(2, 1))
            ),
            (3, 2)
        );
    });
}

#[tokio::test]
async fn delivery_waits_for_an_edge_that_is_down() {
    let fixture = Fixture::new().await;
    let gone = Emulator::start(orderfeed_emulator::EmulatorConfig::default())
        .await
        .unwrap();
    let url = gone.server_url();
    gone.shutdown().await;
    let right = fixture.config.borrow().edge.url.clone();
    fixture.change_config(|config| config.edge.url = url.parse().unwrap());
    fixture
        .enqueue_apart("base", &(1..=40).collect::<Vec<_>>(), &[1])
        .await;
    let running = fixture.run();
    fixture
        .eventually("it was tried", async || fixture.stats.snapshot().no_answer >= 3)
        .await;
    assert_eq!(fixture.pending().await, 40);
    fixture.change_config(|config| config.edge.url = right);
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    fixture.assert_promises();
}

#[tokio::test]
async fn a_website_that_was_switched_off_still_sends_what_it_holds() {
    let fixture = Fixture::new().await;
    fixture.enqueue("base", &[1], &[1]).await;
    fixture.change_config(|config| {
        if let Some(website) = config.websites.get_mut("base") {
            website.back_office_events = false;
        }
    });
    let running = fixture.run();
    fixture.until(&[1], EventState::Delivered).await;
    fixture.stop(running).await;
}

#[tokio::test]
async fn a_website_that_is_added_while_running_gets_its_sender() {
    let fixture = Fixture::new().await;
    let running = fixture.run();
    fixture.enqueue("second", &[1], &[1]).await;
    fixture.enqueue("base", &[2], &[1]).await;
    fixture.until(&[2], EventState::Delivered).await;
    assert_eq!(fixture.states(1).await, [EventState::Pending]);
    fixture.change_config(|config| {
        let same = config.websites["base"].clone();
        config.websites.insert("second".to_owned(), same);
    });
    fixture.until(&[1], EventState::Delivered).await;
    fixture.stop(running).await;
}
