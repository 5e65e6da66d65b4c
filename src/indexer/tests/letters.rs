//! Dead letters that could not be rendered, when they are retried.

use super::*;
use crate::store::outbox::{BatchLimits, EventKey, ParkedEvent};

const LIMITS: BatchLimits = BatchLimits {
    bytes: 60_000,
    events: 100,
};
/// A year that no timestamp can write.
const NEVER: UtcMillis = UtcMillis(400_000_000_000_000);

/// An order whose only event cannot be rendered, indexed.
async fn with_letter() -> (House, EventKey) {
    let house = house(1).await;
    change(&house, |order| order.created_at = NEVER);
    house.capture(&[1]).await;
    let indexed = house.update().await.unwrap().indexed;
    assert_eq!((indexed.events, indexed.parked), (0, 1));
    let key = letters(&house).await[0].key;
    (house, key)
}

fn change(house: &House, how: impl FnOnce(&mut Order)) {
    how(house.source.orders.lock().unwrap().get_mut(&1).unwrap());
}

async fn letters(house: &House) -> Vec<ParkedEvent> {
    house
        .store
        .read(|r| r.parked(&ParkedFilter::default(), 10))
        .await
        .unwrap()
}

async fn retry(house: &House, key: EventKey) -> ViewUpdate {
    let retried = house
        .store
        .write(Durability::Durable, move |w| w.retry_parked(key, LIMITS, NOW))
        .await;
    assert!(retried.unwrap());
    assert_eq!(letters(house).await.len(), 1, "it stays visible while it waits");
    house.update().await.unwrap()
}

#[tokio::test]
async fn one_of_an_order_that_is_gone_or_withheld_stays_with_the_reason() {
    let (house, key) = with_letter().await;
    change(&house, |order| order.scope = None);
    retry(&house, key).await;
    let letter = letters(&house).await.remove(0);
    assert_eq!(letter.code, "bad_timestamp");
    assert!(
        letter.detail.contains("store view no longer exists"),
        "{letter:?}"
    );

    house.source.orders.lock().unwrap().clear();
    retry(&house, key).await;
    let letter = letters(&house).await.remove(0);
    assert!(letter.detail.contains("no longer holds its order"), "{letter:?}");
}

#[tokio::test]
async fn one_that_can_be_rendered_now_is_sent_and_one_that_cannot_waits_for_the_next_decision() {
    let (house, key) = with_letter().await;
    assert_eq!(retry(&house, key).await.indexed.events, 0);
    assert_eq!(letters(&house).await.len(), 1);
    change(&house, |order| order.created_at = NOW);
    assert_eq!(retry(&house, key).await.indexed.events, 1);
    assert_eq!(letters(&house).await, []);
    let known = house.store.read(|r| r.events_of(1)).await.unwrap();
    assert_eq!((known.len(), known[0].state), (1, EventState::Pending));
}
