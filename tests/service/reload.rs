//! A reload under load: a new secret, another website, another schedule, and no lost request.

use rustix::process::Signal;

use crate::support::daemon::eventually;
use crate::support::edge;
use crate::support::embedded::ShopHouse;
use orderfeed_demo_shop::shop::Shop;

/// The client's new secret.
const ROTATED: &str = "the-secret-of-tomorrow";
/// Latency of the edge during the reload, in milliseconds.
const SLOW_MS: u64 = 1_500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_rotates_the_secret_adds_a_website_and_plans_anew_and_no_request_in_flight_is_lost() {
    let edge = edge::start().await;
    let house = ShopHouse::new(&edge.server_url(), 80);
    let joins = Shop::website_codes()[1];
    let off = format!("[websites.{joins}]\nback_office_events = false\n");
    house.installation.layer("site", &off);
    edge.configure(|config| config.latency_ms = SLOW_MS);
    let daemon = house.installation.start();
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
    house.installation.layer("site", &site);
    daemon.signal(Signal::HUP);
    eventually("the reload", || house.installation.log().contains("is in force"));
    edge.configure(|config| config.latency_ms = 0);

    let expected = house.expected();
    eventually("all websites are served with the new secret", || {
        house.is_served(&edge, expected.len())
    });
    eventually("the new schedule", || {
        let runs = house
            .installation
            .look(|reader| reader.cron_history(Some("verify_source"), 1));
        runs.is_some_and(|runs| !runs.is_empty())
    });
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(edge::unanswered(&edge), 0, "each request waited for its answer");
    assert_eq!(edge.totals().duplicates, 0, "and none was sent twice");
    assert!(!house.installation.log().contains(ROTATED));
    edge::assert_holds(&edge, &expected);
    edge::assert_promises(&edge);
}
