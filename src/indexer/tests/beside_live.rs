//! A backfill makes way as soon as a live change comes in.

use super::*;

/// How far the backfill was after each of its transactions, if the first one was followed by a live change or not.
async fn steps(with_live_change: bool) -> Vec<u64> {
    let house = house(300).await;
    let options = BackfillOptions {
        batch_size: Some(100),
        ..BackfillOptions::default()
    };
    let mut steps = Vec::new();
    let progress = |progress: Progress| {
        steps.push(progress.done);
        if with_live_change {
            house.indexer.live().note(NOW);
        }
    };
    house.indexer.reindex(options, || false, progress).await.unwrap();
    for order in [1, 151, 300] {
        assert_eq!(house.events(order).await, 1, "order {order}");
    }
    steps
}

#[tokio::test]
async fn pages_that_are_prepared_already_are_committed_in_pieces() {
    assert_eq!(steps(false).await, [100, 200, 300]);
    assert_eq!(steps(true).await, [100, 150, 200, 250, 300]);
}
