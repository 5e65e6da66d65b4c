//! Delivery under many kinds of faults at once.

use orderfeed::config::HumanDuration;
use orderfeed_emulator::RandomFaults;
use serde_json::json;

use crate::delivery::rig::{Rig, id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_faults_loses_nothing_and_keeps_every_promise() {
    let rig = Rig::with(
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
    rig.script(json!(steps));
    rig.script(json!([{"hang_ms": 5_000, "record": true, "times": 2, "match": {"contains_id": id(801, 1)}}]));
    let running = rig.run();
    for chunk in 0..40 {
        let orders: Vec<_> = (chunk * 40 + 1..=chunk * 40 + 40).collect();
        rig.enqueue("base", &orders, &[1, 2]).await;
        if chunk % 3 == 0 {
            rig.enqueue("base", &orders[..5], &[3]).await;
        }
        if chunk == 20 {
            rig.emulator.expire_tokens();
        }
    }
    rig.until_nothing_is_pending().await;
    rig.stop(running).await;
    rig.assert_promises();
    let mut parked: Vec<_> = rig
        .parked()
        .await
        .iter()
        .map(|letter| id(letter.key.order, letter.key.kind))
        .collect();
    parked.sort();
    assert_eq!(parked, poison);
    assert_eq!(rig.emulator.unique_ids() + parked.len(), 40 * 80 + 14 * 5);
    rig.line.assert_pauses_kept();
}
