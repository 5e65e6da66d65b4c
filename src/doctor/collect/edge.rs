//! Asking the edge and the token service, as `test-connection` does, all at once.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::Config;
use crate::delivery::connection_test::{CheckVerdict, ConnectionCheck, ConnectionTest};
use crate::doctor::edge::Facts;
use orderfeed_model::clock::Clock;

/// For addresses and token, and again for the round trips.
const LIMIT: Duration = Duration::from_secs(7);

pub(super) async fn look(config: &Arc<Config>, clock: &Clock, only: Option<&str>) -> Facts {
    let test = match ConnectionTest::new(Arc::clone(config), clock.clone()) {
        Ok(test) => Arc::new(test),
        Err(error) => {
            return Facts {
                unusable: Some(error.to_string()),
                ..Facts::default()
            };
        }
    };
    let (address, token_address, token) = tokio::join!(
        within(test.edge_address()),
        within(test.token_address()),
        within(test.token()),
    );
    let websites = round_trips(&test, config, only, refusal(address.as_ref(), token.as_ref())).await;
    Facts {
        unusable: None,
        address,
        token_address,
        token,
        websites,
    }
}

async fn within<T>(question: impl Future<Output = T>) -> Option<T> {
    timeout(LIMIT, question).await.ok()
}

/// Why no website is asked for, if that is so.
fn refusal(address: Option<&ConnectionCheck>, token: Option<&ConnectionCheck>) -> Option<&'static str> {
    let failed = |check: Option<&ConnectionCheck>| {
        check.is_none_or(|check| matches!(check.verdict, CheckVerdict::Failed | CheckVerdict::Unreachable))
    };
    match (failed(address), failed(token)) {
        (true, _) => Some("not asked, because the edge cannot be reached"),
        (false, true) => Some("not asked, because there is no token"),
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
    let mut asked = JoinSet::new();
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
                asked.spawn(async move {
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
    while let Some(answer) = asked.join_next().await {
        websites.extend(answer.ok());
    }
    websites.sort_by(|a, b| a.0.cmp(&b.0));
    websites
}
