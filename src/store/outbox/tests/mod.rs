//! The outbox's promises, one test each.

mod guard;
mod history;
mod privacy;
mod waiting;

use std::collections::HashSet;

use super::*;
use crate::store::{Durability, Store, StoreError, Writer, testing};
use orderfeed_model::clock::UtcMillis;

pub(super) const NOW: UtcMillis = UtcMillis(1_000);
pub(super) const LIMITS: BatchLimits = BatchLimits {
    bytes: 60_000,
    events: 100,
};

fn json(text: &str) -> Vec<u8> {
    format!("{{\"xdm\":\"{text}\"}}").into_bytes()
}

pub(super) fn order(order: OrderId, class: Class, kinds: &[KindCode]) -> OrderEvents {
    let event = |kind: &KindCode| NewEvent {
        kind: *kind,
        document: order,
        generation: 0,
        not_before: UtcMillis(0),
        person: None,
        body: Ok(json(&format!("{order}/{kind}"))),
    };
    OrderEvents {
        order,
        website: 1,
        class,
        changed_at: NOW,
        backfill: None,
        events: kinds.iter().map(event).collect(),
    }
}

pub(super) async fn enqueue(store: &Store, orders: Vec<OrderEvents>) -> Enqueued {
    write(store, move |w| {
        w.enqueue(&orders, EnqueueMode::Insert, LIMITS, NOW)
    })
    .await
}

pub(super) async fn write<T: Send + 'static>(
    store: &Store,
    job: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send + 'static,
) -> T {
    store.write(Durability::Durable, job).await.unwrap()
}

pub(super) async fn ready(store: &Store) -> Vec<PendingBatch> {
    store
        .read(|r| r.ready_batches(1, NOW, &HashSet::new(), 100))
        .await
        .unwrap()
}

async fn body(store: &Store, id: BatchId) -> BatchBody {
    store.read(move |r| r.batch_body(id)).await.unwrap().unwrap()
}

pub(super) async fn deliver(store: &Store, id: BatchId) {
    let kinds = body(store, id).await.kinds();
    let answer = EdgeAnswer {
        at: NOW,
        status: Some(202),
        ..EdgeAnswer::default()
    };
    write(store, move |w| {
        w.settle_delivered(
            &[Settled {
                id,
                website: 1,
                kinds,
            }],
            &answer,
        )
    })
    .await;
}

async fn states(store: &Store, order: OrderId) -> Vec<EventState> {
    let events = store.read(move |r| r.events_of(order)).await.unwrap();
    events.into_iter().map(|event| event.state).collect()
}

#[tokio::test]
async fn an_event_enters_once_and_its_bytes_never_change() {
    let (_dir, store) = testing::fresh();
    assert_eq!(
        enqueue(&store, vec![order(7, Class::Live, &[1, 2])]).await.events,
        2
    );
    let mut again = order(7, Class::Live, &[1, 2, 3]);
    again.events[0].body = Ok(json("changed"));
    assert_eq!(enqueue(&store, vec![again]).await.events, 1);
    let first = ready(&store).await[0].id;
    assert_eq!(
        body(&store, first).await.payload,
        [json("7/1"), json("7/2")].join(&b',')
    );
}

#[tokio::test]
async fn a_later_event_of_an_order_waits_until_the_one_before_is_final() {
    let (_dir, store) = testing::fresh();
    enqueue(&store, vec![order(7, Class::Live, &[1])]).await;
    enqueue(
        &store,
        vec![order(7, Class::Live, &[2]), order(8, Class::Live, &[1])],
    )
    .await;
    let before: Vec<_> = ready(&store).await;
    assert_eq!(before.len(), 2, "order 7's second batch waits");
    deliver(&store, before[0].id).await;
    let after = ready(&store).await;
    assert_eq!(after.len(), 2);
    let waiting = after.iter().find(|batch| batch.id != before[1].id).unwrap();
    assert_eq!(
        body(&store, waiting.id).await.entries[0].key,
        EventKey {
            order: 7,
            kind: 2,
            document: 7,
            generation: 0,
        }
    );
}

