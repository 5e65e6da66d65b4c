//! Orders that are too large to be read together.

use super::*;
use crate::store::Writer;

fn set_batch(rig: &Rig, size: u32) {
    rig.config.send_modify(|config| {
        let mut changed = Config::clone(config);
        changed.index.batch_size = size;
        *config = Arc::new(changed);
    });
}

#[tokio::test]
async fn a_page_that_takes_too_much_memory_is_read_in_smaller_ones() {
    for fit in [1, 3] {
        let rig = rig(20).await;
        set_batch(&rig, 8);
        *rig.source.fit.lock().unwrap() = Some(fit);
        let report = rig.reindex(BackfillOptions::default()).await.unwrap();
        assert_eq!((report.indexed.orders, report.indexed.events), (20, 20));
        for id in [2, 3, 5, 7, 11, 13, 17, 19] {
            let mut orders = rig.source.orders.lock().unwrap();
            orders.get_mut(&id).unwrap().state = "canceled".to_owned();
        }
        rig.source.orders.lock().unwrap().remove(&20);
        rig.capture(&[2, 3, 5, 7, 11, 13, 17, 19, 20]).await;
        let indexed = rig.update().await.unwrap().indexed;
        assert_eq!((indexed.orders, indexed.events, indexed.deleted), (9, 8, 1));
        assert_eq!(rig.version().await, 9);
        let forced = OrdersById {
            ids: (1..=19).collect(),
            resend: true,
        };
        assert_eq!(rig.indexer.index_orders(forced).await.unwrap().orders, 19);
        let options = BackfillOptions::default();
        let preview = rig.indexer.preview(&options, None, || false, |_| {});
        assert_eq!(preview.await.unwrap().orders, 19);
        let verified = rig
            .indexer
            .verify(VerifyTask::default(), || false, |_| {})
            .await
            .unwrap();
        assert_eq!((verified.orders, verified.differing.total()), (19, 0));
    }
}

#[tokio::test]
async fn the_page_that_a_process_was_killed_in_is_halved() {
    let rig = rig(20).await;
    set_batch(&rig, 8);
    // Two processes began the first page and did not live to its end.
    let killed = |w: &mut Writer<'_>| {
        let options = serde_json::to_string(&BackfillOptions::default()).unwrap();
        let id = w.start_backfill(BackfillKind::Reindex, &options, 20, NOW)?;
        w.count_start(id)?;
        w.count_start(id)
    };
    rig.store.write(Durability::Durable, killed).await.unwrap();
    *rig.source.reads_left.lock().unwrap() = Some(1);
    rig.reindex(BackfillOptions::default()).await.unwrap_err();
    assert_eq!(rig.source.read.load(Ordering::SeqCst), 2, "a quarter of a page");
    *rig.source.reads_left.lock().unwrap() = None;
    rig.reindex(BackfillOptions::default()).await.unwrap();
    let walk = rig.store.read(|r| r.backfill(1)).await.unwrap().unwrap();
    assert_eq!((walk.done, walk.starts), (20, 0), "it moved on");
}
