//! The destination of a website's events: sends one request and classifies its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use crate::config::{Config, EdgeAuth};
use crate::delivery::http::problem::Problem;
use crate::delivery::http::tokens::{Token, TokenError, TokenSource};
use crate::delivery::http::transport::{
    OutboundRequest, RawResponse, Transport, TransportError, TransportErrorKind,
};
use crate::delivery::limits::backoff::millis;
use crate::delivery::pauses::Pauses;
use crate::delivery::rules::{self, Decision, Halt, RequestShape, RetryLater, RetryScope};
use crate::ops::pause;
use crate::store::outbox::{Pause, PauseKey, PauseScope};
use orderfeed_model::clock::{Clock, UtcMillis};

const COLLECT: &str = "/ee/v2/collect";

/// The collect endpoint of one datastream, with the credentials for it.
#[derive(Debug)]
pub(crate) struct Destination {
    transport: Arc<dyn Transport>,
    url: Url,
    headers: HeaderMap,
    tokens: Option<Arc<TokenSource>>,
    pauses: Arc<Pauses>,
    /// The owners whose pauses hold its requests back.
    owners: Vec<PauseKey>,
    clock: Clock,
}

/// The outcome of one delivery attempt.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) decision: Decision,
    /// HTTP status, of a 2xx with an error object that of the error; `None` if there was no answer.
    pub(crate) status: Option<u16>,
    /// Our request id, with the suffix that the edge appended if it answered.
    pub(crate) request_id: String,
    /// Code of the edge or of orderfeed; `None` if the events were accepted.
    pub(crate) code: Option<String>,
    /// Cause of a failure in words that quote nothing of the request.
    pub(crate) title: Option<String>,
    /// Cause of a failure for the store: code, title and detail.
    pub(crate) note: Option<String>,
    /// From sending to the last byte of the answer.
    pub(crate) latency: Duration,
    /// The edge's clock minus ours in milliseconds, if the answer had a `Date`.
    pub(crate) skew_ms: Option<i64>,
}

