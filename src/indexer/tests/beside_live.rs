//! A backfill makes way as soon as a live change arrives.

use super::*;

/// Returns the number of orders done after each transaction of a backfill, with or without a live change after the first.
async fn steps(with_live_change: bool) -> Vec<u64> {
    let rig = rig(300).await;
    let options = BackfillOptions {
        batch_size: Some(100),
        ..BackfillOptions::default()
    };
    let mut steps = Vec::new();
    let progress = |progress: Progress| {
        steps.push(progress.done);
        if with_live_change {
            rig.indexer.live.record(NOW);
        }
    };
    rig.indexer.reindex(options, || false, progress).await.unwrap();
    for order in [1, 151, 300] {
        assert_eq!(rig.events(order).await, 1, "order {order}");
    }
    steps
}

#[tokio::test]
async fn pages_that_are_derived_already_are_committed_in_pieces() {
    assert_eq!(steps(false).await, [100, 200, 300]);
    assert_eq!(steps(true).await, [100, 150, 200, 250, 300]);
}
