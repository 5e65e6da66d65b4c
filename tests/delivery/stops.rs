//! Stop, abort and kill: nothing is lost, and nothing is sent with other bytes.

use std::time::Duration;

use orderfeed::config::HumanDuration;
use orderfeed::store::Store;
use orderfeed::store::outbox::{EventState, SenderState};
use orderfeed_emulator::Emulator;
use serde_json::json;

use crate::delivery::rig::{Rig, id};

#[tokio::test]
async fn a_stop_lets_requests_in_flight_finish_and_starts_no_others() {
    let rig = Rig::with(|_| {}, |config| config.delivery.lanes = 1).await;
    rig.line.close();
    rig.enqueue("base", &[1], &[1]).await;
    let running = rig.run();
    rig.eventually("the request is under way", async || !rig.requests().is_empty())
        .await;
    rig.enqueue("base", &[2], &[1]).await;
    rig.request_stop();
    rig.line.open();
    let drained = rig.wait(running).await;
    assert_eq!(
        (
            drained.finished_requests,
            drained.abandoned_requests,
            drained.pending_events
        ),
        (1, 0, 1)
    );
    assert_eq!(
        (rig.states(1).await, rig.states(2).await),
        (vec![EventState::Delivered], vec![EventState::Pending])
    );
}

#[tokio::test]
async fn a_stop_gives_up_after_its_budget_and_an_abort_at_once() {
    let rig = Rig::with(
        |_| {},
        |config| config.delivery.stop_budget = HumanDuration::from_millis(50),
    )
    .await;
    rig.script(json!([{"hang_ms": 60_000}]));
    rig.enqueue("base", &[1], &[1]).await;
    let running = rig.run();
    rig.eventually("the request is under way", async || !rig.requests().is_empty())
        .await;
    let drained = rig.stop(running).await;
    assert_eq!((drained.abandoned_requests, drained.pending_events), (1, 1));

    let rig = Rig::new().await;
    rig.script(json!([{"hang_ms": 60_000}]));
    rig.enqueue("base", &[1], &[1]).await;
    let running = rig.run();
    rig.eventually("the request is under way", async || !rig.requests().is_empty())
        .await;
    rig.request_stop();
    rig.abort.cancel();
    assert_eq!(rig.wait(running).await.abandoned_requests, 1);
}

#[tokio::test]
async fn a_pause_that_is_asked_for_during_a_stop_binds_the_next_start() {
    let rig = Rig::with(
        |_| {},
        |config| config.delivery.stop_budget = HumanDuration::from_millis(1_000),
    )
    .await;
    rig.line.close();
    rig.script(json!([{"hang_ms": 60_000}, {"status": 429, "retry_after": "60"}]));
    let running = rig.run();
    for order in [1, 2] {
        rig.enqueue("base", &[order], &[1]).await;
        let under_way = usize::try_from(order).unwrap();
        rig.eventually("it is under way", async || rig.requests().len() == under_way)
            .await;
    }
    rig.request_stop();
    rig.line.open();
    assert_eq!(rig.wait(running).await.abandoned_requests, 1);
    let asked = rig
        .write(|writer| {
            let website = writer.website_id("base")?;
            writer.reader().edge_pause(website)
        })
        .await;
    assert!(asked.is_some());
    assert_eq!(
        rig.sender("base").await.map(|row| row.state),
        Some(SenderState::BackingOff)
    );
}

#[test]
fn a_kill_between_recording_and_ack_repeats_the_same_bytes() {
    let outer = tokio::runtime::Runtime::new().unwrap();
    let rig = outer.block_on(Rig::new());
    let path = rig.store_path();
    outer.block_on(async {
        rig.script(json!([{"status": 202, "record": true, "hang_ms": 60_000}]));
        rig.enqueue("base", &[1, 2, 3], &[1]).await;
    });
    // Dropping the runtime stands in for a kill: every task ends without cleanup.
    let doomed = tokio::runtime::Runtime::new().unwrap();
    doomed.block_on(async {
        let _running = rig.run();
        rig.eventually("recorded", async || rig.emulator.unique_ids() == 3)
            .await;
    });
    doomed.shutdown_timeout(Duration::from_secs(5));
    outer.block_on(async {
        drop(Store::open(&path).unwrap());
        let running = rig.run();
        rig.until_nothing_is_pending().await;
        rig.stop(running).await;
        rig.assert_promises();
        assert_eq!(
            (rig.emulator.unique_ids(), rig.emulator.times_recorded(&id(2, 1))),
            (3, 2)
        );
    });
}

#[tokio::test]
async fn an_edge_that_is_down_is_waited_for() {
    let rig = Rig::new().await;
    let gone = Emulator::start(orderfeed_emulator::EmulatorConfig::default())
        .await
        .unwrap();
    let url = gone.server_url();
    gone.shutdown().await;
    let right = rig.config.borrow().edge.url.clone();
    rig.change_config(|config| config.edge.url = url.parse().unwrap());
    rig.enqueue_apart("base", &(1..=40).collect::<Vec<_>>(), &[1])
        .await;
    let running = rig.run();
    rig.eventually("it was tried", async || rig.stats.snapshot().no_answer >= 3)
        .await;
    assert_eq!(rig.pending().await, 40);
    rig.change_config(|config| config.edge.url = right);
    rig.until_nothing_is_pending().await;
    rig.stop(running).await;
    rig.assert_promises();
}

#[tokio::test]
async fn a_website_that_was_switched_off_still_sends_what_it_holds() {
    let rig = Rig::new().await;
    rig.enqueue("base", &[1], &[1]).await;
    rig.change_config(|config| {
        if let Some(website) = config.websites.get_mut("base") {
            website.back_office_events = false;
        }
    });
    let running = rig.run();
    rig.until(&[1], EventState::Delivered).await;
    rig.stop(running).await;
}

#[tokio::test]
async fn a_website_that_is_added_while_running_gets_its_sender() {
    let rig = Rig::new().await;
    let running = rig.run();
    rig.enqueue("second", &[1], &[1]).await;
    rig.enqueue("base", &[2], &[1]).await;
    rig.until(&[2], EventState::Delivered).await;
    assert_eq!(rig.states(1).await, [EventState::Pending]);
    rig.change_config(|config| {
        let same = config.websites["base"].clone();
        config.websites.insert("second".to_owned(), same);
    });
    rig.until(&[1], EventState::Delivered).await;
    rig.stop(running).await;
}
