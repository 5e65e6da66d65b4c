//! The choice of the proxy for a request, and the errors of the proxy itself.

use std::error::Error;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{NoProxy, Proxy};
use secrecy::ExposeSecret;
use url::Url;

use crate::config::{Edge, HttpProxy};

/// Hosts that no proxy can reach for this machine.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// An error of the proxy itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyFault {
    /// 407: it wants a login, or another one.
    Login,
    /// It refuses to connect to the host.
    Refusal,
}

/// Returns the proxy in the form that the client takes.
///
/// # Errors
/// If the client does not support its URL.
pub(crate) fn for_client(edge: &Edge, proxy: &HttpProxy) -> reqwest::Result<Proxy> {
    let all = Proxy::all(proxy.url.clone())?.no_proxy(NoProxy::from_string(&exempt(edge)));
    Ok(match &proxy.login {
        Some((user, password)) => all.basic_auth(user, password.expose_secret()),
        None => all,
    })
}

/// Returns the proxy through which requests to `url` go.
pub(crate) fn to<'a>(edge: &'a Edge, url: &Url) -> Option<&'a HttpProxy> {
    let proxy = edge.proxy.as_ref()?;
    let matcher = Matcher::builder()
        .all(proxy.url.as_str())
        .no(exempt(edge))
        .build();
    let uri: Uri = url.as_str().parse().ok()?;
    matcher.intercept(&uri).map(|_| proxy)
}

/// Returns the fault of the proxy that an error is about.
pub(crate) fn fault(error: &(dyn Error + 'static)) -> Option<ProxyFault> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // The type of these errors is private, so only their words distinguish them. A test notices other words.
        match error.to_string().as_str() {
            "tunnel error: proxy authorization required" => return Some(ProxyFault::Login),
            "tunnel error: unsuccessful" => return Some(ProxyFault::Refusal),
            _ => cause = error.source(),
        }
    }
    None
}

fn exempt(edge: &Edge) -> String {
    format!("{LOOPBACK},{}", edge.no_proxy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn loopback_and_listed_hosts_are_reached_without_the_proxy() {
        let mut edge = Config::default().edge;
        edge.proxy = HttpProxy::parse("http://proxy.example:3128").unwrap();
        edge.no_proxy = "inner.example, 10.0.0.0/8".to_owned();
        let cases = [
            ("https://server.adobedc.net", true),
            ("https://inner.example/token", false),
            ("https://10.1.2.3", false),
            ("http://127.0.0.1:8080", false),
            ("https://localhost", false),
            ("https://[::1]:1", false),
        ];
        for (url, through) in cases {
            assert_eq!(to(&edge, &Url::parse(url).unwrap()).is_some(), through, "{url}");
        }
    }
}
