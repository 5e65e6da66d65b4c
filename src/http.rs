//! The one place that builds an HTTP client.
//!
//! The defaults of reqwest do not fit: it follows redirects (and turns a POST into a GET that seems delivered), never
//! times out, reads proxies from the environment of the process, and keeps idle connections longer than most peers do.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect, retry};

/// The `User-Agent` of all requests.
const USER_AGENT: &str = concat!("orderfeed/", env!("CARGO_PKG_VERSION"));

/// Peers close idle connections after 20 s or more. Closing ours earlier keeps requests off connections that are about
/// to close.
const POOL_IDLE: Duration = Duration::from_secs(15);

/// Returns a builder whose clients send each request once and to its own address, over HTTP/1.1 and without a proxy.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that builds a client, with everything that the default lacks"
)]
pub(crate) fn client_builder(connect_timeout: Duration, timeout: Duration) -> ClientBuilder {
    // Fails if another provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(connect_timeout)
        .timeout(timeout)
        .pool_idle_timeout(POOL_IDLE)
        .user_agent(USER_AGENT)
}
