//! Pending and live changes are no difference.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{number, verify, without_triggers};
use crate::support::daemon::eventually;
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// Verifies, and changes the shop with `change` every `pause` until that ends.
fn verify_during(mut verify: Command, pause: Duration, mut change: impl FnMut()) -> (Option<i32>, Value) {
    let mut verifying = verify.stdout(Stdio::piped()).spawn().unwrap();
    while verifying.try_wait().unwrap().is_none() {
        change();
        std::thread::sleep(pause);
    }
    let output = verifying.wait_with_output().unwrap();
    (
        output.status.code(),
        serde_json::from_slice(&output.stdout).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_traffic_is_neither_reported_nor_delayed() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 300);
    let daemon = fixture.installation.start();
    let expected = fixture.expected().len();
    eventually("the first sync", || fixture.is_served(&edge, expected));
    let (verify, mut actions) = (fixture.installation.command(&["verify", "--json"]), 0);
    let (code, report) = verify_during(verify, Duration::from_millis(2), || {
        fixture.act();
        actions += 1;
    });
    assert_eq!(code, Some(0), "after {actions} changes: {report:#}");
    let served = fixture.expected().len();
    eventually("everything arrives", || fixture.is_served(&edge, served));
    assert_eq!(edge.totals().duplicates, 0);
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_order_that_stays_different_differs() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 60);
    let daemon = fixture.installation.start();
    let expected = fixture.expected().len();
    eventually("the first sync", || fixture.is_served(&edge, expected));
    // Its time is not touched, and no trigger reports it.
    let change = |status: &str| {
        without_triggers(
            &fixture,
            &format!(
                "UPDATE sales_order SET status = '{status}' WHERE entity_id = (SELECT min(entity_id) FROM sales_order)"
            ),
        );
    };
    change("unseen");
    let (repeated, mut changes) = (fixture.installation.command(&["verify", "--json"]), 0);
    let (code, report) = verify_during(repeated, Duration::from_millis(50), || {
        changes += 1;
        change(&format!("unseen_{changes}"));
    });
    assert_eq!(
        (code, number(&report, "/waiting")),
        (Some(0), 1),
        "after {changes} changes: {report:#}"
    );

    let (code, report) = verify(&fixture.installation, &[]);
    assert_eq!(
        (code, number(&report, "/differing/stale")),
        (Some(1), 1),
        "{report:#}"
    );
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_a_daemon_would_still_capture_are_no_difference() {
    let edge = edge::start().await;
    let mut fixture = ShopFixture::new(&edge.server_url(), 60);
    let daemon = fixture.installation.start();
    let expected = fixture.expected().len();
    eventually("the first sync", || fixture.is_served(&edge, expected));
    assert_eq!(daemon.stop(), Some(0));
    let placed = fixture.place();
    let (code, report) = verify(&fixture.installation, &[]);
    assert_eq!((code, number(&report, "/waiting")), (Some(0), 1), "{report:#}");

    without_triggers(
        &fixture,
        "UPDATE sales_order SET status = 'unseen' WHERE entity_id = (SELECT min(entity_id) FROM sales_order)",
    );
    let (code, report) = verify(&fixture.installation, &["--repair"]);
    assert_eq!((code, number(&report, "/repaired")), (Some(0), 1), "{report:#}");
    let daemon = fixture.installation.start();
    let served = fixture.expected().len();
    eventually("the next daemon does it", || fixture.is_served(&edge, served));
    let (code, report) = verify(&fixture.installation, &["--orders", &placed.to_string()]);
    assert_eq!((code, number(&report, "/orders")), (Some(0), 1), "{report:#}");
    assert_eq!(daemon.stop(), Some(0));
}
