//! The events of an order arrive in order, whatever fails.

use orderfeed::config::Config;
use orderfeed::store::outbox::{BatchLimits, Class, EnqueueMode, EventState, NewEvent, OrderEvents};
use orderfeed_model::clock::{Clock, UtcMillis};
use serde_json::json;

use crate::delivery::fixture::{Fixture, event, id};

#[tokio::test]
async fn events_of_one_order_that_come_one_by_one_arrive_in_order() {
    let fixture = Fixture::new().await;
    let running = fixture.run();
    fixture.script(json!([{"status": 503, "times": 5}, {"close": "before_read", "times": 3}]));
    for kind in 1..=8 {
        fixture.enqueue("base", &[1, 2, 3], &[kind]).await;
    }
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    fixture.assert_promises();
    assert_eq!(fixture.emulator.unique_ids(), 24);
}

#[tokio::test]
async fn events_after_a_parked_one_are_delivered() {
    let fixture = Fixture::new().await;
    fixture.script(json!([{"code": "0305-400", "times": 0, "match": {"contains_id": id(1, 2)}}]));
    fixture.enqueue("base", &[1], &[1, 2, 3]).await;
    fixture.enqueue("base", &[1], &[4]).await;
    let running = fixture.run();
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    fixture.assert_promises();
    let states = [
        EventState::Delivered,
        EventState::Parked,
        EventState::Delivered,
        EventState::Delivered,
    ];
    assert_eq!(fixture.states(1).await, states);
}

#[tokio::test]
async fn history_that_hangs_leaves_a_lane_to_a_live_change() {
    let small = |config: &mut Config| {
        config.delivery.lanes = 4;
        config.delivery.max_batch_events = 1;
    };
    let fixture = Fixture::with(|_| {}, small).await;
    let history: Vec<_> = (0x100..0x110).collect();
    fixture.script(json!([{"hang_ms": 60_000, "times": 0, "match": {"contains_id": "-8000-000001"}}]));
    for order in &history {
        fixture.enqueue_as("base", &[*order], &[1], Class::History).await;
    }
    let running = fixture.run();
    fixture
        .eventually("history requests hang", async || fixture.requests().len() >= 3)
        .await;
    fixture.enqueue("base", &[7], &[1]).await;
    fixture.until(&[7], EventState::Delivered).await;
    assert_eq!(fixture.pending().await, history.len() as u64);
    fixture.abort.cancel();
    fixture.wait(running).await;
}

#[tokio::test]
async fn a_live_change_overtakes_history() {
    let fixture = Fixture::with(|edge| edge.latency_ms = 20, |config| config.delivery.lanes = 1).await;
    for order in 1..=20 {
        let orders: Vec<_> = (order * 100..order * 100 + 90).collect();
        fixture.enqueue_as("base", &orders, &[1], Class::History).await;
    }
    let running = fixture.run();
    fixture
        .eventually("history is sent", async || fixture.emulator.totals().requests > 3)
        .await;
    fixture.enqueue("base", &[7], &[1]).await;
    fixture.until(&[7], EventState::Delivered).await;
    let pending = fixture.pending().await;
    assert!(
        pending > 900,
        "{pending} events of history were left when the change had arrived"
    );
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    fixture.assert_promises();
}

#[tokio::test]
async fn an_event_with_a_future_timestamp_is_sent_when_it_is_due() {
    let fixture = Fixture::new().await;
    let due = Clock::System.now().plus_millis(300);
    fixture
        .write(move |writer| {
            let new = |kind, not_before| NewEvent {
                kind,
                document: 1,
                generation: 0,
                not_before,
                person: None,
                body: Ok(event(1, kind)),
            };
            let order = OrderEvents {
                backfill: None,
                order: 1,
                website: writer.website_id("base")?,
                class: Class::Live,
                changed_at: Clock::System.now(),
                events: vec![new(1, UtcMillis(0)), new(2, due)],
            };
            let limits = BatchLimits {
                bytes: 60_000,
                events: 100,
            };
            writer
                .enqueue(&[order], EnqueueMode::Insert, limits, Clock::System.now())
                .map(drop)
        })
        .await;
    let running = fixture.run();
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    let rows = fixture.requests();
    assert_eq!(rows.len(), 2);
    assert!(
        rows[1].received_at >= due,
        "{:?} before {due:?}",
        rows[1].received_at
    );
}

#[tokio::test]
async fn the_rate_gate_spreads_the_requests_of_all_websites_together_over_time() {
    let fixture = Fixture::with(
        |_| {},
        |config| {
            config.delivery.request_units_per_second = 40;
            let same = config.websites["base"].clone();
            config.websites.insert("second".to_owned(), same);
        },
    )
    .await;
    for (website, orders) in [("base", 1..=800), ("second", 801..=1600)] {
        fixture
            .enqueue_as(website, &orders.collect::<Vec<_>>(), &[1], Class::History)
            .await;
    }
    let running = fixture.run();
    let begun = tokio::time::Instant::now();
    fixture.until_nothing_is_pending().await;
    let took = begun.elapsed().as_secs_f64();
    fixture.stop(running).await;
    let units: u64 = fixture.requests().iter().map(|row| row.ru).sum();
    assert!(
        took >= (units as f64 - 10.0) / 40.0 * 0.95,
        "{units} units in {took} s"
    );
}
