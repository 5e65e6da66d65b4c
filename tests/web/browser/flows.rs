//! The work of an operator from login to logout, with JavaScript and without it.

use std::time::Duration;

use fantoccini::Locator;
use orderfeed::store::intake::Flow;
use orderfeed::store::views::{IndexerStatus, ViewMode};

use super::driver::{Browser, Look};
use crate::support::daemon::eventually;
use crate::support::edge;
use crate::web::fixture::{PASSWORD, Site};

const ORDERS: usize = 500;
/// `delivery.max_pending_events`, the least that may be.
const FULL: u64 = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_works_on_the_pages_with_javascript() {
    work(Look::DESKTOP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_works_on_the_pages_without_javascript() {
    work(Look::WITHOUT_SCRIPT).await;
}

async fn work(look: Look) {
    let keys = format!("edit_settings = true\n[delivery]\nmax_pending_events = {FULL}\n");
    let (mut site, base) = Site::with_password(ORDERS, &keys).await;
    let Some(browser) = Browser::start(&base, look).await else {
        return;
    };
    site.settle();
    log_in(&browser, look).await;
    change_the_mode(&site, &browser, look).await;
    watch_a_reindex(&mut site, &browser, look).await;
    retry_a_failed_event(&mut site, &browser, look).await;
    stop_a_resync(&mut site, &browser, look).await;
    save_a_datastream(&browser, look).await;
    log_out(&browser, look).await;
    browser.close().await;
}

async fn log_in(browser: &Browser, look: Look) {
    browser.open("/orders/000000001").await;
    browser.wait_for("A login is needed", look).await;
    browser
        .client
        .find(Locator::LinkText("Log in"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    browser.fill("password", "wrong").await;
    browser.press("Log in").await;
    browser.wait_for("The password is wrong.", look).await;
    browser.fill("password", PASSWORD).await;
    browser.press("Log in").await;
    // The login leads back to the page that needed it.
    browser.wait_for("Order 000000001", look).await;
    browser.wait_for("Log out", look).await;
}

async fn change_the_mode(site: &Site, browser: &Browser, look: Look) {
    let mode = || site.shop.installation.index().unwrap().mode;
    browser.open("/indexers").await;
    browser.press("Update on Save").await;
    browser.wait_for("Done.", look).await;
    assert_eq!(mode(), ViewMode::Realtime);
    browser.press("Update by Schedule").await;
    browser.wait_for("Update by Schedule now", look).await;
    assert_eq!(mode(), ViewMode::Schedule);
}

/// Makes backfills wait: delivery is paused, and as many events are pending as may be.
fn hold_backfills(site: &mut Site) {
    site.shop.installation.run(&["delivery", "pause"]).ok();
    eventually("every sender pauses", || {
        site.sender_states().iter().all(|state| state == "paused")
    });
    // An order has more than four events.
    site.shop.live_through(300);
    // The daemon measures the outbox now and then, while it indexes.
    eventually("backfills wait", || {
        site.shop.place();
        let intake = site.shop.installation.read_store(|reader| reader.intake());
        matches!(intake, Some(Some((Flow::HistoryWaits, _))))
    });
}

fn release_backfills(site: &Site) {
    site.shop.installation.run(&["delivery", "resume"]).ok();
}

async fn watch_a_reindex(site: &mut Site, browser: &Browser, look: Look) {
    browser.open("/indexers").await;
    browser.press("Reindex").await;
    browser.wait_for(&format!("{ORDERS} orders"), look).await;
    hold_backfills(site);
    browser.press("Reindex").await;
    assert!(
        browser
            .appears("#grid progress", look, Duration::from_secs(30))
            .await,
        "no bar"
    );
    release_backfills(site);
    browser.wait_for("Ready", look).await;
    eventually("the index is valid", || {
        site.shop.installation.index().unwrap().status == IndexerStatus::Valid
    });
}

async fn retry_a_failed_event(site: &mut Site, browser: &Browser, look: Look) {
    let order = site.place_in("base");
    edge::refuse_placed(&site.edge, order);
    let key = format!("{order}:placed:{order}");
    browser.open("/failed").await;
    browser.wait_for(&key, look).await;
    browser
        .client
        .find(Locator::LinkText(&key))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    browser.wait_for("EXEG-0305-400", look).await;
    site.edge.reset();
    browser.press("Retry").await;
    browser.wait_for("Done.", look).await;
    browser.open("/failed").await;
    browser.wait_for("No event has failed.", look).await;
}

async fn stop_a_resync(site: &mut Site, browser: &Browser, look: Look) {
    browser.open("/history").await;
    // A date field takes the digits of its parts, in the order of the browser's language.
    browser.fill("from", "01012001").await;
    browser.press("Count orders").await;
    browser.wait_for("orders will be read", look).await;
    hold_backfills(site);
    browser.press("Start").await;
    assert!(
        browser
            .appears("#running progress", look, Duration::from_secs(30))
            .await,
        "no bar"
    );
    browser.press("Stop").await;
    browser.wait_for("Done.", look).await;
    eventually("the resync has ended", || {
        let running = |reader: &orderfeed::store::Reader<'_>| reader.running_backfills();
        site.shop
            .installation
            .read_store(running)
            .is_some_and(|running| running.is_empty())
    });
    release_backfills(site);
}

async fn save_a_datastream(browser: &Browser, look: Look) {
    let other = edge::datastream(1);
    browser.open("/connector?website=base").await;
    browser.fill("websites-base-datastream-id", &other).await;
    browser.press("Save").await;
    browser
        .wait_for(
            "will be sent to a datastream that did not receive them before",
            look,
        )
        .await;
    browser.press("Save").await;
    browser.wait_for("Done.", look).await;
    browser
        .wait_for(&format!("In force: datastream {other}"), look)
        .await;
    // Its origin is the file of the saved settings.
    browser.wait_for("orderfeed.db.settings.toml", look).await;
}

async fn log_out(browser: &Browser, look: Look) {
    browser.open("/").await;
    browser.press("Log out").await;
    browser.wait_for("Read-only", look).await;
    let buttons = browser
        .client
        .find_all(Locator::Css("main form button"))
        .await
        .unwrap();
    assert_eq!(buttons.len(), 0, "an anonymous viewer has no action");
}