#[tokio::test]
async fn live_overtakes_history_but_not_its_own_orders_earlier_events() {
    let (_dir, store) = testing::fresh();
    enqueue(&store, vec![order(1, Class::History, &[1])]).await;
    enqueue(&store, vec![order(2, Class::History, &[1])]).await;
    enqueue(&store, vec![order(2, Class::Live, &[2])]).await;
    enqueue(&store, vec![order(3, Class::Live, &[1])]).await;
    let queue = ready(&store).await;
    let mut orders = Vec::new();
    for batch in &queue {
        orders.push((body(&store, batch.id).await.entries[0].key.order, batch.class));
    }
    assert_eq!(orders, [(2, Class::Live), (3, Class::Live), (1, Class::History)]);
}

#[tokio::test]
async fn orders_stay_whole_in_batches_within_the_limits() {
    let (_dir, store) = testing::fresh();
    let limits = BatchLimits { bytes: 60, events: 3 };
    let orders: Vec<_> = (1..=4).map(|id| order(id, Class::Live, &[1, 2])).collect();
    write(&store, move |w| {
        w.enqueue(&orders, EnqueueMode::Insert, limits, NOW)
    })
    .await;
    let queue = ready(&store).await;
    assert_eq!(
        queue.iter().map(|batch| batch.events).collect::<Vec<_>>(),
        [2, 2, 2, 2]
    );
    assert!(queue.iter().all(|batch| batch.bytes <= 60));
}

