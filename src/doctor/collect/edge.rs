//! Asking the edge and the token service, as `test-connection` does, all at once.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::Config;
use crate::delivery::probe::{Check, Probe, Verdict};
use crate::doctor::edge::Facts;
use orderfeed_model::clock::Clock;

/// For addresses and token, and again for the round trips.
const LIMIT: Duration = Duration::from_secs(7);

pub(super) async fn look(config: &Arc<Config>, clock: &Clock, only: Option<&str>) -> Facts {
    let probe = match Probe::new(Arc::clone(config), clock.clone()) {
        Ok(probe) => Arc::new(probe),
        Err(error) => {
            return Facts {
                unusable: Some(error.to_string()),
                ..Facts::default()
            };
        }
    };
    let (address, token_address, token) = tokio::join!(
        within(probe.edge_address()),
        within(probe.token_address()),
        within(probe.token()),
    );
    let websites = round_trips(&probe, config, only, refusal(address.as_ref(), token.as_ref())).await;
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
fn refusal(address: Option<&Check>, token: Option<&Check>) -> Option<&'static str> {
    let failed = |check: Option<&Check>| {
        check.is_none_or(|check| matches!(check.verdict, Verdict::Failed | Verdict::Unreachable))
    };
    match (failed(address), failed(token)) {
        (true, _) => Some("not asked, because the edge cannot be reached"),
        (false, true) => Some("not asked, because there is no token"),
        (false, false) => None,
    }
}

async fn round_trips(
    probe: &Arc<Probe>,
    config: &Config,
    only: Option<&str>,
    refusal: Option<&'static str>,
) -> Vec<(String, Result<Check, String>)> {
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
                let (probe, code, datastream) = (Arc::clone(probe), code.clone(), datastream.clone());
                asked.spawn(async move {
                    let answer = within(probe.round_trip(&code, &datastream)).await;
                    let late = || format!("no answer within {} s", LIMIT.as_secs());
                    let silent = || Check {
                        remedy: Some("check edge.url, the network and proxies in between".to_owned()),
                        ..Check::new("edge", Verdict::Unreachable, &late())
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