impl Attempt {
    pub(crate) fn latency_ms(&self) -> u64 {
        u64::try_from(self.latency.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The reason why a request was not sent.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// A pause or the caller held it back.
    Held,
    NoToken(TokenError),
}

impl Destination {
    /// Creates the destination of a website's events; `None` if it has no datastream.
    pub(crate) fn new(
        config: &Config,
        website: &str,
        transport: Arc<dyn Transport>,
        tokens: Option<Arc<TokenSource>>,
        pauses: Arc<Pauses>,
        clock: Clock,
    ) -> Option<Self> {
        let datastream = config.websites.get(website)?.datastream.as_ref()?;
        let mut url = config.edge.url.clone();
        // A path in `edge.url` is kept as a prefix.
        let path = format!("{}{COLLECT}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.query_pairs_mut()
            .clear()
            .append_pair("datastreamId", &datastream.to_string());
        let mut owners = pause::owners(config, website);
        // A valid token is used also while no other may be fetched.
        owners.retain(|owner| owner.scope != PauseScope::TokenClient);
        Some(Self {
            transport,
            url,
            headers: headers(config),
            tokens,
            pauses,
            owners,
            clock,
        })
    }

    /// Returns the pause that holds back its requests at `now`.
    pub(crate) fn pause(&self, now: UtcMillis) -> Option<Pause> {
        self.pauses.longest(&self.owners, now)
    }

    /// Sends `body` and classifies the answer. A refused token is replaced once.
    ///
    /// # Errors
    /// Returns the reason if nothing was sent.
    pub(crate) async fn send(
        &self,
        body: Bytes,
        shape: &RequestShape,
        held: impl Fn() -> bool,
    ) -> Result<Attempt, Unsent> {
        let held = || held() || self.pause(self.clock.now()).is_some();
        let token = self.token().await.map_err(Unsent::NoToken)?;
        // Checked after the token, because waiting for one takes time.
        if held() {
            return Err(Unsent::Held);
        }
        // A clone of `Bytes` shares the buffer.
        let first = self.attempt(body.clone(), token.as_deref(), shape).await;
        let (Decision::Reauthenticate(_), Some(tokens), Some(token)) =
            (&first.decision, &self.tokens, &token)
        else {
            return Ok(without_reauthentication(first));
        };
        tracing::debug!(
            request_id = first.request_id,
            status = first.status,
            code = first.code,
            duration_ms = first.latency_ms(),
            "The edge refused the access token, the request is repeated with a new one",
        );
        tokens.reject(token);
        let fresh = self.token().await.map_err(Unsent::NoToken)?;
        if held() {
            return Err(Unsent::Held);
        }
        let second = self.attempt(body, fresh.as_deref(), shape).await;
        Ok(without_reauthentication(second))
    }

    async fn token(&self) -> Result<Option<Arc<Token>>, TokenError> {
        match &self.tokens {
            Some(tokens) => tokens.get().await.map(Some),
            None => Ok(None),
        }
    }

    async fn attempt(&self, body: Bytes, token: Option<&Token>, shape: &RequestShape) -> Attempt {
        // A new id for each attempt: Adobe's support finds a single attempt by it.
        let request_id = Uuid::new_v4().to_string();
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("requestId", &request_id);
        let mut headers = self.headers.clone();
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, token.header());
        }
        let begun = Instant::now();
        let request = OutboundRequest { url, headers, body };
        match self.transport.exchange(request).await {
            Ok(response) => self.answered(&response, request_id, begun.elapsed(), shape),
            Err(error) => unanswered(error, request_id, begun.elapsed()),
        }
    }

    fn answered(
        &self,
        response: &RawResponse,
        request_id: String,
        latency: Duration,
        shape: &RequestShape,
    ) -> Attempt {
        let (status, now) = (response.status, self.clock.now());
        // The connection may have broken before the edge had recorded everything.
        if (200..300).contains(&status) && !response.complete {
            let message = "the connection ended within the answer";
            return no_answer("cut_off", message, request_id, latency);
        }
        let decision = rules::classify(
            &rules::Response {
                status,
                retry_after: response.asked_pause(now),
                body: &response.body,
            },
            shape,
        );
        self.record_pause(&decision, now);
        // The detail goes into the note only: it may quote the request.
        let problem = Problem::parse(&response.body);
        let decisive = rules::decisive_status(status, &problem);
        let code = decision.code().map(str::to_owned);
        let title = problem.title.as_str();
        Attempt {
            note: code.as_deref().map(|code| match decisive == status {
                true => note(code, &problem),
                false => format!(
                    "{} (an error in an answer with HTTP {status})",
                    note(code, &problem)
                ),
            }),
            title: (code.is_some() && !title.is_empty()).then(|| title.to_owned()),
            code,
            decision,
            status: Some(decisive),
            request_id: edge_request_id(request_id, problem.request_id),
            latency,
            skew_ms: response.date.map(|date| date.millis_since(now)),
        }
    }

    /// Records the pause that an answer asks for, before any other request can start.
    fn record_pause(&self, decision: &Decision, now: UtcMillis) {
        let Decision::Retry(RetryLater {
            after: Some(after),
            scope,
            code,
        }) = decision
        else {
            return;
        };
        let scope = match scope {
            RetryScope::Organization => PauseScope::Organization,
            _ => PauseScope::Datastream,
        };
        if let Some(owner) = self.owners.iter().find(|owner| owner.scope == scope) {
            self.pauses.ask(Pause {
                key: owner.clone(),
                until: now.plus_millis(millis(*after)),
                asked_at: now,
                code: code.clone(),
            });
        }
    }
}

fn headers(config: &Config) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if config.edge.auth == EdgeAuth::Oauth {
        let organization = config.services_connector.organization_id.as_str();
        for (name, value) in [
            ("x-api-key", config.edge.oauth.client_id.as_str()),
            ("x-gw-ims-org-id", organization),
        ] {
            // The configuration checks both. A value that is no header is left out, and the edge refuses the request.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
    }
    headers
}

/// Turns the refusal of a token into a halt: another token would not help.
fn without_reauthentication(mut attempt: Attempt) -> Attempt {
    if let Decision::Reauthenticate(halt) = attempt.decision {
        attempt.decision = Decision::Halt(halt);
    }
    attempt
}

fn unanswered(error: TransportError, request_id: String, latency: Duration) -> Attempt {
    let message = error.message;
    let code = match error.kind {
        TransportErrorKind::Certificate => {
            let halt = Halt {
                code: "tls".to_owned(),
                reason: format!("the edge's certificate is not trusted: {message}"),
                remedy: "check edge.url, edge.ca_file, the system's certificate authorities and the clock",
                inferred: false,
            };
            return Attempt {
                decision: Decision::Halt(halt),
                ..no_answer("tls", &message, request_id, latency)
            };
        }
        TransportErrorKind::ProxyLogin => {
            return Attempt {
                decision: Decision::Halt(Halt::proxy_login(message.clone())),
                ..no_answer("proxy_login", &message, request_id, latency)
            };
        }
        TransportErrorKind::ProxyRefusal => "proxy",
        TransportErrorKind::Timeout => "timeout",
        TransportErrorKind::Connect => "connect",
        TransportErrorKind::Network => "network",
    };
    no_answer(code, &message, request_id, latency)
}

fn no_answer(code: &str, message: &str, request_id: String, latency: Duration) -> Attempt {
    Attempt {
        decision: Decision::Retry(RetryLater {
            after: None,
            scope: RetryScope::Request,
            code: code.to_owned(),
        }),
        status: None,
        request_id,
        code: Some(code.to_owned()),
        title: Some(message.to_owned()),
        note: Some(format!("{code}: {message}")),
        latency,
        skew_ms: None,
    }
}

/// Returns the id that the edge reports, if it is ours with the suffix that the edge appends. Any other id belongs
/// to another request.
fn edge_request_id(ours: String, theirs: Option<String>) -> String {
    match theirs {
        Some(theirs) if theirs.starts_with(&ours) && theirs.len() <= ours.len() + 20 => theirs,
        _ => ours,
    }
}

fn note(code: &str, problem: &Problem) -> String {
    let texts = [problem.title.as_str(), problem.detail.as_str()];
    let texts: Vec<_> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    format!("{code}: {}", texts.join(", "))
        .trim_end_matches(": ")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::http::transport::HttpTransport;

    #[test]
    fn the_datastream_is_escaped_in_the_query_and_no_silent_mode_is_asked_for() {
        let mut config = Config::default();
        config.edge.url = Url::parse("http://127.0.0.1:9/prefix/").unwrap();
        config.edge.oauth.token_url = config.edge.url.clone();
        let datastream = "ebebf826-a01f-4458-8cec-ef61de241c93:stage".parse().unwrap();
        let website = crate::config::Website::sending_to(datastream);
        config.websites.insert("base".to_owned(), website);
        let transport = Arc::new(HttpTransport::new(&config).unwrap());
        let destination = Destination::new(&config, "base", transport, None, Arc::default(), Clock::System);
        let destination = destination.unwrap();
        assert_eq!(
            destination.url.as_str(),
            "http://127.0.0.1:9/prefix/ee/v2/collect?datastreamId=ebebf826-a01f-4458-8cec-ef61de241c93%3Astage"
        );
    }

    #[test]
    fn only_our_own_id_with_its_suffix_is_taken_from_an_answer() {
        let returned = |theirs: Option<&str>| edge_request_id("abc".to_owned(), theirs.map(str::to_owned));
        assert_eq!(returned(Some("abc-00f1")), "abc-00f1");
        assert_eq!(returned(Some("xyz-00f1")), "abc");
        assert_eq!(returned(None), "abc");
    }
}
