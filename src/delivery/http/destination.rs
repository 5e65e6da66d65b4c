//! One attempt: the request goes out, and what came back is classified. Knows no store and no schedule.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use crate::config::{Config, DatastreamId, EdgeAuth};
use crate::delivery::http::problem::Problem;
use crate::delivery::http::tokens::{Token, TokenError, TokenSource};
use crate::delivery::http::transport::{
    OutboundRequest, RawResponse, Transport, TransportError, TransportErrorKind,
};
use crate::delivery::limits::retry_after;
use crate::delivery::rules::{self, Decision, Halt, RequestShape, Retry, RetryScope};
use orderfeed_model::clock::Clock;

const COLLECT: &str = "/ee/v2/collect";

/// Where and as whom the requests of a website go.
#[derive(Debug)]
pub(crate) struct Destination {
    transport: Arc<dyn Transport>,
    url: Url,
    headers: HeaderMap,
    tokens: Option<Arc<TokenSource>>,
    clock: Clock,
}

/// What came of an attempt.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) decision: Decision,
    /// `None` if there was no answer.
    pub(crate) status: Option<u16>,
    /// Ours, with what the edge appended if it answered.
    pub(crate) request_id: String,
    /// The edge's code or a word of ours, unless it is a yes.
    pub(crate) code: Option<String>,
    /// What was wrong in words that quote nothing of the request: the edge's title, or ours.
    pub(crate) title: Option<String>,
    /// What was wrong, for the store: code, title and detail.
    pub(crate) note: Option<String>,
    /// From sending to the last byte of the answer.
    pub(crate) latency: Duration,
    /// The edge's clock minus ours in milliseconds, if the answer had a `Date`.
    pub(crate) skew_ms: Option<i64>,
}

/// Why nothing was sent.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// Meanwhile nothing may be sent.
    Held,
    /// There is no token.
    TokenError(TokenError),
}

impl From<TokenError> for Unsent {
    fn from(missing: TokenError) -> Self {
        Self::TokenError(missing)
    }
}

impl Destination {
    pub(crate) fn new(
        config: &Config,
        datastream: &DatastreamId,
        transport: Arc<dyn Transport>,
        tokens: Option<Arc<TokenSource>>,
        clock: Clock,
    ) -> Self {
        let mut url = config.edge.url.clone();
        let path = format!("{}{COLLECT}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.query_pairs_mut()
            .clear()
            .append_pair("datastreamId", &datastream.to_string());
        Self {
            transport,
            url,
            headers: headers(config),
            tokens,
            clock,
        }
    }

    /// Sends `body` and classifies the answer. A token that is refused is replaced once. `held` is asked at the last moment
    /// before each sending, because waiting for a token takes time.
    ///
    /// # Errors
    /// Why nothing was sent.
    pub(crate) async fn send(
        &self,
        body: Bytes,
        shape: &RequestShape,
        held: impl Fn() -> bool,
    ) -> Result<Attempt, Unsent> {
        let token = self.token().await?;
        if held() {
            return Err(Unsent::Held);
        }
        let first = self.attempt(body.clone(), token.as_deref(), shape).await;
        let (Decision::Reauthenticate(_), Some(tokens), Some(token)) =
            (&first.decision, &self.tokens, &token)
        else {
            return Ok(settled(first));
        };
        tracing::debug!(
            request_id = first.request_id,
            status = first.status,
            code = first.code,
            duration_ms = u64::try_from(first.latency.as_millis()).unwrap_or(u64::MAX),
            "The edge refuses the access token, the request is repeated with a fresh one",
        );
        tokens.reject(token);
        let fresh = self.token().await?;
        if held() {
            return Err(Unsent::Held);
        }
        Ok(settled(self.attempt(body, fresh.as_deref(), shape).await))
    }

    async fn token(&self) -> Result<Option<Arc<Token>>, TokenError> {
        match &self.tokens {
            Some(tokens) => tokens.get().await.map(Some),
            None => Ok(None),
        }
    }

    async fn attempt(&self, body: Bytes, token: Option<&Token>, shape: &RequestShape) -> Attempt {
        let ours = Uuid::new_v4().to_string();
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("requestId", &ours);
        let mut headers = self.headers.clone();
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, token.header());
        }
        let begun = Instant::now();
        let exchange = self.transport.exchange(OutboundRequest { url, headers, body });
        match exchange.await {
            Ok(reply) => self.answered(&reply, ours, begun.elapsed(), shape),
            Err(nothing) => unanswered(nothing, ours, begun.elapsed()),
        }
    }

    fn answered(
        &self,
        reply: &RawResponse,
        ours: String,
        latency: Duration,
        shape: &RequestShape,
    ) -> Attempt {
        let (status, now) = (reply.status, self.clock.now());
        let header = reply.retry_after.as_deref();
        let retry_after = header.and_then(|value| retry_after::parse(value, now));
        let skew_ms = reply.date.map(|theirs| theirs.millis_since(now));
        // A yes whose body broke off may have broken off before the edge had everything on record.
        if (200..300).contains(&status) && !reply.complete {
            return no_answer("cut_off", "the connection ended within the answer", ours, latency);
        }
        let decision = rules::classify(
            &rules::Response {
                status,
                retry_after,
                body: &reply.body,
            },
            shape,
        );
        let problem = Problem::parse(&reply.body);
        let code = code(&decision).map(str::to_owned);
        Attempt {
            note: code.as_deref().map(|code| note(code, &problem)),
            title: code
                .is_some()
                .then(|| problem.title.clone())
                .filter(|title| !title.is_empty()),
            code,
            decision,
            status: Some(status),
            request_id: returned_id(ours, problem.request_id),
            latency,
            skew_ms,
        }
    }
}

