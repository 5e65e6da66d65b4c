//! Facts about the edge and the token service: the checks of `test-connection`, in parallel.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::Config;
use crate::delivery::connection_test::{CheckVerdict, ConnectionCheck, ConnectionTest};
use crate::doctor::edge::EdgeFacts;
use orderfeed_model::clock::Clock;

/// Time limit for addresses and token, and again for the round trips.
const LIMIT: Duration = Duration::from_secs(7);

pub(super) async fn collect(config: &Arc<Config>, clock: &Clock, only: Option<&str>) -> EdgeFacts {
    let test = match ConnectionTest::new(Arc::clone(config), clock.clone()) {
        Ok(test) => Arc::new(test),
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
    let failed = |check: Option<&ConnectionCheck>| {
        check.is_none_or(|check| matches!(check.verdict, CheckVerdict::Failed | CheckVerdict::Unreachable))
    };
    match (failed(address), failed(token)) {
        (true, _) => Some("not checked, because the edge cannot be reached"),
        (false, true) => Some("not checked, because there is no token"),
        (false, false) => None,
    }
}

async fn round_trips(
    test: &Arc<ConnectionTest>,
    config: &Config,
    only: Option<&str>,
    refusal: Option<&'static str>,
) -> Vec<(String, Result<ConnectionCheck, String>)> {
    let mut websites = Vec::new();
    let mut checks = JoinSet::new();
    let chosen = config
        .websites
        .iter()
        .filter(|(code, _)| only.is_none_or(|only| *code == only));
    for (code, website) in chosen {
        match (&website.datastream, refusal) {
            (None, _) => {
                let why =
                    "its back-office events are switched off and it has no datastream, so nothing is sent";
                websites.push((code.clone(), Err(why.to_owned())));
            }
            (Some(_), Some(why)) => websites.push((code.clone(), Err(why.to_owned()))),
            (Some(datastream), None) => {
                let (test, code, datastream) = (Arc::clone(test), code.clone(), datastream.clone());
                checks.spawn(async move {
                    let answer = within(test.round_trip(&code, &datastream)).await;
                    let late = || format!("no answer within {} s", LIMIT.as_secs());
                    let silent = || ConnectionCheck {
                        remedy: Some("check edge.url, the network and proxies in between".to_owned()),
                        ..ConnectionCheck::new("edge", CheckVerdict::Unreachable, &late())
                    };
                    (code, Ok(answer.unwrap_or_else(silent)))
                });
            }
        }
    }
    while let Some(answer) = checks.join_next().await {
        websites.extend(answer.ok());
    }
    // In the order of their codes, not of their answers.
    websites.sort_by(|a, b| a.0.cmp(&b.0));
    websites
}
