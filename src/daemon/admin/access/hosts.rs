//! The names under which a page may be requested. Another name may be a page's own, resolved to this host so that the page can
//! read the answer (DNS rebinding). Pure.

use std::net::IpAddr;

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};

/// The answer to a request under another name.
pub(crate) const REFUSAL: &str = "only localhost, addresses and the names in admin.hosts are accepted as a host; \
                                  add the name there, or set the header Host in a proxy\n";

/// Returns true if the request names this host: `localhost`, any address, or one of `names`, with any port. HTTP/1.0 has no
/// host, and browsers do not use it.
pub(crate) fn is_accepted(headers: &HeaderMap, uri: &Uri, names: &[String]) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let named = hosts.next().map(|host| Authority::try_from(host.as_bytes()));
    let is_own = |authority: &Authority| is_own(authority, names);
    let is_header_own = match named {
        None => true,
        Some(Ok(authority)) => is_own(&authority),
        Some(Err(_)) => false,
    };
    // Two headers may mean different hosts to a proxy and to this server.
    is_header_own && hosts.next().is_none() && uri.authority().is_none_or(is_own)
}

fn is_own(authority: &Authority, names: &[String]) -> bool {
    let host = authority.host();
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let is_name = |own: &str| name.eq_ignore_ascii_case(own);
    is_name("localhost") || name.parse::<IpAddr>().is_ok() || names.iter().any(|own| is_name(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn accepted(hosts: &[&'static str], uri: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_static(host));
        }
        is_accepted(
            &headers,
            &Uri::from_static(uri),
            &["orderfeed.example.com".to_owned()],
        )
    }

    #[test]
    fn this_host_is_accepted_under_its_names_and_any_port() {
        for host in [
            "localhost",
            "LOCALHOST:9187",
            "127.5.6.7:80",
            "[::1]:9187",
            "10.0.0.5",
            "Orderfeed.Example.com:443",
        ] {
            assert!(accepted(&[host], "/"), "{host}");
        }
        assert!(accepted(&[], "/"));
    }

    #[test]
    fn other_names_and_ambiguous_requests_are_refused() {
        for host in [
            "rebound.example:9187",
            "localhost.example",
            "127.0.0.1.example",
            "example.com",
            "user@rebound.example",
            "",
            "a b",
        ] {
            assert!(!accepted(&[host], "/"), "{host}");
        }
        assert!(!accepted(&["localhost", "rebound.example"], "/"));
        assert!(!accepted(&["localhost"], "http://rebound.example/"));
    }
}
