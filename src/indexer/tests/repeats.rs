//! Orders that changed several times before they were indexed.

use std::sync::atomic::Ordering;

use super::rig;

#[tokio::test]
async fn a_long_backlog_of_the_same_orders_costs_one_reading_of_each() {
    let rig = rig(5).await;
    for _ in 0..20 {
        rig.capture(&[1, 2, 3, 4, 5]).await;
    }
    rig.update().await.unwrap();
    assert_eq!(rig.version().await, 100);
    assert_eq!(rig.source.read.load(Ordering::SeqCst), 5);
    // A later change is read again, although an earlier drain read the order.
    rig.capture(&[3, 3, 3]).await;
    rig.update().await.unwrap();
    assert_eq!(rig.source.read.load(Ordering::SeqCst), 6);
}
