//! Tests the connection to the edge without sending events, for `test-connection` and `doctor`: addresses, token, and one
//! round trip.
//!
//! The round trip is a request with an empty list of events. The edge checks datastream and credentials first and then
//! refuses the empty list with `EXEG-0103-400`. That refusal is the success: the request was let in, and nothing was
//! ingested. Every other answer has the same meaning and remedy as in delivery.
//!
//! A pause that the edge or the token service asked for binds these requests too: the check reports it and sends nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::config::{Config, EdgeAuth};
use crate::delivery::http::certificate;
use crate::delivery::http::client::ClientError;
use crate::delivery::http::destination::{Attempt, Destination, Unsent};
use crate::delivery::http::proxy;
use crate::delivery::http::tokens::{TokenError, TokenSource};
use crate::delivery::http::transport::{HttpTransport, Transport};
use crate::delivery::pauses::Pauses;
use crate::delivery::rules::{Decision, EdgeRefusal, RequestShape, RetryLater, name_website};
use crate::delivery::stats::DeliveryStats;
use crate::ops::pause;
use crate::store::outbox::Pause;
use orderfeed_model::clock::Clock;

const NO_EVENTS: &[u8] = br#"{"events":[]}"#;
/// Refusals of a request's content, which the edge checks after datastream and credentials.
const CONTENT_REFUSALS: [&str; 5] = [
    "EXEG-0101-400",
    "EXEG-0102-400",
    "EXEG-0103-400",
    "EXEG-0104-422",
    "EXEG-0105-400",
];

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConnectionCheck {
    /// `edge address`, `token service address`, `token`, `configuration` or `edge`.
    pub name: &'static str,
    pub verdict: CheckVerdict,
    /// The result in a sentence.
    pub detail: String,
    /// The remedy; null if there is nothing to do.
    pub remedy: Option<String>,
    /// Code of the edge or of orderfeed; null if the check succeeded.
    pub code: Option<String>,
    /// HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// Request id of the round trip, which Adobe's support asks for.
    pub request_id: Option<String>,
    pub duration_ms: Option<u64>,
    /// The peer's clock minus ours in milliseconds, if its answer had a `Date`; whole seconds, rounded down.
    #[serde(skip)]
    pub skew_ms: Option<i64>,
}

/// The result of a check, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckVerdict {
    /// Not checked, because an earlier check failed or nothing is to be sent.
    Skipped,
    Ok,
    /// Not checked, because the peer asked to wait.
    Paused,
    /// The peer cannot be reached, or cannot answer at present.
    Unreachable,
    /// The cause must be fixed.
    Failed,
}

/// Runs checks; keeps the one token that it fetches.
#[derive(Debug)]
pub struct ConnectionTest {
    config: Arc<Config>,
    transport: Arc<dyn Transport>,
    tokens: Option<Arc<TokenSource>>,
    pauses: Arc<Pauses>,
    clock: Clock,
}

