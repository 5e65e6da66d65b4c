//! Facts about the edge and the token service: the checks of `test-connection`, in parallel.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::config::Config;
use crate::delivery::connection_test::{CheckVerdict, ConnectionCheck, ConnectionTest};
use crate::doctor::edge::EdgeFacts;
use crate::store::outbox::Pause;
use orderfeed_model::clock::Clock;

/// Time limit for addresses and token, and again for the round trips.
const LIMIT: Duration = Duration::from_secs(7);

pub(super) async fn collect(
    config: &Arc<Config>,
    clock: &Clock,
    pauses: Vec<Pause>,
    only: Option<&str>,
) -> EdgeFacts {
    let test = match ConnectionTest::new(Arc::clone(config), pauses, clock.clone()) {
        Ok(test) => test,
        Err(error) => {
            return EdgeFacts {
                unusable: Some(error.to_string()),
                ..EdgeFacts::default()
            };
        }
    };
    let (address, token_address, token) = tokio::join!(
        within(test.edge_address()),
        within(test.token_address()),
        within(test.token()),
    );
    // Without an address or a token every round trip would fail for the same reason.
    let websites = round_trips(&test, config, only, refusal(address.as_ref(), token.as_ref())).await;
    EdgeFacts {
        unusable: None,
        address,
        token_address,
        token,
        websites,
    }
}

async fn within<T>(check: impl Future<Output = T>) -> Option<T> {
    timeout(LIMIT, check).await.ok()
}

/// Returns the reason for which no round trip is made, if there is one.
fn refusal(address: Option<&ConnectionCheck>, token: Option<&ConnectionCheck>) -> Option<&'static str> {
    let failed = |check: Option<&ConnectionCheck>| check.is_none_or(|check| check.verdict > CheckVerdict::Ok);
    match (failed(address), failed(token)) {
        (true, _) => Some("not checked, because the edge cannot be reached"),
        (false, true) => Some("not checked, because there is no token"),
        (false, false) => None,
    }
}

async fn round_trips(
    test: &ConnectionTest,
    config: &Config,
    only: Option<&str>,
    refusal: Option<&str>,
) -> Vec<(String, Result<ConnectionCheck, String>)> {
    let websites = config.websites.iter();
    let chosen = websites.filter(|(code, _)| only.is_none_or(|only| *code == only));
    let checks = chosen.map(async |(code, website)| {
        let result = match (&website.datastream, refusal) {
            (None, _) => {
                Err("its back-office events are switched off and it has no datastream, so nothing is sent")
            }
            (Some(_), Some(why)) => Err(why),
            (Some(_), None) => {
                let answer = within(test.round_trip(code)).await;
                Ok(answer.unwrap_or_else(no_answer))
            }
        };
        (code.clone(), result.map_err(str::to_owned))
    });
    join_all(checks).await
}

fn no_answer() -> ConnectionCheck {
    let detail = format!("no answer within {} s", LIMIT.as_secs());
    ConnectionCheck {
        remedy: Some("check edge.url, the network and proxies in between".to_owned()),
        ..ConnectionCheck::new("edge", CheckVerdict::Unreachable, &detail)
    }
}
