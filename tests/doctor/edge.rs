//! Findings about the edge: wrong datastream, expired secret, edge down, one order refused, a clock one hour off.

use orderfeed_demo_shop::shop::Shop;
use orderfeed_emulator::{ClientConfig, Emulator, EmulatorConfig};
use orderfeed_events::{EventKind, event_id};
use serde_json::json;

use super::rig::{examine, examine_with};
use crate::support::daemon::{eventually, now};
use crate::support::edge;
use crate::support::embedded::ShopHouse;

const HOUR_MS: i64 = 3_600_000;

/// Polls `status` until it prints `words`.
fn until_status(house: &ShopHouse, words: &str) -> String {
    let mut status = String::new();
    eventually(words, || {
        status = house.installation.run(&["status"]).stdout;
        status.contains(words)
    });
    status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_wrong_nothing_is_found_and_nothing_is_disturbed() {
    let edge = edge::start().await;
    let house = ShopHouse::new(&edge.server_url(), 30);
    let daemon = house.installation.start();
    let expected = house.expected();
    eventually("the history is served", || house.is_served(&edge, expected.len()));
    let visit = examine(&house.installation);
    assert_eq!(visit.complaints(), Vec::<String>::new());
    assert_eq!((visit.code, &visit.report["verdict"]), (Some(0), &json!("ok")));
    visit.finds(
        "daemon.running",
        "ok",
        &[&format!("process {}", daemon.pid())],
        &[],
    );
    visit.finds("clock.edge", "ok", &["agrees"], &[]);
    visit.finds("source.websites", "ok", &["all 4 websites"], &[]);
    assert_eq!(
        visit.of_check("edge.datastream").len(),
        Shop::website_codes().len()
    );
    edge::assert_holds(&edge, &expected);
    assert_eq!(daemon.stop(), Some(0));
    let text = house.installation.run(&["doctor"]);
    assert_eq!(text.code, Some(1), "no daemon runs now: {text:?}");
    assert!(
        text.stdout.contains("PROBLEM daemon.running") && !text.stdout.contains('\u{1b}'),
        "{text:?}"
    );
    let last = text.stdout.lines().rev().nth(2).unwrap();
    assert!(
        last.contains("systemctl start orderfeed"),
        "the remedy stands last: {}",
        text.stdout
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_datastream_is_named_with_its_key() {
    let edge = edge::start().await;
    let house = ShopHouse::new(&edge.server_url(), 10);
    let wrong = "[websites.base]\ndatastream_id = \"deadbeef-0000-4000-8000-000000000000\"\n";
    house.installation.layer("wrong", wrong);
    let daemon = house.installation.start();
    let status = until_status(&house, "HALTED");
    assert!(status.contains("EXEG-0003-400"), "{status}");
    let visit = examine(&house.installation);
    let key = &["websites.base.datastream_id"];
    visit.finds("edge.datastream", "problem", &["EXEG-0003-400", "request "], key);
    visit.finds(
        "delivery.sender",
        "problem",
        &["halted", "EXEG-0003-400", "events wait"],
        &["--website base"],
    );
    assert!(
        house.installation.log().contains("Delivery halted"),
        "{}",
        house.installation.log()
    );
    let other = examine_with(&house.installation, &["--website", "eu"]);
    assert_eq!(other.of_check("edge.datastream").len(), 1);
    assert_eq!(
        other.code,
        Some(0),
        "the other website is fine: {:?}",
        other.complaints()
    );
    let unknown = house.installation.run(&["doctor", "--website", "nowhere"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_secret_is_named_by_what_the_token_service_says() {
    let mut settings = edge::settings();
    let rotated = |client: &mut ClientConfig| client.secret = "another-one".to_owned();
    settings.clients.values_mut().for_each(rotated);
    let edge = Emulator::start(settings).await.unwrap();
    let house = ShopHouse::new(&edge.server_url(), 5);
    let daemon = house.installation.start();
    let status = until_status(&house, "HALTED");
    assert!(status.contains("refuses the client"), "{status}");
    let visit = examine(&house.installation);
    visit.finds(
        "edge.token",
        "problem",
        &["refuses the client", "invalid_client"],
        &["client_secret"],
    );
    visit.finds("edge.datastream", "skipped", &["there is no token"], &[]);
    visit.finds(
        "delivery.sender",
        "problem",
        &["halted", "refuses the client"],
        &["mend"],
    );
    assert!(
        house.installation.log().contains("invalid_client"),
        "{}",
        house.installation.log()
    );
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_is_down_is_named_by_its_address() {
    let address = edge::free_address();
    let house = ShopHouse::new(&format!("http://{address}"), 5);
    let daemon = house.installation.start();
    let status = until_status(&house, "backing off");
    assert!(
        status.contains("the token service gives no token right now"),
        "{status}"
    );
    let visit = examine(&house.installation);
    visit.finds(
        "edge.address",
        "problem",
        &[&address.to_string(), "refused"],
        &["edge.url"],
    );
    visit.finds("edge.datastream", "skipped", &["cannot be reached"], &[]);
    visit.finds(
        "delivery.sender",
        "warning",
        &["could not take its events"],
        &["by itself"],
    );
    let log = house.installation.log();
    assert!(
        log.contains("Delivery to the edge failed") && log.contains("efused"),
        "{log}"
    );
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_order_that_the_edge_refuses_is_named_with_its_code() {
    let edge = edge::start().await;
    let house = ShopHouse::new(&edge.server_url(), 20);
    let poisoned = event_id(&edge::DATA_SPACE, EventKind::Placed, 7).to_string();
    edge.script_json(json!([{"code": "0305-400", "times": 0, "match": {"contains_id": poisoned}}]))
        .unwrap();
    let daemon = house.installation.start();
    let status = until_status(&house, "parked");
    assert!(status.contains("failed list"), "{status}");
    let visit = examine(&house.installation);
    let remedy = &["failed show 7:placed:7", "failed retry"];
    visit.finds(
        "delivery.parked",
        "problem",
        &["7:placed:7", "EXEG-0305-400"],
        remedy,
    );
    visit.finds("edge.datastream", "ok", &[], &[]);
    let log = house.installation.log();
    assert!(
        log.contains("Event parked") && log.contains("EXEG-0305-400"),
        "{log}"
    );
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_an_hour_off_is_found_by_the_peers_headers() {
    let settings = EmulatorConfig {
        clock: Some(now().plus_millis(-HOUR_MS).rfc3339()),
        ..edge::settings()
    };
    let edge = Emulator::start(settings).await.unwrap();
    let house = ShopHouse::new(&edge.server_url(), 1);
    let visit = examine(&house.installation);
    for check in ["clock.edge", "clock.tokens"] {
        visit.finds(check, "problem", &["1h 0m ahead of"], &["timedatectl"]);
    }
}
