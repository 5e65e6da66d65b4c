//! The page that a change comes from. Browsers name it in headers that no page can set; a form of another page must not change
//! anything with the rights of its reader (CSRF). Pure.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue};
use url::Url;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestOrigin {
    /// A page of this host, or the address bar.
    Own,
    Foreign,
    /// Not a browser: it sends neither header.
    Program,
}

impl RequestOrigin {
    /// Returns the origin of a request by `Sec-Fetch-Site`, which all browsers send since 2023, and by `Origin` without it.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let own = |is_own| if is_own { Self::Own } else { Self::Foreign };
        if let Some(site) = headers.get("sec-fetch-site") {
            return own(site == "same-origin" || site == "none");
        }
        match headers.get(ORIGIN) {
            Some(origin) => own(is_host(origin, headers.get(HOST))),
            None => Self::Program,
        }
    }
}

fn is_host(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let parsed = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok());
    let (Some(origin), Some(Ok(host))) = (parsed, host.map(HeaderValue::to_str)) else {
        return false;
    };
    // Parsed with the scheme of the origin, so that the default port is left out on both sides.
    let host = Url::parse(&format!("{}://{host}", origin.scheme()));
    host.is_ok_and(|host| origin.has_host() && host.origin() == origin.origin())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(pairs: &[(&'static str, &'static str)]) -> RequestOrigin {
        let headers = pairs
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_static(value)));
        RequestOrigin::of(&headers.collect())
    }

    #[test]
    fn the_fetch_metadata_decide_if_they_are_there() {
        let own = [
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://evil.example"),
        ];
        assert_eq!(origin(&own), RequestOrigin::Own);
        assert_eq!(origin(&[("sec-fetch-site", "none")]), RequestOrigin::Own);
        for site in ["same-site", "cross-site", "", "Same-Origin"] {
            let pairs = [
                ("sec-fetch-site", site),
                ("origin", "http://localhost:9187"),
                ("host", "localhost:9187"),
            ];
            assert_eq!(origin(&pairs), RequestOrigin::Foreign, "{site}");
        }
    }

    #[test]
    fn an_origin_must_be_the_host_with_its_port() {
        for (from, host, expected) in [
            ("http://localhost:9187", "localhost:9187", RequestOrigin::Own),
            ("https://shop.example", "shop.example", RequestOrigin::Own),
            ("https://shop.example", "shop.example:443", RequestOrigin::Own),
            ("http://localhost:8080", "localhost:9187", RequestOrigin::Foreign),
            ("https://evil.example", "shop.example", RequestOrigin::Foreign),
            ("null", "shop.example", RequestOrigin::Foreign),
            ("file://", "", RequestOrigin::Foreign),
        ] {
            assert_eq!(origin(&[("origin", from), ("host", host)]), expected, "{from}");
        }
        assert_eq!(origin(&[("origin", "http://localhost")]), RequestOrigin::Foreign);
        assert_eq!(origin(&[("host", "localhost")]), RequestOrigin::Program);
    }
}
