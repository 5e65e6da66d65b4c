//! The connection to the edge and to the token service: one request, one answer. HTTP in production; a simulation takes
//! its place in tests, so that all code above it runs unchanged.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response};
use url::Url;

use crate::config::Config;
use crate::delivery::http::client::{ClientError, client, describe, is_certificate};
use crate::delivery::limits::retry_after;
use orderfeed_model::clock::UtcMillis;

/// Most bytes of a body that are read. The rest is left to the closed connection.
const BODY_CAP: usize = 64 * 1024;

/// A POST request.
#[derive(Clone, Debug)]
pub struct OutboundRequest {
    /// The address with its query.
    pub url: Url,
    /// All headers; that of the token is marked as sensitive.
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The parts of an HTTP response that delivery uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawResponse {
    pub status: u16,
    /// `Retry-After`, as it was sent.
    pub retry_after: Option<String>,
    /// Time at the peer, from the header `Date`.
    pub date: Option<UtcMillis>,
    /// At most 64 KiB of the body.
    pub body: Vec<u8>,
    /// False if the connection broke within the body.
    pub complete: bool,
}

/// The reason why a request got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportError {
    pub kind: TransportErrorKind,
    /// The cause in words, without the address.
    pub message: String,
}

/// The kinds of failure that differ in their remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportErrorKind {
    /// The time for the whole request is over.
    Timeout,
    /// No connection could be opened.
    Connect,
    /// The connection broke.
    Network,
    /// The peer's certificate is not trusted.
    Certificate,
}

/// An exchange that has begun.
pub type ExchangeFuture<'a> = Pin<Box<dyn Future<Output = Result<RawResponse, TransportError>> + Send + 'a>>;

/// Carries requests.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends a request and waits for the whole answer. Dropping the future cancels the request.
    fn exchange(&self, request: OutboundRequest) -> ExchangeFuture<'_>;
}

/// Creates the transport for a configuration.
#[derive(Clone)]
pub struct Connector(Arc<Connecting>);

type Connecting = dyn Fn(&Config) -> Result<Arc<dyn Transport>, ClientError> + Send + Sync;

impl Connector {
    /// Returns the connector for HTTP, with the limits of `[delivery]` and the certificates of `[edge]`.
    pub fn http() -> Self {
        Self::new(|config| Ok(Arc::new(client(config)?)))
    }

    /// Returns a connector for another transport.
    pub fn new(
        connect: impl Fn(&Config) -> Result<Arc<dyn Transport>, ClientError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(connect))
    }

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
    fn exchange(&self, request: OutboundRequest) -> ExchangeFuture<'_> {
        Box::pin(async move {
            let post = self.post(request.url).headers(request.headers);
            let sent = post.body(request.body).send().await;
            // Without the URL: it names the datastream, and errors are logged.
            let response = sent.map_err(|error| transport_error(&error.without_url()))?;
            let header = response.headers().get(RETRY_AFTER);
            let (status, retry_after) = (
                response.status().as_u16(),
                header.and_then(|value| value.to_str().ok()),
            );
            let (retry_after, date) = (
                retry_after.map(str::to_owned),
                retry_after::date(response.headers()),
            );
            let (body, complete) = read_capped(response).await;
            Ok(RawResponse {
                status,
                retry_after,
                date,
                body,
                complete,
            })
        })
    }
}

/// Reads at most [`BODY_CAP`] bytes of a body. Returns false with them if the connection broke.
async fn read_capped(mut response: Response) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    // A longer body does not come from the edge; it still counts as complete.
    while bytes.len() < BODY_CAP {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let free = BODY_CAP - bytes.len();
                bytes.extend_from_slice(&chunk[..chunk.len().min(free)]);
            }
            Ok(None) => break,
            Err(_) => return (bytes, false),
        }
    }
    (bytes, true)
}

fn transport_error(error: &reqwest::Error) -> TransportError {
    // A certificate error is a connect error for reqwest, so it is checked first.
    let kind = match (is_certificate(error), error.is_timeout(), error.is_connect()) {
        (true, ..) => TransportErrorKind::Certificate,
        (_, true, _) => TransportErrorKind::Timeout,
        (_, _, true) => TransportErrorKind::Connect,
        _ => TransportErrorKind::Network,
    };
    TransportError {
        kind,
        message: describe(error),
    }
}
