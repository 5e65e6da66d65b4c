//! Another kind of source for the same shop: refused, and with the flag nothing is sent twice.

use orderfeed_mock_commerce::MockConfig;

use super::fixture::RestFixture;
use crate::support::daemon::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_moves_from_its_database_to_rest_sends_nothing_twice() {
    let mut rest = RestFixture::start(80, MockConfig::default()).await;
    let layer = rest.installation().path("conf.d/rest.toml");
    let over_rest = std::fs::read_to_string(&layer).unwrap();
    std::fs::remove_file(&layer).unwrap();
    let daemon = rest.installation().start();
    rest.wait_until_served();
    assert_eq!(daemon.stop(), Some(0));
    let sent = rest.edge.totals().events;
    rest.installation().layer("rest", &over_rest);
    let refused = rest.installation().run(&["run"]);
    assert_ne!(refused.code, Some(0));
    assert!(
        refused.stderr.contains("--accept-new-source"),
        "{}",
        refused.stderr
    );
    let examined = rest.installation().run(&["doctor", "--json"]);
    assert!(
        examined.stdout.contains("the store was filled by \\\"sqlite\\\""),
        "{}",
        examined.stdout
    );
    for _ in 0..20 {
        rest.shop.act();
    }
    let daemon = rest.installation().start_with(|command| {
        command.arg("--accept-new-source");
    });
    eventually("the history is read again", || rest.requests("/V1/orders") > 2);
    rest.wait_until_served();
    assert_eq!(rest.edge.totals().duplicates, 0);
    assert!(rest.edge.totals().events > sent, "the changes were sent");
    rest.assert_whole(daemon);
}
