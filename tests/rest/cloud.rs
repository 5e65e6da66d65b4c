//! Adobe Commerce as a Cloud Service: tokens of IMS that expire, and the journal as a hint.

use orderfeed_mock_commerce::{Effect, Fault, MockConfig};

use super::fixture::RestFixture;
use crate::support::daemon::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_expire_in_the_middle_are_replaced() {
    let mut rest = RestFixture::start_in_the_cloud(200, MockConfig::default()).await;
    let daemon = rest.installation().start();
    for _ in 0..5 {
        let before = rest.mock.ledger().total();
        rest.mock.expire_tokens();
        let limited = Effect::TooMany { retry_after: Some(1) };
        rest.mock.script([Fault::once(limited).on("/V1/orders")]);
        for _ in 0..5 {
            rest.shop.act();
        }
        eventually("the daemon sends requests", || {
            rest.mock.ledger().total() > before + 3
        });
    }
    rest.wait_until_served();
    let tokens = rest.requests("/ims/token/v3");
    assert!((2..20).contains(&tokens), "{tokens} tokens were fetched");
    rest.assert_whole(daemon);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_shows_what_the_lists_would_show_in_an_hour() {
    let config = MockConfig {
        journal_pause_s: 1,
        ..MockConfig::default()
    };
    let mut rest = RestFixture::start_in_the_cloud(30, config).await;
    let cloud = rest.mock.config().cloud.clone();
    let journal = format!(
        "[source.rest]\npoll_interval = \"1h\"\n[source.rest.journal]\nurl = \"{}\"\ntoken_url = \"{}\"\nclient_id = \"{}\"\n\
         client_secret = \"{}\"\ninterval = \"200ms\"\n",
        rest.mock.journal_url(),
        rest.mock.ims_url(),
        cloud.client_id,
        cloud.client_secret
    );
    rest.installation().layer("rest2", &journal);
    let daemon = rest.installation().start();
    rest.wait_until_served();
    // The ledger has a placeholder for each id in the path.
    let journal = "/events/organizations/{id}/integrations/{id}/{id}";
    eventually("the journal is read", || rest.requests(journal) > 0);
    let polls = rest.requests("/V1/orders");
    // The order's id, its number, the same again, and an order that does not exist.
    let (one, other) = (rest.shop.place(), rest.shop.place());
    rest.mock.push_order_event(other, "");
    rest.mock.push_order_event(one, "");
    rest.mock.push_order_event(one, "");
    rest.mock.push_order_event(999_999, "");
    rest.wait_until_served();
    assert!(
        rest.requests("/V1/orders") < polls + 40,
        "the lists were polled instead"
    );
    // The position is gone: the lists are read at once.
    let before = rest.requests(journal);
    rest.shop.place();
    for _ in 0..3 {
        rest.mock.push_order_event(999_999, "");
    }
    rest.mock.expire_events(0);
    rest.wait_until_served();
    assert!(rest.requests(journal) > before);
    rest.assert_whole(daemon);
}
