//! Forced resends.

use super::*;

#[tokio::test]
async fn a_resend_sends_delivered_events_again_with_their_frozen_bytes() {
    use crate::store::outbox::{EdgeAnswer, Settled};
    let rig = rig(1).await;
    rig.reindex(BackfillOptions::default()).await.unwrap();
    let batch = rig
        .store
        .read(|r| r.ready_batches(1, NOW, &Default::default(), 9))
        .await
        .unwrap()[0]
        .id;
    let before = rig
        .store
        .read(move |r| r.batch_body(batch))
        .await
        .unwrap()
        .unwrap();
    let settled = Settled {
        id: batch,
        website: 1,
        kinds: before.kinds(),
    };
    let settle =
        move |w: &mut crate::store::Writer<'_>| w.settle_delivered(&[settled], &EdgeAnswer::default());
    rig.store.write(Durability::Durable, settle).await.unwrap();
    rig.source.orders.lock().unwrap().get_mut(&1).unwrap().email = Some("other@example.com".to_owned());
    let plain = rig
        .indexer
        .resync(BackfillOptions::default(), || false, |_| {})
        .await
        .unwrap();
    assert_eq!(
        plain.indexed.events, 0,
        "a plain resync sends nothing that was delivered"
    );
    let forced = BackfillOptions {
        resend: true,
        ..BackfillOptions::default()
    };
    assert_eq!(
        rig.indexer
            .resync(forced, || false, |_| {})
            .await
            .unwrap()
            .indexed
            .events,
        1
    );
    let known = rig.store.read(|r| r.events_of(1)).await.unwrap();
    assert_eq!((known.len(), known[0].state), (1, EventState::Pending));
    let again = known[0].batch;
    let after = rig
        .store
        .read(move |r| r.batch_body(again))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(after.payload, before.payload);
    assert!(
        rig.store
            .read(|r| r.parked(&ParkedFilter::default(), 1))
            .await
            .unwrap()
            .is_empty()
    );
}
