//! Changes that were noticed several times before they were indexed.

use std::sync::atomic::Ordering;

use super::house;

#[tokio::test]
async fn a_long_backlog_of_the_same_orders_costs_one_reading_of_each() {
    let house = house(5).await;
    for _ in 0..20 {
        house.capture(&[1, 2, 3, 4, 5]).await;
    }
    house.update().await.unwrap();
    assert_eq!(house.version().await, 100);
    assert_eq!(house.source.read.load(Ordering::SeqCst), 5);
    // What came later is read again, whatever an earlier drain knew.
    house.capture(&[3, 3, 3]).await;
    house.update().await.unwrap();
    assert_eq!(house.source.read.load(Ordering::SeqCst), 6);
}
