//! Orders that the API cannot return, orders that are deleted, and credentials that lose their rights.

use orderfeed_mock_commerce::{MockConfig, Permission};

use super::fixture::RestFixture;
use crate::support::daemon::{eventually, now};
use crate::support::edge;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_order_holds_up_no_other_and_is_sent_once_it_is_repaired() {
    let rest = RestFixture::start(150, MockConfig::default()).await;
    let (fatal, deleted_product) = (40, 90);
    rest.mock.configure(|config| {
        config.poisoned.insert(fatal);
        config.deleted_products.insert(deleted_product);
    });
    let mut others = rest.shop.expected();
    others.retain(|one| one.order_id != fatal && one.order_id != deleted_product);
    let daemon = rest.installation().start();
    eventually("the other orders arrive", || {
        rest.edge.unique_ids() >= others.len()
    });
    edge::assert_holds(&rest.edge, &others);
    let log = rest.installation().log();
    assert!(
        log.contains(&fatal.to_string()) && log.contains(&deleted_product.to_string()),
        "{log}"
    );
    rest.mock.configure(|config| {
        config.poisoned.clear();
        config.deleted_products.clear();
    });
    // An operator does this after repairing the shop.
    let ids = format!("{fatal},{deleted_product}");
    rest.installation()
        .run(&["saas:resync", "--feed", "orders", "--by-ids", &ids, "--wait"])
        .ok();
    rest.wait_until_served();
    rest.assert_whole(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_permission_is_named_and_nothing_is_sent_without_it() {
    let config = MockConfig::default();
    let rest = RestFixture::start(20, config).await;
    rest.mock.configure(|config| {
        config.permissions.remove(&Permission::Invoices);
    });
    let daemon = rest.installation().start();
    eventually("the permission is named", || {
        rest.installation().log().contains("Magento_Sales::sales_invoice")
    });
    assert_eq!(
        rest.edge.unique_ids(),
        0,
        "an order without its invoices is not whole"
    );
    rest.mock
        .configure(|config| config.permissions = Permission::ALL.into_iter().collect());
    rest.wait_until_served();
    rest.assert_whole(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_integration_is_named_and_capture_continues_with_it() {
    let mut rest = RestFixture::start(20, MockConfig::default()).await;
    let daemon = rest.installation().start();
    rest.wait_until_served();
    rest.mock.configure(|config| config.is_revoked = true);
    for _ in 0..10 {
        rest.shop.act();
    }
    eventually("the reason is named", || {
        rest.installation().log().contains("Consumer key has expired")
    });
    rest.mock.configure(|config| config.is_revoked = false);
    rest.wait_until_served();
    rest.assert_whole(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_whose_clock_is_eleven_minutes_behind_is_read() {
    let config = MockConfig {
        clock_offset_s: -660,
        ..MockConfig::default()
    };
    let mut rest = RestFixture::start(20, config).await;
    let daemon = rest.installation().start();
    rest.wait_until_served();
    for _ in 0..10 {
        rest.shop.act_at(now().plus_millis(-660_000));
    }
    rest.wait_until_served();
    rest.assert_whole(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_that_never_return_hold_up_their_order_alone() {
    let rest = RestFixture::start(60, MockConfig::default()).await;
    rest.installation().layer(
        "zz",
        "[source.rest]\nconnect_timeout = \"1s\"\ntimeout = \"1s\"\n",
    );
    rest.mock.configure(|config| {
        config.endless_transactions.insert(20);
    });
    let mut others = rest.shop.expected();
    others.retain(|one| one.order_id != 20);
    let daemon = rest.installation().start();
    eventually("the other orders arrive", || {
        rest.edge.unique_ids() >= others.len()
    });
    rest.mock.configure(|config| config.endless_transactions.clear());
    rest.wait_until_served();
    rest.assert_whole(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_out_of_sight_are_not_deleted() {
    let mut rest = RestFixture::start(60, MockConfig::default()).await;
    let daemon = rest.installation().start();
    rest.wait_until_served();
    // The role of the integration is limited to one website: the others' orders vanish.
    rest.mock
        .configure(|config| config.website = Some("base".to_owned()));
    let _ = rest.installation().run(&["verify"]);
    for _ in 0..30 {
        rest.shop.act();
    }
    rest.mock.configure(|config| config.website = None);
    // Rows that were hidden while the cursor passed them are found by a resync, not by capture.
    rest.installation()
        .run(&["saas:resync", "--feed", "orders", "--wait"])
        .ok();
    rest.wait_until_served();
    let deleted = rest
        .installation()
        .read_store(|reader| reader.feed_orders())
        .unwrap();
    let in_shop: i64 = rest
        .shop
        .sql()
        .query_row("SELECT count(*) FROM sales_order", [], |row| row.get(0))
        .unwrap();
    assert_eq!(i64::try_from(deleted).unwrap(), in_shop);
    rest.assert_whole(daemon);
}
