//! The first hour of an administrator: connect a website, see why nothing arrives, correct it, watch the first sync, find the
//! reason why an event was refused, and send the order again.

use std::time::Duration;

use fantoccini::Locator;

use super::driver::{Browser, Look};
use crate::support::daemon::eventually;
use crate::support::edge;
use crate::support::embedded::ShopFixture;
use crate::web::fixture::{Listen, PASSWORD, Site};

/// Enough for a first sync that a person can watch.
const ORDERS: usize = 2_500;
const LOOK: Look = Look::DESKTOP;
/// A datastream that no organization has.
const WRONG: &str = "00000000-0000-4000-8000-000000000bad";

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_connects_a_website_and_has_a_refused_event_sent() {
    let edge = edge::start().await;
    let shop = ShopFixture::new(&edge.server_url(), ORDERS);
    connect_only_the_first(&shop);
    let keys = "edit_settings = true\n[index]\nbatch_size = 1\n";
    let (mut site, base) = Site::start_shop(edge, shop, Listen::Tcp, keys).protect();
    let Some(browser) = Browser::start(&base, LOOK).await else {
        return;
    };
    browser.open("/login?next=/").await;
    browser.fill("password", PASSWORD).await;
    browser.press("Log in").await;
    browser.wait_for("not configured", LOOK).await;
    browser.save("newcomer-1-overview").await;
    choose_the_website(&browser).await;
    connect(&browser, WRONG).await;
    find_the_mistake(&browser).await;
    browser.open("/connector?website=eu").await;
    connect(&browser, &edge::datastream(1)).await;
    watch_the_first_sync(&site, &browser).await;
    have_an_order_sent_again(&mut site, &browser).await;
    browser.close().await;
}

/// Removes all websites but the first from the configuration.
fn connect_only_the_first(shop: &ShopFixture) {
    let text = std::fs::read_to_string(shop.installation.path("orderfeed.toml")).unwrap();
    let second = text.match_indices("[websites.").nth(1).unwrap().0;
    shop.installation.write("orderfeed.toml", &text[..second]);
}

async fn choose_the_website(browser: &Browser) {
    browser.open("/connector").await;
    // The shop's websites are known as soon as an order of each was read.
    browser.wait_for("eu, not connected", LOOK).await;
    let scope = browser.client.find(Locator::Id("scope")).await.unwrap();
    scope.select_by_value("eu").await.unwrap();
    browser.press("Switch").await;
    browser.wait_for("eu is not connected", LOOK).await;
    browser.save("newcomer-2-connector").await;
}

async fn connect(browser: &Browser, datastream: &str) {
    browser.fill("websites-eu-datastream-id", datastream).await;
    let switch = Locator::Id("websites-eu-back-office-events");
    let switch = browser.client.find(switch).await.unwrap();
    switch.select_by_value("true").await.unwrap();
    browser.press("Save").await;
    browser.wait_for("Events of eu will be sent", LOOK).await;
    browser.save("newcomer-3-question").await;
    browser.press("Save").await;
    browser
        .wait_for(&format!("In force: datastream {datastream}"), LOOK)
        .await;
}

/// Finds on the overview why nothing arrives.
async fn find_the_mistake(browser: &Browser) {
    browser.open("/").await;
    browser.wait_for("Invalid datastream ID", LOOK).await;
    browser.save("newcomer-4-mistake").await;
}

async fn watch_the_first_sync(site: &Site, browser: &Browser) {
    assert!(
        browser
            .appears("#sync progress", LOOK, Duration::from_secs(30))
            .await,
        "no bar"
    );
    browser.save("newcomer-5-first-sync").await;
    eventually("the first sync has ended", || site.shop.installation.is_settled());
    browser.open("/").await;
    browser.wait_for("All is well", LOOK).await;
    browser.save("newcomer-6-well").await;
}

async fn have_an_order_sent_again(site: &mut Site, browser: &Browser) {
    let order = site.place_in("eu");
    edge::refuse_placed(&site.edge, order);
    let key = format!("{order}:placed:{order}");
    browser.open("/failed").await;
    browser.wait_for(&key, LOOK).await;
    let event = browser.client.find(Locator::LinkText(&key)).await.unwrap();
    event.click().await.unwrap();
    browser.wait_for("EXEG-0305-400", LOOK).await;
    browser.save("newcomer-7-refused").await;
    site.edge.reset();
    browser.press("Retry").await;
    browser.wait_for("Done.", LOOK).await;
    let number: String = site
        .shop
        .sql()
        .query_row(
            "SELECT increment_id FROM sales_order WHERE entity_id = ?1",
            [order],
            |row| row.get(0),
        )
        .unwrap();
    browser.open(&format!("/orders/{number}")).await;
    browser.wait_for("1 submitted", LOOK).await;
    browser.press("Resend this order").await;
    browser.wait_for("Cancel", LOOK).await;
    browser.press("Resend").await;
    browser.wait_for("Done.", LOOK).await;
    browser.save("newcomer-8-order").await;
}
