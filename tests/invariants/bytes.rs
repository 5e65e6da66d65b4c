//! I3 and I4: the same fact has the same id, and the bytes of an id never change.

use crate::support::daemon::eventually;
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// Changes every column of an order that its events contain.
const UPHEAVAL: &str = "
    UPDATE sales_order SET base_grand_total = base_grand_total + 1, base_shipping_amount = 3, customer_email = 'new@example.com',
        updated_at = datetime('now');
    UPDATE sales_order_item SET name = 'another name', sku = 'another-sku', base_price = base_price + 1;
    UPDATE sales_invoice SET base_grand_total = base_grand_total + 1;
    UPDATE sales_creditmemo SET base_grand_total = base_grand_total + 1;
    UPDATE sales_shipment_track SET track_number = 'another';";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resent_event_keeps_its_bytes_when_the_order_has_changed() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 150);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the first sync", || fixture.is_served(&edge, expected.len()));
    let before = fixture.installation.index().unwrap().version;
    fixture.sql().execute_batch(UPHEAVAL).unwrap();
    let reindexed = || {
        fixture
            .installation
            .index()
            .is_some_and(|index| index.version > before && index.backlog == 0)
    };
    eventually("the changes are indexed", reindexed);
    // The restart must happen during the resend.
    edge.configure(|config| config.latency_ms = 40);
    let said = fixture
        .installation
        .run(&["saas:resync", "--feed", "orders", "--force"])
        .ok();
    assert!(said.contains("of them again"), "{said}");
    daemon.kill();
    let daemon = fixture.installation.start_and_wait();
    eventually("everything was sent again", || {
        edge.totals().duplicates >= expected.len() as u64 && fixture.installation.is_settled()
    });
    let said = fixture.installation.send_all_again();
    assert!(
        said.contains(&format!("{} of them again", expected.len())),
        "{said}"
    );
    assert_eq!(daemon.stop(), Some(0));
    assert!(edge.totals().duplicates >= 2 * expected.len() as u64);
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_store_makes_the_same_events_again() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 150);
    let expected = fixture.expected();
    for round in 0..2 {
        let daemon = fixture.installation.start_and_wait();
        let all = expected.len() as u64 * (round + 1);
        eventually("a whole delivery", || {
            edge.totals().events == all && fixture.installation.is_settled()
        });
        assert_eq!(daemon.stop(), Some(0));
        for name in ["orderfeed.db", "orderfeed.db-wal", "orderfeed.db-shm"] {
            let _ = std::fs::remove_file(fixture.installation.path(name));
        }
    }
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}
