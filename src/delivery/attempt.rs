//! One attempt: the request goes out, and what came back is classified. Knows HTTP; knows no store and no schedule.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response};
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::{Config, DatastreamId, EdgeAuth};
use crate::delivery::body::read_capped;
use crate::delivery::client::describe;
use crate::delivery::problem::Problem;
use crate::delivery::retry_after;
use crate::delivery::rules::{self, Decision, Halt, RequestShape, Retry, Who};
use crate::delivery::tokens::{NoToken, Token, Tokens};

const COLLECT: &str = "/ee/v2/collect";

/// Where and as whom the requests of a website go.
#[derive(Debug)]
pub(crate) struct Destination {
    client: Client,
    url: Url,
    headers: HeaderMap,
    tokens: Option<Arc<Tokens>>,
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
    /// What was wrong, for the store: code, title and detail.
    pub(crate) note: Option<String>,
    /// From sending to the last byte of the answer.
    pub(crate) latency: Duration,
}

/// Why nothing was sent.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// Meanwhile nothing may be sent.
    Held,
    /// There is no token.
    NoToken(NoToken),
}

impl From<NoToken> for Unsent {
    fn from(missing: NoToken) -> Self {
        Self::NoToken(missing)
    }
}

impl Destination {
    pub(crate) fn new(
        config: &Config,
        datastream: &DatastreamId,
        client: Client,
        tokens: Option<Arc<Tokens>>,
        clock: Clock,
    ) -> Self {
        let mut url = config.edge.url.clone();
        let path = format!("{}{COLLECT}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.query_pairs_mut()
            .clear()
            .append_pair("datastreamId", &datastream.to_string());
        Self {
            client,
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
        tokens.reject(token);
        let fresh = self.token().await?;
        if held() {
            return Err(Unsent::Held);
        }
        Ok(settled(self.attempt(body, fresh.as_deref(), shape).await))
    }

    async fn token(&self) -> Result<Option<Arc<Token>>, NoToken> {
        match &self.tokens {
            Some(tokens) => tokens.get().await.map(Some),
            None => Ok(None),
        }
    }

    async fn attempt(&self, body: Bytes, token: Option<&Token>, shape: &RequestShape) -> Attempt {
        let ours = Uuid::new_v4().to_string();
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("requestId", &ours);
        let mut request = self.client.post(url).headers(self.headers.clone()).body(body);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token.header());
        }
        let begun = Instant::now();
        match request.send().await {
            Ok(response) => self.answered(response, ours, begun, shape).await,
            Err(error) => unanswered(&error.without_url(), ours, begun),
        }
    }

    async fn answered(
        &self,
        response: Response,
        ours: String,
        begun: Instant,
        shape: &RequestShape,
    ) -> Attempt {
        let status = response.status().as_u16();
        let header = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|value| retry_after::parse(value, self.clock.now()));
        let read = read_capped(response).await;
        let latency = begun.elapsed();
        // A yes whose body broke off may have broken off before the edge had everything on record.
        if (200..300).contains(&status) && !read.complete {
            return no_answer("cut_off", "the connection ended within the answer", ours, latency);
        }
        let decision = rules::classify(
            &rules::Response {
                status,
                retry_after,
                body: &read.bytes,
            },
            shape,
        );
        Attempt {
            note: note(&decision, &read.bytes),
            decision,
            status: Some(status),
            request_id: returned_id(ours, &read.bytes),
            latency,
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

fn unanswered(error: &reqwest::Error, ours: String, begun: Instant) -> Attempt {
    let words = describe(error);
    if is_certificate(error) {
        let halt = Halt {
            code: "tls".to_owned(),
            reason: format!("the edge's certificate is not trusted: {words}"),
            remedy: "check edge.url, edge.ca_file, the system's certificate authorities and the clock",
            inferred: false,
        };
        return Attempt {
            decision: Decision::Halt(halt),
            ..no_answer("tls", &words, ours, begun.elapsed())
        };
    }
    let code = match (error.is_timeout(), error.is_connect()) {
        (true, _) => "timeout",
        (false, true) => "connect",
        (false, false) => "network",
    };
    no_answer(code, &words, ours, begun.elapsed())
}

fn no_answer(code: &str, words: &str, ours: String, latency: Duration) -> Attempt {
    Attempt {
        decision: Decision::Retry(Retry {
            after: None,
            who: Who::Request,
            code: code.to_owned(),
        }),
        status: None,
        request_id: ours,
        note: Some(format!("{code}: {words}")),
        latency,
    }
}

/// Whether the peer's certificate is at fault, rather than the line to it. rustls's error lies inside the I/O error of
/// the connection.
fn is_certificate(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return matches!(
                tls,
                rustls::Error::InvalidCertificate(_)
                    | rustls::Error::NoCertificatesPresented
                    | rustls::Error::PeerIncompatible(_)
            );
        }
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

/// The edge returns our id with sixteen digits appended; another id would be another request's answer.
fn returned_id(ours: String, body: &[u8]) -> String {
    match Problem::parse(body).request_id {
        Some(theirs) if theirs.starts_with(&ours) && theirs.len() <= ours.len() + 20 => theirs,
        _ => ours,
    }
}

fn note(decision: &Decision, body: &[u8]) -> Option<String> {
    if matches!(decision, Decision::Delivered(_)) {
        return None;
    }
    let problem = Problem::parse(body);
    let code = match decision {
        Decision::Delivered(_) => return None,
        Decision::Split(_, refused) | Decision::Park(refused) => &refused.code,
        Decision::Retry(retry) => &retry.code,
        Decision::Reauthenticate(halt) | Decision::Halt(halt) => &halt.code,
    };
    let words = [problem.title.as_str(), problem.detail.as_str()];
    let words: Vec<_> = words.into_iter().filter(|words| !words.is_empty()).collect();
    Some(
        format!("{code}: {}", words.join(", "))
            .trim_end_matches(": ")
            .to_owned(),
    )
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
        let client = crate::delivery::client(&config).unwrap();
        let destination = Destination::new(&config, &datastream, client, None, Clock::System);
        assert_eq!(
            destination.url.as_str(),
            "http://127.0.0.1:9/prefix/ee/v2/collect?datastreamId=ebebf826-a01f-4458-8cec-ef61de241c93%3Astage"
        );
    }

    #[test]
    fn only_our_own_id_with_its_suffix_is_taken_from_an_answer() {
        let theirs = |id: &str| format!("{{\"requestId\":\"{id}\"}}").into_bytes();
        assert_eq!(returned_id("abc".to_owned(), &theirs("abc-00f1")), "abc-00f1");
        assert_eq!(returned_id("abc".to_owned(), &theirs("xyz-00f1")), "abc");
        assert_eq!(returned_id("abc".to_owned(), b"<html>"), "abc");
    }
}
