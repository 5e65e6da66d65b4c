//! The events of an order arrive in order, whatever happens on the way.

use orderfeed::store::outbox::{Class, EventState};
use serde_json::json;

use crate::delivery::rig::{Rig, id};

#[tokio::test]
async fn events_of_one_order_that_come_one_by_one_arrive_in_order() {
    let rig = Rig::new().await;
    let running = rig.run();
    rig.script(json!([{"status": 503, "times": 5}, {"close": "before_read", "times": 3}]));
    for kind in 1..=8 {
        rig.enqueue("base", &[1, 2, 3], &[kind]).await;
    }
    rig.until_nothing_is_pending().await;
    rig.stop(running).await;
    rig.assert_promises();
    assert_eq!(rig.emulator.unique_ids(), 24);
}

#[tokio::test]
async fn what_follows_a_parked_event_goes_on() {
    let rig = Rig::new().await;
    rig.script(json!([{"code": "0305-400", "times": 0, "match": {"contains_id": id(1, 2)}}]));
    rig.enqueue("base", &[1], &[1, 2, 3]).await;
    rig.enqueue("base", &[1], &[4]).await;
    let running = rig.run();
    rig.until_nothing_is_pending().await;
    rig.stop(running).await;
    rig.assert_promises();
    let states = [
        EventState::Delivered,
        EventState::Parked,
        EventState::Delivered,
        EventState::Delivered,
    ];
    assert_eq!(rig.states(1).await, states);
}

#[tokio::test]
async fn a_live_change_overtakes_history() {
    let rig = Rig::with(|edge| edge.latency_ms = 20, |config| config.delivery.lanes = 1).await;
    for order in 1..=20 {
        let orders: Vec<_> = (order * 100..order * 100 + 90).collect();
        rig.enqueue_as("base", &orders, &[1], Class::History).await;
    }
    let running = rig.run();
    rig.eventually("history flows", async || rig.emulator.totals().requests > 3)
        .await;
    rig.enqueue("base", &[7], &[1]).await;
    rig.until(&[7], EventState::Delivered).await;
    let pending = rig.pending().await;
    assert!(
        pending > 900,
        "{pending} events of history were left when the change had arrived"
    );
    rig.until_nothing_is_pending().await;
    rig.stop(running).await;
    rig.assert_promises();
}