impl ConnectionTest {
    /// Creates a test with the client that delivery would use. `pauses` are those in the store.
    pub fn new(config: Arc<Config>, pauses: Vec<Pause>, clock: Clock) -> Result<Self, ClientError> {
        let pauses = Arc::new(Pauses::restore(pauses));
        let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(&config)?);
        let tokens = (config.edge.auth == EdgeAuth::Oauth).then(|| {
            let (transport, pauses) = (Arc::clone(&transport), Arc::clone(&pauses));
            let stats = Arc::new(DeliveryStats::default());
            Arc::new(TokenSource::new(transport, &config, pauses, clock.clone(), stats))
        });
        Ok(Self {
            config,
            transport,
            tokens,
            pauses,
            clock,
        })
    }

    /// Checks everything that the websites share: the addresses and the token.
    pub async fn shared(&self) -> Vec<ConnectionCheck> {
        let mut checks = vec![self.edge_address().await];
        checks.extend(self.token_address().await);
        checks.push(self.token().await);
        checks
    }

    /// Checks that the address of the edge accepts connections.
    pub async fn edge_address(&self) -> ConnectionCheck {
        let url = &self.config.edge.url;
        self.reach("edge address", "edge.url", url).await
    }

    /// Checks that the address of the token service accepts connections; `None` if no tokens are needed.
    pub async fn token_address(&self) -> Option<ConnectionCheck> {
        self.tokens.as_ref()?;
        let url = &self.config.edge.oauth.token_url;
        let check = self.reach("token service address", "edge.oauth.token_url", url);
        Some(check.await)
    }

    /// Checks that the token service issues a token, and keeps it for the round trips.
    pub async fn token(&self) -> ConnectionCheck {
        let begun = Instant::now();
        let Some(tokens) = &self.tokens else {
            let detail = "edge.auth is none, so none is needed";
            return ConnectionCheck::new("token", CheckVerdict::Skipped, detail);
        };
        if let Some(pause) = tokens.pause(self.clock.now()) {
            return self.paused("token", &pause);
        }
        let check = match tokens.get().await {
            Ok(_) => {
                let client = &self.config.edge.oauth.client_id;
                let detail = format!("the token service issued one for client {client}");
                ConnectionCheck::new("token", CheckVerdict::Ok, &detail)
            }
            Err(error) => {
                let url = &self.config.edge.oauth.token_url;
                self.with_issuer(no_token("token", &error), url).await
            }
        };
        ConnectionCheck {
            skew_ms: tokens.skew_ms(),
            ..check
        }
        .took(begun.elapsed())
    }

    /// Makes a round trip to the datastream of a website.
    pub async fn round_trip(&self, website: &str) -> ConnectionCheck {
        let (transport, tokens) = (Arc::clone(&self.transport), self.tokens.clone());
        let (pauses, clock) = (Arc::clone(&self.pauses), self.clock.clone());
        let skipped = |detail| ConnectionCheck::new("edge", CheckVerdict::Skipped, detail);
        let Some(destination) = Destination::new(&self.config, website, transport, tokens, pauses, clock)
        else {
            return skipped("the website has no datastream");
        };
        if let Some(pause) = destination.pause(self.clock.now()) {
            return self.paused("edge", &pause);
        }
        // As if it held one event, so that the rules have nothing to split.
        let shape = RequestShape {
            batches: 1,
            events: 1,
            failed_before: false,
            attempts: 0,
        };
        let sent = destination.send(Bytes::from_static(NO_EVENTS), &shape, || false);
        match sent.await {
            Ok(attempt) => {
                let check = check_answer(&attempt, website);
                self.with_issuer(check, &self.config.edge.url).await
            }
            Err(Unsent::NoToken(error)) => no_token("edge", &error),
            Err(Unsent::Held) => skipped("another answer asked to wait"),
        }
    }

    fn paused(&self, name: &'static str, pause: &Pause) -> ConnectionCheck {
        let detail = format!(
            "not checked: {}",
            pause::sentence(&pause.code, pause.until, self.clock.now())
        );
        ConnectionCheck {
            code: Some(pause.code.clone()).filter(|code| !code.is_empty()),
            remedy: Some("nothing; try again after that".to_owned()),
            ..ConnectionCheck::new(name, CheckVerdict::Paused, &detail)
        }
    }

    /// Adds the issuer of a certificate that is not trusted, and the authorities that are.
    async fn with_issuer(&self, mut check: ConnectionCheck, url: &Url) -> ConnectionCheck {
        if check.code.as_deref() != Some("tls") {
            return check;
        }
        if let Some(issuer) = certificate::issuer(url).await {
            let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default());
            let trusted = match &self.config.edge.ca_file {
                Some(file) => format!("edge.ca_file {}", file.display()),
                None => "this system".to_owned(),
            };
            check.detail.push_str(&format!(
                "; {host}:{} presents a certificate issued by \"{issuer}\", trusted are the authorities of {trusted}",
                port.unwrap_or(443)
            ));
        }
        check
    }

    /// Resolves the name and opens a connection, without TLS and HTTP.
    async fn reach(&self, name: &'static str, key: &str, url: &Url) -> ConnectionCheck {
        let begun = Instant::now();
        let limit = self.config.delivery.connect_timeout.get();
        let proxy = proxy::to(&self.config.edge, url);
        // Behind a proxy, names are resolved by it.
        let (key, url) = proxy.map_or((key, url), |proxy| ("edge.proxy (or HTTPS_PROXY)", &proxy.url));
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or(443);
        let late = |_| {
            Err(format!(
                "no connection to {host}:{port} within {} s",
                limit.as_secs()
            ))
        };
        let check = match timeout(limit, connect(host, port)).await.unwrap_or_else(late) {
            Ok(address) => {
                let detail = match proxy {
                    Some(_) => format!("the proxy {host}:{port} accepts connections ({address})"),
                    None => format!("{host}:{port} accepts connections ({address})"),
                };
                ConnectionCheck::new(name, CheckVerdict::Ok, &detail)
            }
            Err(cause) => ConnectionCheck {
                remedy: Some(format!(
                    "check {key}, the machine's DNS, and firewalls in between"
                )),
                code: Some("connect".to_owned()),
                ..ConnectionCheck::new(name, CheckVerdict::Unreachable, &cause)
            },
        };
        check.took(begun.elapsed())
    }
}

