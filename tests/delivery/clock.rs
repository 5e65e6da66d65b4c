//! The clock is set back while events wait. A stored time must not become a pause of days.

use orderfeed::store::outbox::EventState;
use orderfeed_model::clock::Clock;
use serde_json::json;

use crate::delivery::rig::{Rig, id};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn a_retry_waits_no_longer_than_an_hour_when_the_clock_was_set_back() {
    for restarted in [false, true] {
        let mut rig = Rig::new().await;
        let today = Clock::System.now();
        rig.clock = Clock::manual(today);
        // A first server error delays only its own batch, and the store holds the time of the retry.
        rig.script(json!([{"code": "0001-500", "match": {"contains_id": id(1, 1)}}]));
        let mut running = rig.run();
        rig.enqueue("base", &[1], &[1]).await;
        rig.eventually("the failure is on record", async || due_at(&rig).await.is_some())
            .await;
        let yesterday = today.plus_millis(-DAY_MS);
        if restarted {
            rig.stop(running).await;
            rig.revive();
            rig.clock.set(yesterday);
            running = rig.run();
        }
        rig.clock.set(yesterday);
        // Any event makes the sender compare the stored times with its clock.
        rig.enqueue("base", &[2], &[1]).await;
        rig.until(&[2], EventState::Delivered).await;
        rig.eventually("the retry is not a day away", async || {
            due_at(&rig).await.is_some_and(|due| due <= yesterday.0 + HOUR_MS)
        })
        .await;
        assert_eq!(rig.states(1).await, [EventState::Pending], "it is not due yet");
        rig.clock.set(yesterday.plus_millis(HOUR_MS));
        rig.enqueue("base", &[3], &[1]).await;
        rig.until(&[1, 2, 3], EventState::Delivered).await;
        rig.stop(running).await;
        rig.assert_promises();
    }
}

/// Returns the time of the retry of the first order's batch, if it failed.
async fn due_at(rig: &Rig) -> Option<i64> {
    let read = |reader: &orderfeed::store::Reader<'_>| {
        let known = reader.events_of(1)?;
        let life = known
            .first()
            .map(|event| reader.batch_record(event.batch))
            .transpose()?
            .flatten();
        Ok(life.filter(|life| life.attempts > 0).map(|life| life.due_at.0))
    };
    rig.store.read(read).await.unwrap()
}
