//! A reload under load: a new secret, another website, another schedule, and no lost request.

use rustix::process::Signal;

use crate::support::daemon::eventually;
use crate::support::edge;
use crate::support::embedded::ShopFixture;
use orderfeed_demo_shop::shop::Shop;

/// The client's new secret.
const ROTATED: &str = "the-secret-of-tomorrow";
/// Latency of the edge during the reload, in milliseconds.
const SLOW_MS: u64 = 1_500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_applies_secret_website_and_schedule_and_loses_no_request_in_flight() {
    let edge = edge::start().await;
    let fixture = ShopFixture::new(&edge.server_url(), 80);
    let joins = Shop::website_codes()[1];
    let off = format!("[websites.{joins}]\nback_office_events = false\n");
    fixture.installation.layer("site", &off);
    edge.configure(|config| config.latency_ms = SLOW_MS);
    let daemon = fixture.installation.start();
    eventually("requests are in flight", || {
        edge.totals().requests > 1 && edge::unanswered(&edge) > 0
    });

    edge.configure(|config| {
        for client in config.clients.values_mut() {
            ROTATED.clone_into(&mut client.secret);
        }
    });
    edge.expire_tokens();
    let site = format!(
        "[edge.oauth]\nclient_secret = \"{ROTATED}\"\n[cron]\nverify_source = \"* * * * * *\"\n\
         [websites.{joins}]\nback_office_events = true\n"
    );
    fixture.installation.layer("site", &site);
    daemon.signal(Signal::HUP);
    eventually("the reload", || {
        fixture.installation.log().contains("is in force")
    });
    edge.configure(|config| config.latency_ms = 0);

    let expected = fixture.expected();
    eventually("all websites are served with the new secret", || {
        fixture.is_served(&edge, expected.len())
    });
    eventually("the new schedule", || {
        let runs = fixture
            .installation
            .read_store(|reader| reader.cron_history(Some("verify_source"), 1));
        runs.is_some_and(|runs| !runs.is_empty())
    });
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(edge::unanswered(&edge), 0, "each request waited for its answer");
    assert_eq!(edge.totals().duplicates, 0, "and none was sent twice");
    assert!(!fixture.installation.log().contains(ROTATED));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}