impl ConnectionCheck {
    /// Returns code, status and request id of the answer, as far as it had them.
    pub fn answer(&self) -> String {
        let code = self.code.as_ref().map(|code| format!("code {code}"));
        let status = self.status.map(|status| format!("HTTP {status}"));
        let request = self.request_id.as_ref().map(|id| format!("request {id}"));
        let parts: Vec<_> = [code, status, request].into_iter().flatten().collect();
        parts.join(", ")
    }

    /// Creates a check with a detail and nothing else.
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
    // One of several addresses is enough, as for the HTTP client.
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(_) => return Ok(address.ip().to_string()),
            Err(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => {
                last = format!("connection refused by {address}");
            }
            Err(cause) => last = format!("no connection to {address}: {cause}"),
        }
    }
    Err(last)
}

fn no_token(name: &'static str, error: &TokenError) -> ConnectionCheck {
    match error {
        TokenError::Refused(halt) => ConnectionCheck {
            code: Some(halt.code.clone()),
            remedy: Some(halt.remedy.to_owned()),
            ..ConnectionCheck::new(name, CheckVerdict::Failed, &halt.reason)
        },
        TokenError::Unavailable { code, cause, .. } => {
            let cause = cause.as_deref().unwrap_or(code);
            let detail = format!("the token service gives no token right now: {cause}");
            ConnectionCheck {
                code: Some(code.clone()),
                remedy: Some("check edge.oauth.token_url and try again later".to_owned()),
                ..ConnectionCheck::new(name, CheckVerdict::Unreachable, &detail)
            }
        }
    }
}

/// Turns the answer to a request without events into a check of the website.
fn check_answer(attempt: &Attempt, website: &str) -> ConnectionCheck {
    let (verdict, detail, remedy) = match &attempt.decision {
        Decision::Delivered(_) => {
            let detail = "datastream and credentials are accepted (even a request without events is)";
            (CheckVerdict::Ok, detail.to_owned(), None)
        }
        Decision::Park(refusal) | Decision::Split(_, refusal) => check_refusal(refusal),
        Decision::Halt(halt) | Decision::Reauthenticate(halt) => {
            (CheckVerdict::Failed, halt.reason.clone(), Some(halt.remedy))
        }
        Decision::Retry(retry) => {
            let (detail, remedy) = explain_retry(attempt, retry);
            (CheckVerdict::Unreachable, detail, Some(remedy))
        }
    };
    ConnectionCheck {
        remedy: remedy.map(|remedy| name_website(remedy, website)),
        code: attempt.code.clone().filter(|_| verdict != CheckVerdict::Ok),
        status: attempt.status,
        // Without an answer the edge may never have got the id.
        request_id: attempt.status.map(|_| attempt.request_id.clone()),
        skew_ms: attempt.skew_ms,
        ..ConnectionCheck::new("edge", verdict, &detail)
    }
    .took(attempt.latency)
}

fn check_refusal(refusal: &EdgeRefusal) -> (CheckVerdict, String, Option<&'static str>) {
    let (code, title) = (&refusal.code, &refusal.title);
    if CONTENT_REFUSALS.contains(&code.as_str()) {
        let detail = format!(
            "datastream and credentials are accepted (the edge answered {code} for a request without events, as expected)"
        );
        return (CheckVerdict::Ok, detail, None);
    }
    let detail = format!("unexpected answer {code}: {title}; it may not come from the Edge Network");
    let remedy = "check edge.url and proxies in between";
    (CheckVerdict::Failed, detail, Some(remedy))
}

fn explain_retry(attempt: &Attempt, retry: &RetryLater) -> (String, &'static str) {
    let code = &retry.code;
    match attempt.status {
        Some(status) => (
            format!("the edge is temporarily unable to accept requests: HTTP {status}, {code}"),
            "try again later; if it persists, check Adobe's status page or ask Adobe with the request id",
        ),
        None => (
            format!(
                "no answer from the edge: {}",
                attempt.title.as_deref().unwrap_or(code)
            ),
            "check edge.url, the network and proxies in between",
        ),
    }
}
