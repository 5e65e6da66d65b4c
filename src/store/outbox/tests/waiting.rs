//! Dependencies between batches, and due times.

use super::*;

#[tokio::test]
async fn a_chunk_without_new_events_passes_its_dependencies_on() {
    let (_dir, store) = testing::fresh();
    let limits = BatchLimits {
        bytes: 60_000,
        events: 2,
    };
    enqueue(&store, vec![order(1, Class::Live, &[1, 2])]).await;
    let known_and_new = order(1, Class::Live, &[1, 2, 3]);
    write(&store, move |w| {
        w.enqueue(&[known_and_new], EnqueueMode::Insert, limits, NOW)
    })
    .await;
    let first = ready(&store).await;
    assert_eq!(first.len(), 1, "the third event waits for the two before it");
    deliver(&store, first[0].id).await;
    let next = ready(&store).await;
    assert_eq!(body(&store, next[0].id).await.entries[0].key.kind, 3);
}

#[tokio::test]
async fn a_clock_that_is_set_back_holds_up_nothing_that_was_due() {
    let (_dir, store) = testing::fresh();
    enqueue(&store, vec![order(1, Class::Live, &[1])]).await;
    let earlier = store
        .read(|r| r.ready_batches(1, UtcMillis(1), &HashSet::new(), 9))
        .await
        .unwrap();
    assert_eq!(earlier.len(), 1);
}

#[tokio::test]
async fn an_event_of_the_future_waits_for_its_time_and_holds_back_its_followers_only() {
    let (_dir, store) = testing::fresh();
    let mut future = order(1, Class::Live, &[1, 2]);
    future.events[1].not_before = UtcMillis(5_000);
    enqueue(&store, vec![future, order(2, Class::Live, &[1])]).await;
    for batch in ready(&store).await {
        deliver(&store, batch.id).await;
    }
    assert_eq!(
        states(&store, 1).await,
        [EventState::Delivered, EventState::Pending]
    );
    assert_eq!(states(&store, 2).await, [EventState::Delivered]);
    assert_eq!(
        store.read(|r| r.next_due(1, NOW)).await.unwrap(),
        Some(UtcMillis(5_000))
    );
}
