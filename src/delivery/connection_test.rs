//! Would the edge take events? Address, token, and one harmless round trip, for `test-connection`.
//!
//! The round trip is a request whose list of events is empty. The edge looks at the datastream and the credentials first
//! and then refuses the empty list with `EXEG-0103-400`, so that this very refusal is the good answer: we were let in, and
//! nothing was ingested. Everything else means what it means to delivery, with the same remedies.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::config::{Config, DatastreamId, EdgeAuth};
use crate::delivery::http::client::{ClientError, client};
use crate::delivery::http::destination::{Attempt, Destination, Unsent};
use crate::delivery::http::tokens::{TokenError, TokenSource};
use crate::delivery::http::transport::Transport;
use crate::delivery::rules::{Decision, EdgeRefusal, RequestShape, Retry};
use crate::delivery::stats::DeliveryStats;
use orderfeed_model::clock::Clock;

const NO_EVENTS: &[u8] = br#"{"events":[]}"#;
/// Refusals of a request's content: they come after datastream and credentials were accepted.
const CONTENT: [&str; 5] = [
    "EXEG-0101-400",
    "EXEG-0102-400",
    "EXEG-0103-400",
    "EXEG-0104-422",
    "EXEG-0105-400",
];

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionCheck {
    /// What: `edge address`, `token service address`, `token`, `configuration`, `edge`.
    pub name: &'static str,
    /// How it stands.
    pub verdict: CheckVerdict,
    /// A sentence.
    pub detail: String,
    /// What to do; null if nothing is to be done.
    pub remedy: Option<String>,
    /// The edge's code or a word of ours; null where all is well.
    pub code: Option<String>,
    /// HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// The request id of the round trip: what Adobe's support asks for.
    pub request_id: Option<String>,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// The peer's clock minus ours, in milliseconds, if its answer said what time it is; whole seconds, rounded down.
    #[serde(skip)]
    pub skew_ms: Option<i64>,
}

/// How a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckVerdict {
    /// As it should be.
    Ok,
    /// Something must be mended.
    Failed,
    /// Nobody could be asked, or the peer cannot answer right now.
    Unreachable,
    /// Not looked at, because something before it failed or nothing is to be sent.
    Skipped,
}

/// Looks at things; keeps the one token that it fetches.
#[derive(Debug)]
pub struct ConnectionTest {
    config: Arc<Config>,
    transport: Arc<dyn Transport>,
    tokens: Option<Arc<TokenSource>>,
    clock: Clock,
}

impl ConnectionTest {
    /// With the client that delivery would use.
    ///
    /// # Errors
    /// If there can be none.
    pub fn new(config: Arc<Config>, clock: Clock) -> Result<Self, ClientError> {
        let transport: Arc<dyn Transport> = Arc::new(client(&config)?);
        let oauth = || {
            let (transport, oauth) = (Arc::clone(&transport), config.edge.oauth.clone());
            Arc::new(TokenSource::new(
                transport,
                oauth,
                clock.clone(),
                Arc::new(DeliveryStats::default()),
            ))
        };
        let tokens = (config.edge.auth == EdgeAuth::Oauth).then(oauth);
        Ok(Self {
            config,
            transport,
            tokens,
            clock,
        })
    }

    /// What all websites share: the addresses and the token, each as far as the one before allows.
    pub async fn shared(&self) -> Vec<ConnectionCheck> {
        let mut checks = vec![self.edge_address().await];
        checks.extend(self.token_address().await);
        checks.push(self.token().await);
        checks
    }

    /// Whether somebody listens where the events go.
    pub async fn edge_address(&self) -> ConnectionCheck {
        let url = &self.config.edge.url;
        self.reach("edge address", "edge.url", url).await
    }

    /// Whether somebody listens where tokens come from; `None` if none are needed.
    pub async fn token_address(&self) -> Option<ConnectionCheck> {
        self.tokens.as_ref()?;
        let url = &self.config.edge.oauth.token_url;
        Some(
            self.reach("token service address", "edge.oauth.token_url", url)
                .await,
        )
    }

    /// The round trip to a website's datastream.
    pub async fn round_trip(&self, website: &str, datastream: &DatastreamId) -> ConnectionCheck {
        let destination = Destination::new(
            &self.config,
            datastream,
            Arc::clone(&self.transport),
            self.tokens.clone(),
            self.clock.clone(),
        );
        // As a single event: nothing is left to split.
        let shape = RequestShape {
            batches: 1,
            events: 1,
            failed_before: false,
            attempts: 0,
        };
        match destination
            .send(Bytes::from_static(NO_EVENTS), &shape, || false)
            .await
        {
            Ok(attempt) => judge(&attempt, website),
            Err(Unsent::TokenError(missing)) => ConnectionCheck {
                name: "edge",
                ..no_token(&missing)
            },
            Err(Unsent::Held) => ConnectionCheck::new("edge", CheckVerdict::Skipped, "not asked"),
        }
    }

    /// DNS and a connection; what is spoken over it is another check's business.
    async fn reach(&self, name: &'static str, key: &str, url: &Url) -> ConnectionCheck {
        let begun = Instant::now();
        let limit = self.config.delivery.connect_timeout.get();
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or(443);
        let found = match timeout(limit, connect(host, port)).await {
            Ok(found) => found,
            Err(_) => Err(format!(
                "no connection to {host}:{port} within {} s",
                limit.as_secs()
            )),
        };
        let check = match found {
            Ok(address) => ConnectionCheck::new(
                name,
                CheckVerdict::Ok,
                &format!("{host}:{port} is there ({address})"),
            ),
            Err(words) => ConnectionCheck {
                remedy: Some(format!(
                    "check {key}, the machine's DNS, and firewalls in between; proxies of the environment are not used"
                )),
                code: Some("connect".to_owned()),
                ..ConnectionCheck::new(name, CheckVerdict::Unreachable, &words)
            },
        };
        check.took(begun.elapsed())
    }

