//! The recorded attempts.

use crate::store::outbox::tests::{LIMITS, NOW, deliver, enqueue, order, ready, write};
use crate::store::outbox::{BatchId, Class, EdgeAnswer, EventKey, EventVerdict, Refusal};
use crate::store::{Store, testing};
use orderfeed_model::clock::UtcMillis;

fn failure(at: i64, code: &str) -> EdgeAnswer {
    EdgeAnswer {
        at: UtcMillis(at),
        status: Some(503),
        request_id: Some(format!("request-{at}")),
        code: Some(code.to_owned()),
        note: Some(format!("{code}: quotes the request")),
        title: Some("Service unavailable".to_owned()),
        duration_ms: Some(12),
    }
}

async fn attempts(store: &Store, id: BatchId) -> Vec<(i64, bool)> {
    let attempts = store.read(move |r| r.attempts_of(id)).await.unwrap();
    attempts
        .iter()
        .map(|attempt| (attempt.at.0.0, attempt.accepted))
        .collect()
}

#[tokio::test]
async fn the_first_and_the_latest_failures_stay_and_the_success_follows_them() {
    let (_dir, store) = testing::fresh();
    enqueue(&store, vec![order(1, Class::Live, &[1])]).await;
    let id = ready(&store).await[0].id;
    for at in 1..=30 {
        write(&store, move |w| {
            w.record_failure(&[id], NOW, &failure(at, "EXEG-0000-503"))
        })
        .await;
    }
    deliver(&store, id).await;
    let kept = attempts(&store, id).await;
    let mut expected = vec![(1, false)];
    expected.extend((12..=30).map(|at| (at, false)));
    expected.push((NOW.0, true));
    assert_eq!(kept, expected);
    let first = store.read(move |r| r.attempts_of(id)).await.unwrap().remove(0);
    assert_eq!(first.number, 1);
    assert_eq!(first.code.as_deref(), Some("EXEG-0000-503"));
    assert_eq!(first.error.as_deref(), Some("Service unavailable"));
    assert_eq!((first.status, first.duration_ms), (Some(503), Some(12)));
    write(&store, |w| w.remove_delivered(UtcMillis(i64::MAX), 10)).await;
    assert!(attempts(&store, id).await.is_empty());
}

#[tokio::test]
async fn both_halves_of_a_split_keep_the_history_of_the_whole() {
    let (_dir, store) = testing::fresh();
    enqueue(
        &store,
        vec![order(1, Class::Live, &[1]), order(2, Class::Live, &[1])],
    )
    .await;
    let whole = ready(&store).await[0].id;
    let right = write(&store, move |w| {
        w.record_failure(&[whole], NOW, &failure(1, "EXEG-0102-400"))?;
        let right = w.split_batch(whole, 1)?;
        w.record_failure(&[whole], NOW, &failure(2, "EXEG-0000-503"))?;
        w.record_failure(&[right], NOW, &failure(3, "EXEG-0000-503"))?;
        Ok(right)
    })
    .await;
    assert_eq!(attempts(&store, whole).await, [(1, false), (2, false)]);
    assert_eq!(attempts(&store, right).await, [(1, false), (3, false)]);
    let life = store.read(move |r| r.batch_record(right)).await.unwrap().unwrap();
    assert_eq!((life.parent, life.attempts), (Some(whole), 2));
}

#[tokio::test]
async fn a_retried_parked_event_keeps_its_history() {
    let (_dir, store) = testing::fresh();
    enqueue(&store, vec![order(1, Class::Live, &[1])]).await;
    let id = ready(&store).await[0].id;
    let refusal = Refusal {
        code: "EXEG-0102-400".to_owned(),
        detail: "invalid".to_owned(),
    };
    let verdicts = [(0, EventVerdict::Parked(refusal))];
    write(&store, move |w| {
        w.settle_each(id, &verdicts, &failure(5, "EXEG-0102-400"))
    })
    .await;
    assert_eq!(attempts(&store, id).await, [(5, false)]);
    let key = EventKey {
        order: 1,
        kind: 1,
        document: 1,
        generation: 0,
    };
    write(&store, move |w| w.retry_parked(key, LIMITS, UtcMillis(6))).await;
    let again = ready(&store).await[0].id;
    deliver(&store, again).await;
    assert_eq!(attempts(&store, again).await, [(5, false), (NOW.0, true)]);
}
