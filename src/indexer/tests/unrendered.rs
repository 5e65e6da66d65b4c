//! Retries of parked events that could not be rendered.

use super::*;
use crate::store::outbox::{BatchLimits, EventKey, ParkedEvent};

const LIMITS: BatchLimits = BatchLimits {
    bytes: 60_000,
    events: 100,
};
/// A year that RFC 3339 cannot write.
const NEVER: UtcMillis = UtcMillis(400_000_000_000_000);

/// Creates and indexes an order whose only event cannot be rendered.
async fn with_unrendered() -> (Rig, EventKey) {
    let rig = rig(1).await;
    change(&rig, |order| order.created_at = NEVER);
    rig.capture(&[1]).await;
    let indexed = rig.update().await.unwrap().indexed;
    assert_eq!((indexed.events, indexed.parked), (0, 1));
    let key = parked(&rig).await[0].key;
    (rig, key)
}

fn change(rig: &Rig, how: impl FnOnce(&mut Order)) {
    how(rig.source.orders.lock().unwrap().get_mut(&1).unwrap());
}

async fn parked(rig: &Rig) -> Vec<ParkedEvent> {
    rig.store
        .read(|r| r.parked(&ParkedFilter::default(), 10))
        .await
        .unwrap()
}

async fn retry(rig: &Rig, key: EventKey) -> ViewUpdate {
    let retried = rig
        .store
        .write(Durability::Durable, move |w| w.retry_parked(key, LIMITS, NOW))
        .await;
    assert!(retried.unwrap());
    assert_eq!(parked(rig).await.len(), 1, "it stays visible while it waits");
    rig.update().await.unwrap()
}

#[tokio::test]
async fn an_event_of_a_deleted_or_withheld_order_stays_parked_with_the_reason() {
    let (rig, key) = with_unrendered().await;
    change(&rig, |order| order.scope = None);
    retry(&rig, key).await;
    let event = parked(&rig).await.remove(0);
    assert_eq!(event.code, "bad_timestamp");
    assert!(event.detail.contains("store view no longer exists"), "{event:?}");

    rig.source.orders.lock().unwrap().clear();
    retry(&rig, key).await;
    let event = parked(&rig).await.remove(0);
    assert!(event.detail.contains("no longer holds its order"), "{event:?}");
}

#[tokio::test]
async fn an_event_that_can_be_rendered_now_is_sent_and_another_stays_parked() {
    let (rig, key) = with_unrendered().await;
    assert_eq!(retry(&rig, key).await.indexed.events, 0);
    assert_eq!(parked(&rig).await.len(), 1);
    change(&rig, |order| order.created_at = NOW);
    assert_eq!(retry(&rig, key).await.indexed.events, 1);
    assert_eq!(parked(&rig).await, []);
    let known = rig.store.read(|r| r.events_of(1)).await.unwrap();
    assert_eq!((known.len(), known[0].state), (1, EventState::Pending));
}
