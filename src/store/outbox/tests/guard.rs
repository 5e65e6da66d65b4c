//! The triggers that keep pending events from being deleted, and so from counting as delivered.

use super::*;

async fn refusal(store: &Store, sql: &'static str) -> String {
    let forget = move |w: &mut Writer<'_>| Ok(w.connection.execute(sql, [])?);
    let refused = store.write(Durability::Durable, forget).await;
    refused.unwrap_err().to_string()
}

#[tokio::test]
async fn a_pending_batch_cannot_be_deleted_and_a_delivered_one_can() {
    let (_dir, store) = testing::fresh();
    enqueue(&store, vec![order(7, Class::Live, &[1, 2])]).await;
    for sql in [
        "DELETE FROM outbox_batch",
        "DELETE FROM outbox_batch WHERE id = 1",
        "DELETE FROM outbox_body",
    ] {
        let refused = refusal(&store, sql).await;
        assert!(refused.contains("not delivered yet"), "{sql}: {refused}");
    }
    let waiting = ready(&store).await;
    assert_eq!(waiting.len(), 1);
    deliver(&store, waiting[0].id).await;
    let removed = write(&store, |w| w.remove_delivered(UtcMillis(i64::MAX), 10)).await;
    assert_eq!(removed, 1);
    let states = store.read(|r| r.events_of(7)).await.unwrap();
    assert!(
        states.iter().all(|event| event.state == EventState::Delivered),
        "{states:?}"
    );
}
