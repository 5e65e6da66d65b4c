//! Findings about the edge: wrong datastream, expired secret, edge down, one order refused, a clock one hour off.

use orderfeed_demo_shop::shop::Shop;
use orderfeed_emulator::{ClientConfig, Emulator, EmulatorConfig};
use serde_json::json;

use super::fixture::{examine, examine_with};
use crate::support::daemon::{eventually, now};
use crate::support::edge;
use crate::support::embedded::ShopFixture;

const HOUR_MS: i64 = 3_600_000;

/// Polls `status` until it prints `words`.
fn until_status(fixture: &ShopFixture, words: &str) -> String {
    let mut status = String::new();
    eventually(words, || {
        status = fixture.installation.run(&["status"]).stdout;
        status.contains(words)
    });
    status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_problems_nothing_is_found_and_nothing_is_changed() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 30);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the history is served", || {
        fixture.is_served(&edge, expected.len())
    });
    let examination = examine(&fixture.installation);
    assert_eq!(examination.complaints(), Vec::<String>::new());
    assert_eq!(
        (examination.code, &examination.report["verdict"]),
        (Some(0), &json!("ok"))
    );
    examination.finds(
        "daemon.running",
        "ok",
        &[&format!("process {}", daemon.pid())],
        &[],
    );
    examination.finds("clock.edge", "ok", &["agrees"], &[]);
    examination.finds("source.websites", "ok", &["all 4 websites"], &[]);
    assert_eq!(
        examination.of_check("edge.datastream").len(),
        Shop::website_codes().len()
    );
    edge::assert_holds(&edge, &expected);
    assert_eq!(daemon.stop(), Some(0));
    let text = fixture.installation.run(&["doctor"]);
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
    let fixture = ShopFixture::new(&edge.server_url(), 10);
    let wrong = "[websites.base]\ndatastream_id = \"deadbeef-0000-4000-8000-000000000000\"\n";
    fixture.installation.layer("wrong", wrong);
    let daemon = fixture.installation.start();
    let status = until_status(&fixture, "HALTED");
    assert!(status.contains("EXEG-0003-400"), "{status}");
    let examination = examine(&fixture.installation);
    let key = &["websites.base.datastream_id"];
    examination.finds("edge.datastream", "problem", &["EXEG-0003-400", "request "], key);
    examination.finds(
        "delivery.sender",
        "problem",
        &["halted", "EXEG-0003-400", "events wait"],
        &["--website base"],
    );
    assert!(
        fixture.installation.log().contains("Delivery halted"),
        "{}",
        fixture.installation.log()
    );
    let other = examine_with(&fixture.installation, &["--website", "eu"]);
    assert_eq!(other.of_check("edge.datastream").len(), 1);
    assert_eq!(
        other.code,
        Some(0),
        "the other website is fine: {:?}",
        other.complaints()
    );
    let unknown = fixture.installation.run(&["doctor", "--website", "nowhere"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_secret_is_reported_with_the_token_services_answer() {
    let mut settings = edge::settings();
    let rotated = |client: &mut ClientConfig| client.secret = "another-one".to_owned();
    settings.clients.values_mut().for_each(rotated);
    let edge = Emulator::start(settings).await.unwrap();
    let fixture = ShopFixture::new(&edge.server_url(), 5);
    let daemon = fixture.installation.start();
    let status = until_status(&fixture, "HALTED");
    assert!(status.contains("refuses the client"), "{status}");
    let examination = examine(&fixture.installation);
    examination.finds(
        "edge.token",
        "problem",
        &["refuses the client", "invalid_client"],
        &["client_secret"],
    );
    examination.finds("edge.datastream", "skipped", &["there is no token"], &[]);
    examination.finds(
        "delivery.sender",
        "problem",
        &["halted", "refuses the client"],
        &["fix what the reason names"],
    );
    assert!(
        fixture.installation.log().contains("invalid_client"),
        "{}",
        fixture.installation.log()
    );
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_is_down_is_named_by_its_address() {
    let address = edge::free_address();
    let fixture = ShopFixture::new(&format!("http://{address}"), 5);
    let daemon = fixture.installation.start();
    let status = until_status(&fixture, "backing off");
    assert!(
        status.contains("the token service gives no token right now"),
        "{status}"
    );
    let examination = examine(&fixture.installation);
    examination.finds(
        "edge.address",
        "problem",
        &[&address.to_string(), "refused"],
        &["edge.url"],
    );
    examination.finds("edge.datastream", "skipped", &["cannot be reached"], &[]);
    examination.finds(
        "delivery.sender",
        "warning",
        &["delivery has failed for"],
        &["by itself"],
    );
    let log = fixture.installation.log();
    assert!(
        log.contains("Delivery to the edge failed") && log.contains("efused"),
        "{log}"
    );
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_pause_is_named_with_its_end_and_nothing_is_sent() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 5);
    edge.script_json(json!([{"status": 429, "retry_after": "3000"}]))
        .unwrap();
    let daemon = fixture.installation.start();
    let status = until_status(&fixture, "the edge asked to wait until ");
    let wait = "min); `orderfeed delivery resume` does not shorten the pause";
    assert!(
        status.contains(" UTC (in 4") && status.contains("does not shorten the pause"),
        "{status}"
    );
    assert!(!status.contains("0 failures"), "{status}");
    let log = fixture.installation.log();
    assert!(
        log.contains("OF06-08")
            && log.contains("Delivery waits: the edge asked to wait until")
            && log.contains(wait),
        "{log}"
    );
    let resumed = fixture.installation.run(&["delivery", "resume"]);
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    let before = edge.totals().requests;
    let asked = &["asked to wait until"];
    let examination = examine(&fixture.installation);
    examination.finds("edge.datastream", "warning", asked, &["by itself"]);
    examination.finds("edge.token", "ok", &[], &[]);
    examination.finds("delivery.sender", "warning", asked, &["does not shorten"]);
    let tested = fixture.installation.run(&["test-connection"]);
    assert_eq!(tested.code, Some(69), "{tested:?}");
    assert!(
        tested.stdout.contains("PAUSED") && tested.stdout.contains("asked to wait until"),
        "{tested:?}"
    );
    // Both fetched a token, and neither sent anything else.
    assert_eq!(edge.totals().requests - before, 2);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_order_that_the_edge_refuses_is_named_with_its_code() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 20);
    edge::refuse_placed(&edge, 7);
    let daemon = fixture.installation.start();
    let status = until_status(&fixture, "parked");
    assert!(status.contains("failed list"), "{status}");
    let examination = examine(&fixture.installation);
    let remedy = &["failed show 7:placed:7", "failed retry"];
    examination.finds(
        "delivery.parked",
        "problem",
        &["7:placed:7", "EXEG-0305-400"],
        remedy,
    );
    examination.finds("edge.datastream", "ok", &[], &[]);
    let log = fixture.installation.log();
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
    let fixture = ShopFixture::new(&edge.server_url(), 1);
    let examination = examine(&fixture.installation);
    for check in ["clock.edge", "clock.tokens"] {
        examination.finds(check, "problem", &["1h 0m ahead of"], &["timedatectl"]);
    }
}