fn headers(config: &Config) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if config.edge.auth == EdgeAuth::Oauth {
        let organization = config.services_connector.organization_id.as_str();
        // Both are checked where the configuration is read; a value that is no header is left out and the edge says so.
        for (name, value) in [
            ("x-api-key", config.edge.oauth.client_id.as_str()),
            ("x-gw-ims-org-id", organization),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
    }
    headers
}

/// After a second refusal of the token there is nothing left to try.
fn settled(mut attempt: Attempt) -> Attempt {
    if let Decision::Reauthenticate(halt) = attempt.decision {
        attempt.decision = Decision::Halt(halt);
    }
    attempt
}

fn unanswered(nothing: TransportError, ours: String, latency: Duration) -> Attempt {
    let words = nothing.words;
    let code = match nothing.cause {
        TransportErrorKind::Certificate => {
            let halt = Halt {
                code: "tls".to_owned(),
                reason: format!("the edge's certificate is not trusted: {words}"),
                remedy: "check edge.url, edge.ca_file, the system's certificate authorities and the clock",
                inferred: false,
            };
            return Attempt {
                decision: Decision::Halt(halt),
                ..no_answer("tls", &words, ours, latency)
            };
        }
        TransportErrorKind::Timeout => "timeout",
        TransportErrorKind::Connect => "connect",
        TransportErrorKind::Network => "network",
    };
    no_answer(code, &words, ours, latency)
}

fn no_answer(code: &str, words: &str, ours: String, latency: Duration) -> Attempt {
    Attempt {
        decision: Decision::Retry(Retry {
            after: None,
            scope: RetryScope::Request,
            code: code.to_owned(),
        }),
        status: None,
        request_id: ours,
        code: Some(code.to_owned()),
        title: Some(words.to_owned()),
        note: Some(format!("{code}: {words}")),
        latency,
        skew_ms: None,
    }
}

/// The edge returns our id with sixteen digits appended; another id would be another request's answer.
fn returned_id(ours: String, theirs: Option<String>) -> String {
    match theirs {
        Some(theirs) if theirs.starts_with(&ours) && theirs.len() <= ours.len() + 20 => theirs,
        _ => ours,
    }
}

fn code(decision: &Decision) -> Option<&str> {
    match decision {
        Decision::Delivered(_) => None,
        Decision::Split(_, refused) | Decision::Park(refused) => Some(&refused.code),
        Decision::Retry(retry) => Some(&retry.code),
        Decision::Reauthenticate(halt) | Decision::Halt(halt) => Some(&halt.code),
    }
}

fn note(code: &str, problem: &Problem) -> String {
    let words = [problem.title.as_str(), problem.detail.as_str()];
    let words: Vec<_> = words.into_iter().filter(|words| !words.is_empty()).collect();
    format!("{code}: {}", words.join(", "))
        .trim_end_matches(": ")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_datastream_is_safe_in_the_query_and_nothing_asks_for_silence() {
        let mut config = Config::default();
        config.edge.url = Url::parse("http://127.0.0.1:9/prefix/").unwrap();
        config.edge.oauth.token_url = config.edge.url.clone();
        let datastream = "ebebf826-a01f-4458-8cec-ef61de241c93:stage".parse().unwrap();
        let client = crate::delivery::http::client::client(&config).unwrap();
        let destination = Destination::new(&config, &datastream, Arc::new(client), None, Clock::System);
        assert_eq!(
            destination.url.as_str(),
            "http://127.0.0.1:9/prefix/ee/v2/collect?datastreamId=ebebf826-a01f-4458-8cec-ef61de241c93%3Astage"
        );
    }

    #[test]
    fn only_our_own_id_with_its_suffix_is_taken_from_an_answer() {
        let returned = |theirs: Option<&str>| returned_id("abc".to_owned(), theirs.map(str::to_owned));
        assert_eq!(returned(Some("abc-00f1")), "abc-00f1");
        assert_eq!(returned(Some("xyz-00f1")), "abc");
        assert_eq!(returned(None), "abc");
    }
}
