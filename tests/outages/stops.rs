//! Stops with hanging requests, two signals, and a second daemon on the same store.

use std::time::{Duration, Instant};

use orderfeed_emulator::FaultStep;

use super::SOON;
use crate::support::daemon::eventually;
use crate::support::edge;
use crate::support::embedded::ShopFixture;

/// Returns a script in which every request hangs before anything is recorded.
fn hang() -> Vec<FaultStep> {
    vec![FaultStep {
        hang_ms: Some(120_000),
        times: Some(0),
        ..FaultStep::default()
    }]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_no_longer_than_its_budget_for_requests_that_hang_and_keeps_what_is_pending() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 60);
    fixture
        .installation
        .layer("stop", "[delivery]\nstop_budget = \"2s\"\n");
    edge.script(hang()).unwrap();
    let mut daemon = fixture.installation.start();
    eventually("requests hang", || edge.totals().requests >= 3);
    eventually("the history is indexed", || {
        fixture
            .installation
            .index()
            .is_some_and(|i| i.status.as_str() == "valid")
    });
    let pending = fixture.installation.pending();
    let started = Instant::now();
    daemon.terminate();
    let status = daemon.exit_within(SOON);
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(
        started.elapsed() < Duration::from_secs(6),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(
        fixture.installation.pending(),
        pending,
        "what was not accepted stays"
    );
    assert!(pending > 0);
    edge.reset();
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the delivery after the restart", || {
        fixture.is_served(&edge, expected.len())
    });
    assert_eq!(daemon.stop(), Some(0));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_the_daemon_at_once_and_not_with_zero() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 20);
    edge.script(hang()).unwrap();
    let mut daemon = fixture.installation.start();
    eventually("requests hang", || edge.totals().requests >= 2);
    daemon.terminate();
    eventually("the first signal is handled", || {
        fixture.installation.log().contains("The daemon stops")
    });
    assert!(daemon.is_running(), "the budget is not over");
    let started = Instant::now();
    daemon.terminate();
    let status = daemon.exit_within(SOON);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    assert!(
        fixture.installation.log().contains("A second signal"),
        "{}",
        fixture.installation.log()
    );
    assert!(fixture.installation.pending() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_on_the_same_store_is_refused_with_the_holder() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 10);
    let daemon = fixture.installation.start();
    let expected = fixture.expected();
    eventually("the first daemon works", || {
        fixture.is_served(&edge, expected.len())
    });
    let second = fixture.installation.run(&["run"]);
    assert_eq!(second.code, Some(75), "{second:?}");
    let holder = format!("orderfeed run (process {})", daemon.pid());
    assert!(second.stderr.contains(&holder), "{second:?}");
    assert!(second.stderr.lines().count() <= 12, "{second:?}");
    assert_eq!(daemon.stop(), Some(0));
}
