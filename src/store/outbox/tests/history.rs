//! The cost of a change beside a long history.

use std::time::{Duration, Instant};

use super::*;

/// Orders that were delivered long ago, three events each.
const HISTORY: i64 = 100_000;

async fn remember(store: &Store, orders: i64) {
    write(store, move |w| {
        let sql = "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ?1)
                   INSERT INTO outbox_event SELECT n.id, k.value, n.id, 1, 0, 0
                   FROM n, (SELECT 1 AS value UNION SELECT 2 UNION SELECT 3) k";
        w.connection.execute(sql, [orders])?;
        let sql = "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ?1)
                   INSERT INTO sales_order_data_exporter_v2_cl (entity_id, source_table, op, observed_at)
                   SELECT id, 'sales_order', 'update', 0 FROM n";
        w.connection.execute(sql, [orders])?;
        Ok(())
    })
    .await;
}

/// The shortest of several changes, each from the changelog to a final event.
async fn change(store: &Store, from: OrderId, version: i64) -> Duration {
    let mut best = Duration::MAX;
    for id in from..from + 20 {
        let begun = Instant::now();
        enqueue(store, vec![order(id, Class::Live, &[1, 2])]).await;
        store.read(move |r| r.events_of(id)).await.unwrap();
        store
            .read(move |r| r.changelog_slice(version, 100, 2_000))
            .await
            .unwrap();
        for batch in ready(store).await {
            deliver(store, batch.id).await;
        }
        best = best.min(begun.elapsed());
    }
    best
}

#[tokio::test]
async fn a_change_costs_the_same_beside_a_long_history() {
    let (_dir, store) = testing::fresh();
    let young = change(&store, 10_000_000, 0).await;
    remember(&store, HISTORY).await;
    let old = change(&store, 20_000_000, HISTORY - 50).await;
    // Going through the history even once takes tens of milliseconds.
    assert!(
        old < young * 4 + Duration::from_millis(4),
        "{young:?} without a history, {old:?} beside {HISTORY} orders"
    );
}
