//! Delivery under many kinds of faults at once.

use orderfeed::config::HumanDuration;
use orderfeed_emulator::RandomFaults;
use serde_json::json;

use crate::delivery::fixture::{Fixture, id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_faults_loses_nothing_and_keeps_every_promise() {
    let fixture = Fixture::with(
        |edge| {
            edge.faults = Some(RandomFaults::new(0.15, 7));
            edge.ru_per_s = 0;
        },
        |config| config.delivery.timeout = HumanDuration::from_secs(1),
    )
    .await;
    let poison: Vec<_> = [17, 404, 1203].iter().map(|order| id(*order, 1)).collect();
    let steps: Vec<_> = poison
        .iter()
        .map(|id| json!({"code": "0305-400", "times": 0, "match": {"contains_id": id}}))
        .collect();
    fixture.script(json!(steps));
    fixture.script(
        json!([{"hang_ms": 5_000, "record": true, "times": 2, "match": {"contains_id": id(801, 1)}}]),
    );
    let running = fixture.run();
    for chunk in 0..40 {
        let orders: Vec<_> = (chunk * 40 + 1..=chunk * 40 + 40).collect();
        fixture.enqueue("base", &orders, &[1, 2]).await;
        if chunk % 3 == 0 {
            fixture.enqueue("base", &orders[..5], &[3]).await;
        }
        if chunk == 20 {
            fixture.emulator.expire_tokens();
        }
    }
    fixture.until_nothing_is_pending().await;
    fixture.stop(running).await;
    fixture.assert_promises();
    let mut parked: Vec<_> = fixture
        .parked()
        .await
        .iter()
        .map(|letter| id(letter.key.order, letter.key.kind))
        .collect();
    parked.sort();
    assert_eq!(parked, poison);
    assert_eq!(fixture.emulator.unique_ids() + parked.len(), 40 * 80 + 14 * 5);
    fixture.line.assert_pauses_kept();
}
