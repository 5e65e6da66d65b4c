//! The connection to the edge and to the token service: one request, one answer. HTTP in production; a simulation takes
//! its place in tests, so that all code above it runs unchanged.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response};
use url::Url;

use crate::config::Config;
use crate::delivery::http::client::{ClientError, client, describe};
use crate::delivery::http::proxy::{self, ProxyFault};
use crate::delivery::limits::retry_after;
use crate::tls;
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

impl RawResponse {
    /// Returns the pause that the response, received at `now`, asks for. A date is measured against the peer's own
    /// clock, if the response has its time: the clocks may differ by minutes.
    pub(crate) fn asked_pause(&self, now: UtcMillis) -> Option<Duration> {
        retry_after::parse(self.retry_after.as_deref()?, self.date.unwrap_or(now))
    }
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
    /// The proxy wants a login, or another one.
    ProxyLogin,
    /// The proxy refuses to connect to the peer.
    ProxyRefusal,
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
        Self::new(|config| Ok(Arc::new(HttpTransport::new(config)?)))
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

/// HTTP with the limits of `[delivery]` and the certificates of `[edge]`, which it reads again when a peer's certificate is
/// not trusted: an authority may have been replaced under the same path.
#[derive(Debug)]
pub struct HttpTransport {
    config: Config,
    current: Mutex<Generation>,
}

/// A client, with the number of those before it.
#[derive(Clone, Debug)]
struct Generation {
    number: u64,
    client: Client,
}

impl HttpTransport {
    /// Creates the transport of a configuration.
    ///
    /// # Errors
    /// As [`client`].
    pub fn new(config: &Config) -> Result<Self, ClientError> {
        let client = client(config)?;
        Ok(Self {
            config: config.clone(),
            current: Mutex::new(Generation { number: 0, client }),
        })
    }

    fn current(&self) -> MutexGuard<'_, Generation> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn attempt(&self, request: OutboundRequest) -> Result<RawResponse, TransportError> {
        let Generation { number, client } = self.current().clone();
        let failed = match post(&client, request.clone()).await {
            Err(error) if error.kind == TransportErrorKind::Certificate => error,
            answer => return answer,
        };
        // Repeated once, which is safe: nothing was sent over the connection that was refused.
        match self.renew(number) {
            Ok(client) => post(&client, request).await,
            Err(cause) => Err(TransportError {
                message: format!("{}; {cause}", failed.message),
                ..failed
            }),
        }
    }

    /// Names the proxy in an error that it may have caused.
    fn name_proxy(&self, mut error: TransportError, url: &Url) -> TransportError {
        let Some(proxy) = proxy::to(&self.config.edge, url) else {
            return error;
        };
        error.message = match error.kind {
            TransportErrorKind::ProxyLogin => format!("the proxy {proxy} refuses the login (407)"),
            TransportErrorKind::ProxyRefusal => {
                let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default());
                format!(
                    "the proxy {proxy} refuses to connect to {host}:{}; allow that at the proxy, or list the host in edge.no_proxy",
                    port.unwrap_or(443)
                )
            }
            _ => format!("{} (through the proxy {proxy})", error.message),
        };
        error
    }

    /// Replaces the client after `number`, unless another request has done so.
    fn renew(&self, number: u64) -> Result<Client, ClientError> {
        let mut current = self.current();
        if current.number == number {
            *current = Generation {
                number: number + 1,
                client: client(&self.config)?,
            };
        }
        Ok(current.client.clone())
    }
}

impl Transport for HttpTransport {
    fn exchange(&self, request: OutboundRequest) -> ExchangeFuture<'_> {
        Box::pin(async move {
            let url = request.url.clone();
            let answer = self.attempt(request).await;
            answer.map_err(|error| self.name_proxy(error, &url))
        })
    }
}

async fn post(client: &Client, request: OutboundRequest) -> Result<RawResponse, TransportError> {
    let post = client.post(request.url).headers(request.headers);
    let sent = post.body(request.body).send().await;
    // Without the URL: it names the datastream, and errors are logged.
    let response = sent.map_err(|error| transport_error(&error.without_url()))?;
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let (status, date) = (response.status().as_u16(), retry_after::date(response.headers()));
    let (body, complete) = read_capped(response).await;
    Ok(RawResponse {
        status,
        retry_after,
        date,
        body,
        complete,
    })
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
    let kind = match (tls::is_certificate_error(error), proxy::fault(error)) {
        (true, _) => TransportErrorKind::Certificate,
        (_, Some(ProxyFault::Login)) => TransportErrorKind::ProxyLogin,
        (_, Some(ProxyFault::Refusal)) => TransportErrorKind::ProxyRefusal,
        _ if error.is_timeout() => TransportErrorKind::Timeout,
        _ if error.is_connect() => TransportErrorKind::Connect,
        _ => TransportErrorKind::Network,
    };
    TransportError {
        kind,
        message: describe(error),
    }
}