#[tokio::test]
async fn an_order_larger_than_a_batch_is_chained() {
    let (_dir, store) = testing::fresh();
    let limits = BatchLimits {
        bytes: 60_000,
        events: 2,
    };
    let big = order(1, Class::Live, &[1, 2, 3, 4, 5]);
    write(&store, move |w| {
        w.enqueue(&[big], EnqueueMode::Insert, limits, NOW)
    })
    .await;
    let mut kinds = Vec::new();
    while let [batch] = ready(&store).await.as_slice() {
        kinds.extend(
            body(&store, batch.id)
                .await
                .entries
                .iter()
                .map(|entry| entry.key.kind),
        );
        deliver(&store, batch.id).await;
    }
    assert_eq!(kinds, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_split_keeps_bytes_order_and_what_waits() {
    let (_dir, store) = testing::fresh();
    enqueue(
        &store,
        vec![order(1, Class::Live, &[1]), order(2, Class::Live, &[1, 2])],
    )
    .await;
    let whole = ready(&store).await[0].id;
    enqueue(&store, vec![order(2, Class::Live, &[3])]).await;
    let right = write(&store, move |w| w.split_batch(whole, 2)).await;
    assert_eq!(body(&store, right).await.payload, json("2/2"));
    assert_eq!(
        ready(&store)
            .await
            .iter()
            .map(|batch| batch.id)
            .collect::<Vec<_>>(),
        [whole]
    );
    deliver(&store, whole).await;
    assert_eq!(
        ready(&store)
            .await
            .iter()
            .map(|batch| batch.id)
            .collect::<Vec<_>>(),
        [right]
    );
    deliver(&store, right).await;
    assert_eq!(body(&store, ready(&store).await[0].id).await.payload, json("2/3"));
}

#[tokio::test]
async fn one_bad_event_is_parked_alone_and_can_be_sent_again_with_the_same_bytes() {
    let (_dir, store) = testing::fresh();
    enqueue(
        &store,
        vec![
            order(1, Class::Live, &[1]),
            order(2, Class::Live, &[1]),
            order(3, Class::Live, &[1]),
        ],
    )
    .await;
    let id = ready(&store).await[0].id;
    let refusal = Refusal {
        code: "EXEG-0102-400".to_owned(),
        detail: "invalid".to_owned(),
    };
    let verdicts = [
        (1, EventVerdict::Parked(refusal)),
        (2, EventVerdict::Suppressed("consent".to_owned())),
    ];
    let answer = EdgeAnswer {
        at: NOW,
        status: Some(400),
        ..EdgeAnswer::default()
    };
    write(&store, move |w| w.settle_each(id, &verdicts, &answer)).await;
    assert_eq!(states(&store, 1).await, [EventState::Delivered]);
    assert_eq!(states(&store, 2).await, [EventState::Parked]);
    assert_eq!(states(&store, 3).await, [EventState::Suppressed]);
    let key = EventKey {
        order: 2,
        kind: 1,
        document: 2,
        generation: 0,
    };
    assert!(write(&store, move |w| w.retry_parked(key, LIMITS, NOW)).await);
    let again = ready(&store).await[0].id;
    assert_eq!(body(&store, again).await.payload, json("2/1"));
    let totals = store
        .read(|r| Ok((r.websites()?, r.parked(&ParkedFilter::default(), 10)?)))
        .await
        .unwrap();
    assert!(totals.1.is_empty());
}

#[tokio::test]
async fn an_event_that_cannot_be_rendered_is_parked_and_holds_nothing_back() {
    let (_dir, store) = testing::fresh();
    let mut bad = order(1, Class::Live, &[1, 2]);
    let refusal = Refusal {
        code: "too_large".to_owned(),
        detail: "70000 bytes".to_owned(),
    };
    bad.events[0].body = Err(refusal);
    let entered = enqueue(&store, vec![bad]).await;
    assert_eq!(
        entered,
        Enqueued {
            events: 1,
            parked: 1,
            suppressed: 0
        }
    );
    deliver(&store, ready(&store).await[0].id).await;
    assert_eq!(
        states(&store, 1).await,
        [EventState::Parked, EventState::Delivered]
    );
}

#[tokio::test]
async fn a_delivered_event_is_known_after_its_body_was_removed() {
    let (_dir, store) = testing::fresh();
    enqueue(&store, vec![order(1, Class::Live, &[1])]).await;
    let id = ready(&store).await[0].id;
    deliver(&store, id).await;
    assert_eq!(
        write(&store, |w| w.remove_delivered(UtcMillis(i64::MAX), 10)).await,
        1
    );
    assert!(store.read(move |r| r.batch_body(id)).await.unwrap().is_none());
    assert_eq!(states(&store, 1).await, [EventState::Delivered]);
    assert_eq!(
        enqueue(&store, vec![order(1, Class::Live, &[1])]).await,
        Enqueued::default()
    );
}

#[tokio::test]
async fn a_forced_resend_takes_delivered_events_only_and_makes_no_second_one() {
    let (_dir, store) = testing::fresh();
    enqueue(&store, vec![order(1, Class::Live, &[1])]).await;
    deliver(&store, ready(&store).await[0].id).await;
    enqueue(&store, vec![order(2, Class::Live, &[1])]).await;
    let all = vec![
        order(1, Class::History, &[1]),
        order(2, Class::History, &[1]),
        order(3, Class::History, &[1]),
    ];
    let again = write(&store, move |w| w.enqueue(&all, EnqueueMode::Resend, LIMITS, NOW)).await;
    assert_eq!(again.events, 1);
    assert_eq!(states(&store, 1).await, [EventState::Pending]);
    assert_eq!(ready(&store).await.len(), 2);
}

#[tokio::test]
async fn answers_that_are_settled_together_are_counted_once_for_each_batch() {
    let (_dir, store) = testing::fresh();
    enqueue(&store, vec![order(1, Class::Live, &[1, 2])]).await;
    enqueue(&store, vec![order(2, Class::Live, &[1])]).await;
    let mut settled = Vec::new();
    for batch in ready(&store).await {
        let (id, mut payload) = (batch.id, Vec::new());
        let kinds = store
            .read(move |r| r.append_payload(id, &mut payload))
            .await
            .unwrap()
            .unwrap();
        settled.push(Settled {
            id,
            website: 1,
            kinds,
        });
    }
    let answer = EdgeAnswer {
        at: NOW,
        status: Some(202),
        ..EdgeAnswer::default()
    };
    for _ in 0..2 {
        let (settled, answer) = (settled.clone(), answer.clone());
        write(&store, move |w| {
            w.settle_requests(&[(&settled[..1], &answer), (&settled[1..], &answer)])
        })
        .await;
    }
    write(&store, |w| w.website_id("base")).await;
    let all = store.read(|r| r.outbox_by_website()).await.unwrap();
    let delivered = |kind, count| (kind, FinalState::Delivered, count);
    assert_eq!(all[0].totals, [delivered(1, 2), delivered(2, 1)]);
}

#[tokio::test]
async fn an_operators_pause_is_not_overwritten_by_a_report() {
    let (_dir, store) = testing::fresh();
    let row = |state| SenderRow {
        website: 1,
        state,
        code: String::new(),
        reason: String::new(),
        since: NOW,
        until: None,
        failures: 0,
    };
    assert!(write(&store, move |w| w.report_sender(&row(SenderState::Halted))).await);
    write(&store, move |w| w.set_sender(&row(SenderState::Paused))).await;
    assert!(!write(&store, move |w| w.report_sender(&row(SenderState::Running))).await);
    assert_eq!(
        store.read(|r| r.senders()).await.unwrap(),
        [row(SenderState::Paused)]
    );
}
