//! The clock is set back while events wait. A stored time must not become a pause of days.

use orderfeed::store::outbox::EventState;
use orderfeed_model::clock::Clock;
use serde_json::json;

use crate::delivery::fixture::{Fixture, id};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn a_retry_waits_no_longer_than_an_hour_when_the_clock_was_set_back() {
    for restarted in [false, true] {
        let mut fixture = Fixture::new().await;
        let today = Clock::System.now();
        fixture.clock = Clock::manual(today);
        // A first server error delays only its own batch, and the store holds the time of the retry.
        fixture.script(json!([{"code": "0001-500", "match": {"contains_id": id(1, 1)}}]));
        let mut running = fixture.run();
        fixture.enqueue("base", &[1], &[1]).await;
        fixture
            .eventually("the failure is on record", async || {
                due_at(&fixture).await.is_some()
            })
            .await;
        let yesterday = today.plus_millis(-DAY_MS);
        if restarted {
            fixture.stop(running).await;
            fixture.revive();
            fixture.clock.set(yesterday);
            running = fixture.run();
        }
        fixture.clock.set(yesterday);
        // Any event makes the sender compare the stored times with its clock.
        fixture.enqueue("base", &[2], &[1]).await;
        fixture.until(&[2], EventState::Delivered).await;
        fixture
            .eventually("the retry is not a day away", async || {
                due_at(&fixture)
                    .await
                    .is_some_and(|due| due <= yesterday.0 + HOUR_MS)
            })
            .await;
        assert_eq!(
            fixture.states(1).await,
            [EventState::Pending],
            "it is not due yet"
        );
        fixture.clock.set(yesterday.plus_millis(HOUR_MS));
        fixture.enqueue("base", &[3], &[1]).await;
        fixture.until(&[1, 2, 3], EventState::Delivered).await;
        fixture.stop(running).await;
        fixture.assert_promises();
    }
}

/// Returns the time of the retry of the first order's batch, if it failed.
async fn due_at(fixture: &Fixture) -> Option<i64> {
    let read = |reader: &orderfeed::store::Reader<'_>| {
        let known = reader.events_of(1)?;
        let life = known
            .first()
            .map(|event| reader.batch_record(event.batch))
            .transpose()?
            .flatten();
        Ok(life.filter(|life| life.attempts > 0).map(|life| life.due_at.0))
    };
    fixture.store.read(read).await.unwrap()
}