    /// Whether the token service gives a token. The one that it gave serves the round trips.
    pub async fn token(&self) -> ConnectionCheck {
        let begun = Instant::now();
        let Some(tokens) = &self.tokens else {
            return ConnectionCheck::new(
                "token",
                CheckVerdict::Skipped,
                "edge.auth is none, so none is needed",
            );
        };
        let check = match tokens.get().await {
            Ok(_) => ConnectionCheck::new(
                "token",
                CheckVerdict::Ok,
                &format!(
                    "the token service issued one for client {}",
                    self.config.edge.oauth.client_id
                ),
            ),
            Err(missing) => no_token(&missing),
        };
        ConnectionCheck {
            skew_ms: tokens.skew_ms(),
            ..check
        }
        .took(begun.elapsed())
    }
}

impl ConnectionCheck {
    /// A check without more than a sentence.
    pub fn new(name: &'static str, verdict: CheckVerdict, detail: &str) -> Self {
        Self {
            name,
            verdict,
            detail: detail.to_owned(),
            remedy: None,
            code: None,
            status: None,
            request_id: None,
            duration_ms: None,
            skew_ms: None,
        }
    }

    fn took(mut self, time: Duration) -> Self {
        self.duration_ms = Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self
    }
}

async fn connect(host: &str, port: u16) -> Result<String, String> {
    let addresses = lookup_host((host, port))
        .await
        .map_err(|cause| format!("the name {host} cannot be resolved: {cause}"))?;
    let mut last = format!("the name {host} has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(_) => return Ok(address.ip().to_string()),
            Err(cause) => last = format!("no connection to {address}: {cause}"),
        }
    }
    Err(last)
}

fn no_token(missing: &TokenError) -> ConnectionCheck {
    match missing {
        TokenError::Refused(halt) => ConnectionCheck {
            code: Some(halt.code.clone()),
            remedy: Some(halt.remedy.to_owned()),
            ..ConnectionCheck::new("token", CheckVerdict::Failed, &halt.reason)
        },
        TokenError::Unavailable { code, cause, .. } => {
            let cause = cause.as_deref().unwrap_or(code);
            let words = format!("the token service gives no token right now: {cause}");
            ConnectionCheck {
                code: Some(code.clone()),
                remedy: Some("check edge.oauth.token_url and try again later".to_owned()),
                ..ConnectionCheck::new("token", CheckVerdict::Unreachable, &words)
            }
        }
    }
}

/// What the answer to a request without events says about the website.
fn judge(attempt: &Attempt, website: &str) -> ConnectionCheck {
    let said = |verdict, detail: &str, remedy: Option<&str>| ConnectionCheck {
        remedy: remedy.map(|remedy| remedy.replace("websites.CODE", &format!("websites.{website}"))),
        ..ConnectionCheck::new("edge", verdict, detail)
    };
    let check = match &attempt.decision {
        Decision::Delivered(_) => said(
            CheckVerdict::Ok,
            "datastream and credentials are accepted (it even accepted a request without events)",
            None,
        ),
        Decision::Park(refused) | Decision::Split(_, refused) => {
            let (verdict, detail, remedy) = content(refused);
            said(verdict, &detail, remedy)
        }
        Decision::Halt(halt) | Decision::Reauthenticate(halt) => {
            said(CheckVerdict::Failed, &halt.reason, Some(halt.remedy))
        }
        Decision::Retry(retry) => {
            let (detail, remedy) = busy(attempt, retry);
            said(CheckVerdict::Unreachable, &detail, Some(remedy))
        }
    };
    ConnectionCheck {
        code: attempt.code.clone().filter(|_| check.verdict != CheckVerdict::Ok),
        status: attempt.status,
        request_id: attempt.status.map(|_| attempt.request_id.clone()),
        skew_ms: attempt.skew_ms,
        ..check
    }
    .took(attempt.latency)
}

fn content(refused: &EdgeRefusal) -> (CheckVerdict, String, Option<&'static str>) {
    if CONTENT.contains(&refused.code.as_str()) {
        let detail = format!(
            "datastream and credentials are accepted ({} for a request without events, as it should be)",
            refused.code
        );
        return (CheckVerdict::Ok, detail, None);
    }
    (
        CheckVerdict::Failed,
        format!(
            "an unexpected answer, {}: {}; it may not be the Edge Network that answers",
            refused.code, refused.title
        ),
        Some("check edge.url and proxies in between"),
    )
}

fn busy(attempt: &Attempt, retry: &Retry) -> (String, &'static str) {
    match attempt.status {
        Some(status) => (
            format!(
                "the edge answers, but not with a verdict right now: HTTP {status}, {}",
                retry.code
            ),
            "try again later; if it stays, look at Adobe's status page or ask Adobe with the request id",
        ),
        None => (
            format!(
                "no answer from the edge: {}",
                attempt.title.as_deref().unwrap_or(&retry.code)
            ),
            "check edge.url, the network and proxies in between",
        ),
    }
}
