//! Pictures of every page, light and dark, wide and narrow, and a check of their accessibility.

use std::path::Path;

use serde_json::{Value, json};

use super::driver::{Browser, Look};
use crate::support::daemon::{PATIENCE, eventually, say};
use crate::support::edge;
use crate::web::fixture::{PASSWORD, Site};
use orderfeed::store::outbox::FinalState;

/// The bytes that the picture of the README may have.
const MOST_BYTES: usize = 150_000;

const PAGES: [(&str, &str); 11] = [
    ("overview", "/"),
    ("failed", "/failed"),
    ("indexers", "/indexers"),
    ("schedules", "/schedules"),
    ("history", "/history"),
    ("connector", "/connector?website=base"),
    ("reports", "/reports"),
    ("log", "/log"),
    ("runbook", "/log/OF06-01"),
    ("about", "/about"),
    ("confirm", "/failed"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_and_has_a_picture() {
    let (mut site, base) = Site::with_password(3_000, "edit_settings = true\n").await;
    site.settle();
    let order = site.shop.place();
    edge::refuse_placed(&site.edge, order);
    for _ in 0..40 {
        site.shop.act();
    }
    let failed = |reader: &orderfeed::store::Reader<'_>| {
        reader.parked(&orderfeed::store::outbox::ParkedFilter::default(), 10)
    };
    eventually("an event is parked", || {
        site.shop
            .installation
            .read_store(failed)
            .is_some_and(|events| !events.is_empty())
    });
    record_a_day(&site);
    for (width, is_dark) in [(1280, false), (1280, true), (360, false), (360, true)] {
        let look = Look {
            width,
            is_dark,
            has_script: true,
        };
        let Some(browser) = Browser::start(&base, look).await else {
            return;
        };
        browser.open("/login").await;
        browser.fill("password", PASSWORD).await;
        browser.press("Log in").await;
        browser.wait_for("Log out", look).await;
        let tone = if is_dark { "dark" } else { "light" };
        let key = format!("/failed/{order}:placed:{order}");
        let number = first_number(&site);
        let order_page = format!("/orders/{number}");
        let more = [("event", key.as_str()), ("order", order_page.as_str())];
        for (name, path) in PAGES.into_iter().chain(more) {
            browser.open(path).await;
            if name == "confirm" {
                browser.press("Retry all matching").await;
                browser.wait_for("Cancel", look).await;
            }
            browser.save(&format!("{name}-{tone}-{width}")).await;
            assert_fits(&browser, name, width).await;
            assert_accessible(&browser, name, look).await;
        }
        if width == 1280 && !is_dark {
            save_for_readme(&browser).await;
        }
        browser.close().await;
    }
}

/// Records a day of traffic that ends with what was delivered, so that the pictures show a sparkline.
fn record_a_day(site: &Site) {
    let installation = &site.shop.installation;
    let totals = installation
        .read_store(|reader| reader.outbox_by_website())
        .unwrap();
    let mut store = rusqlite::Connection::open(installation.path("orderfeed.db")).unwrap();
    store.busy_timeout(PATIENCE).unwrap();
    let transaction = store.transaction().unwrap();
    for outbox in totals {
        let delivered = outbox
            .totals
            .iter()
            .filter(|total| total.1 == FinalState::Delivered);
        let delivered: u64 = delivered.map(|total| total.2).sum();
        for ago in 1..1_440 {
            // The rate rises and falls twice.
            let wave = (ago as f64 / 1_440.0 * 4.0 * std::f64::consts::PI).sin() * 100.0;
            let before = delivered as f64 * (1.0 - (ago as f64 + wave) / 1_600.0);
            let sql =
                "INSERT OR REPLACE INTO traffic_minute VALUES (unixepoch() / 60 - ?1, ?2, ?3, 0, 0, NULL)";
            transaction
                .execute(sql, (ago, outbox.website, before as i64))
                .unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// Checks the size of the README's picture, and replaces it if `REGENERATE` is set.
async fn save_for_readme(browser: &Browser) {
    browser.client.set_window_size(1_120, 900).await.unwrap();
    browser.open("/").await;
    let picture = std::fs::read(browser.save("readme").await).unwrap();
    assert!(
        picture.len() <= MOST_BYTES,
        "the picture has {} bytes",
        picture.len()
    );
    if std::env::var_os("REGENERATE").is_some() {
        std::fs::write(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/overview.png"),
            picture,
        )
        .unwrap();
    }
}

/// Returns the number of an order that the shop holds.
fn first_number(site: &Site) -> String {
    let sql = "SELECT increment_id FROM sales_order WHERE state = 'complete' LIMIT 1";
    site.shop.sql().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Asserts that the page does not scroll sideways; wide tables do so inside themselves.
async fn assert_fits(browser: &Browser, name: &str, width: u32) {
    let script = "return document.documentElement.scrollWidth";
    let found = browser.client.execute(script, Vec::new()).await.unwrap();
    let found = found.as_u64().unwrap();
    assert!(
        found <= u64::from(width),
        "{name} is {found} pixels wide, the window {width}"
    );
}

/// Asserts that axe-core finds nothing serious; skipped where it was not fetched.
async fn assert_accessible(browser: &Browser, name: &str, look: Look) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.tools/axe.min.js");
    let Ok(axe) = std::fs::read_to_string(path) else {
        say("skipped: there is no axe-core; tests/fetch-axe fetches it");
        return;
    };
    browser.client.execute(&axe, Vec::new()).await.unwrap();
    let run = "const done = arguments[0]; axe.run().then((result) => done(result.violations))";
    let found = browser.client.execute_async(run, Vec::new()).await.unwrap();
    let serious: Vec<Value> = found
        .as_array()
        .unwrap()
        .iter()
        .filter(|violation| {
            ["serious", "critical"]
                .iter()
                .any(|impact| violation["impact"] == *impact)
        })
        .map(|violation| {
            let nodes = violation["nodes"].as_array().unwrap().iter();
            let places: Vec<&Value> = nodes.map(|node| &node["html"]).take(3).collect();
            json!({"rule": violation["id"], "places": places})
        })
        .collect();
    assert!(serious.is_empty(), "{name}, {look:?}: {serious:#?}");
}
