//! Signatures of OAuth 1.0a (RFC 5849) with HMAC-SHA256, as Commerce verifies them. Pure.
//!
//! The server signs the address that it sees itself: a proxy that hides the scheme or the host makes every signature invalid.
//! A nonce is valid once, so each attempt of a request has a signature of its own.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::commerce::rest::request::query::encode;

const METHOD: &str = "HMAC-SHA256";

/// The four strings of an integration.
#[derive(Clone, Debug)]
pub(crate) struct OauthKeys {
    pub(crate) consumer_key: String,
    pub(crate) consumer_secret: SecretString,
    pub(crate) token: SecretString,
    pub(crate) token_secret: SecretString,
}

/// The part of a signature that differs between two attempts.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    /// 32 hexadecimal digits, never used twice.
    pub(crate) nonce: String,
    /// Seconds since the epoch, by the server's clock as far as it is known.
    pub(crate) timestamp: i64,
}

impl OauthKeys {
    /// Returns the `Authorization` header of a GET request for `url` with these parameters.
    pub(crate) fn authorization(&self, url: &Url, query: &[(String, String)], stamp: &Stamp) -> String {
        let own = [
            ("oauth_consumer_key", self.consumer_key.clone()),
            ("oauth_nonce", stamp.nonce.clone()),
            ("oauth_signature_method", METHOD.to_owned()),
            ("oauth_timestamp", stamp.timestamp.to_string()),
            ("oauth_token", self.token.expose_secret().to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        let base = base_string("GET", url, query.iter().chain(&own));
        let signature = (
            "oauth_signature".to_owned(),
            signature(&base, &self.consumer_secret, &self.token_secret),
        );
        let mut header = "OAuth ".to_owned();
        for (index, (name, value)) in own.iter().chain([&signature]).enumerate() {
            let separator = if index == 0 { "" } else { "," };
            // Writing into a String cannot fail.
            let _ = write!(header, "{separator}{name}=\"{}\"", encode(value));
        }
        header
    }
}

/// Returns the text that is signed: method, address, and all parameters in the order of their encoded forms.
fn base_string<'a>(
    method: &str,
    url: &Url,
    parameters: impl Iterator<Item = &'a (String, String)>,
) -> String {
    let mut pairs: Vec<(String, String)> = parameters
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    // `Url` has the host in lower case already, and no default port.
    let mut address = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        let _ = write!(address, ":{port}");
    }
    address.push_str(url.path());
    format!("{method}&{}&{}", encode(&address), encode(&pairs.join("&")))
}

fn signature(base: &str, consumer_secret: &SecretString, token_secret: &SecretString) -> String {
    let key = format!(
        "{}&{}",
        encode(consumer_secret.expose_secret()),
        encode(token_secret.expose_secret())
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    STANDARD.encode(hmac::sign(&key, base.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::rest::request::query::{Direction, Search};

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// RFC 5849, sections 3.4.1.1 and 3.4.1.3.1.
    #[test]
    fn the_base_string_is_that_of_the_rfc() {
        let parameters = pairs(&[
            ("b5", "=%3D"),
            ("a3", "a"),
            ("c@", ""),
            ("a2", "r b"),
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
            ("c2", ""),
            ("a3", "2 q"),
        ]);
        let url = Url::parse("http://EXAMPLE.COM:80/request").unwrap();
        assert_eq!(
            base_string("POST", &url, parameters.iter()),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D\
             %26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a\
             %26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    fn keys() -> OauthKeys {
        OauthKeys {
            consumer_key: "ck 1".to_owned(),
            consumer_secret: "c+s/ecret".to_owned().into(),
            token: "tk".to_owned().into(),
            token_secret: "t&s".to_owned().into(),
        }
    }

    /// Computed by Python's `hmac` and `urllib.parse.quote`.
    #[test]
    fn the_signature_is_that_of_another_implementation() {
        let query = pairs(&[
            (
                "searchCriteria[filter_groups][0][filters][0][field]",
                "updated_at",
            ),
            (
                "searchCriteria[filter_groups][0][filters][0][condition_type]",
                "gteq",
            ),
            (
                "searchCriteria[filter_groups][0][filters][0][value]",
                "2026-01-02 03:04:05",
            ),
            ("searchCriteria[pageSize]", "50"),
            ("searchCriteria[currentPage]", "1"),
            ("fields", "items[entity_id,ä],total_count"),
        ]);
        let stamp = Stamp {
            nonce: "0123456789abcdef0123456789abcdef".to_owned(),
            timestamp: 1_767_323_045,
        };
        let url = Url::parse("https://shop.example:443/rest/all/V1/orders").unwrap();
        let header = keys().authorization(&url, &query, &stamp);
        assert_eq!(
            header,
            "OAuth oauth_consumer_key=\"ck%201\",oauth_nonce=\"0123456789abcdef0123456789abcdef\",\
             oauth_signature_method=\"HMAC-SHA256\",oauth_timestamp=\"1767323045\",oauth_token=\"tk\",\
             oauth_signature=\"gplFcEEwlTjVuOmgqXSV%2FqKAxtcvKWcBnLVF1ncVcTc%3D\""
        );
    }

    #[test]
    fn a_port_that_is_not_the_default_is_signed() {
        let url = Url::parse("http://127.0.0.1:8080/rest/all/V1/orders").unwrap();
        let base = base_string("GET", &url, [].iter());
        assert_eq!(
            base,
            "GET&http%3A%2F%2F127.0.0.1%3A8080%2Frest%2Fall%2FV1%2Forders&"
        );
    }

    /// PHP's natural order, in which versions up to 2.4.8 sort the encoded names: runs of digits count as numbers.
    fn natural(one: &str, other: &str) -> std::cmp::Ordering {
        fn parts(text: &str) -> Vec<(u64, String)> {
            let mut parts = Vec::new();
            let mut rest = text;
            while let Some(first) = rest.chars().next() {
                let is_digit = first.is_ascii_digit();
                let end = rest
                    .find(|c: char| c.is_ascii_digit() != is_digit)
                    .unwrap_or(rest.len());
                let (part, after) = rest.split_at(end);
                parts.push(match is_digit {
                    true => (part.parse().unwrap(), String::new()),
                    false => (u64::MAX, part.to_owned()),
                });
                rest = after;
            }
            parts
        }
        parts(one).cmp(&parts(other))
    }

    #[test]
    fn every_version_sorts_the_largest_search_alike() {
        let mut search = Search::new(300, "items[entity_id],total_count");
        for field in [
            "created_at",
            "entity_id",
            "store_id",
            "updated_at",
            "state",
            "status",
            "quote_id",
            "customer_id",
            "increment_id",
            "is_virtual",
        ] {
            search = search.filter(field, "gteq", "7");
        }
        let query = search
            .sort("updated_at", Direction::Ascending)
            .sort("entity_id", Direction::Ascending)
            .query();
        let mut names: Vec<String> = query.pairs().iter().map(|(name, _)| name.clone()).collect();
        names.extend(["oauth_consumer_key", "oauth_nonce", "oauth_token"].map(str::to_owned));
        let mut by_bytes: Vec<String> = names.iter().map(|name| encode(name)).collect();
        let (mut by_nature, mut decoded) = (by_bytes.clone(), names);
        by_bytes.sort_unstable();
        by_nature.sort_by(|one, other| natural(one, other));
        decoded.sort_unstable();
        assert_eq!(by_bytes, by_nature, "up to 2.4.8");
        let decoded: Vec<String> = decoded.iter().map(|name| encode(name)).collect();
        assert_eq!(by_bytes, decoded, "the newest");
    }
}
