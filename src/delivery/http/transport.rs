//! The line to the edge and to the token service: one request out, one answer back. HTTP in production; a simulation
//! answers in its place, so that everything above this line runs as it is.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::Client;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use url::Url;

use crate::config::Config;
use crate::delivery::http::body::read_capped;
use crate::delivery::http::client::{ClientError, client, describe, is_certificate};
use crate::delivery::limits::retry_after;
use orderfeed_model::clock::UtcMillis;

/// A POST.
#[derive(Clone, Debug)]
pub struct OutboundRequest {
    /// Where to, with its query.
    pub url: Url,
    /// All headers; the token's is marked as sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What came back, as far as anybody looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawResponse {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, as it was sent.
    pub retry_after: Option<String>,
    /// What time it was at the peer, as far as it said so.
    pub date: Option<UtcMillis>,
    /// At most 64 KiB of the body.
    pub body: Vec<u8>,
    /// `false` if the connection broke within the body.
    pub complete: bool,
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportError {
    /// What kind of trouble.
    pub cause: TransportErrorKind,
    /// In words, without the address.
    pub words: String,
}

/// The kinds of trouble that differ in what to do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// The time for the whole request is over.
    Timeout,
    /// There is no connection.
    Connect,
    /// The connection broke.
    Network,
    /// The peer's certificate is not trusted.
    Certificate,
}

/// An exchange that was begun.
pub type ExchangeFuture<'a> = Pin<Box<dyn Future<Output = Result<RawResponse, TransportError>> + Send + 'a>>;

/// Carries requests.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends `call` and waits for the whole answer. Dropping it gives the request up, wherever it is.
    fn exchange(&self, call: OutboundRequest) -> ExchangeFuture<'_>;
}

/// Makes the transport that belongs to a configuration.
#[derive(Clone)]
pub struct Connector(Arc<Connecting>);

type Connecting = dyn Fn(&Config) -> Result<Arc<dyn Transport>, ClientError> + Send + Sync;

impl Connector {
    /// HTTP, with the limits of `[delivery]` and the trust of `[edge]`.
    pub fn http() -> Self {
        Self::new(|config| Ok(Arc::new(client(config)?)))
    }

    /// Another one.
    pub fn new(
        connect: impl Fn(&Config) -> Result<Arc<dyn Transport>, ClientError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(connect))
    }

    /// # Errors
    /// If there can be no transport with this configuration.
    pub(crate) fn connect(&self, config: &Config) -> Result<Arc<dyn Transport>, ClientError> {
        (self.0)(config)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl Transport for Client {
    fn exchange(&self, call: OutboundRequest) -> ExchangeFuture<'_> {
        Box::pin(async move {
            let request = self.post(call.url).headers(call.headers).body(call.body);
            let response = request
                .send()
                .await
                .map_err(|error| no_reply(&error.without_url()))?;
            let status = response.status().as_u16();
            let header = response.headers().get(RETRY_AFTER);
            let retry_after = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
            let date = retry_after::date(response.headers());
            let read = read_capped(response).await;
            Ok(RawResponse {
                status,
                retry_after,
                date,
                body: read.bytes,
                complete: read.complete,
            })
        })
    }
}

fn no_reply(error: &reqwest::Error) -> TransportError {
    let cause = match (is_certificate(error), error.is_timeout(), error.is_connect()) {
        (true, ..) => TransportErrorKind::Certificate,
        (_, true, _) => TransportErrorKind::Timeout,
        (_, _, true) => TransportErrorKind::Connect,
        _ => TransportErrorKind::Network,
    };
    TransportError {
        cause,
        words: describe(error),
    }
}
