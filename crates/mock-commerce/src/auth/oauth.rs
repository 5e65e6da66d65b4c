//! OAuth 1.0a as Commerce checks it, written from its rules and not from a client's code.

use std::collections::{BTreeMap, HashSet};

use crate::auth::encoding::{base64, decode, encode, hmac, natural_order};
use crate::config::{MockConfig, Release};
use crate::problem::Problem;

/// The parts of a request that its signature covers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    /// Scheme and host as the server sees them.
    pub(crate) origin: &'a str,
    pub(crate) path: &'a str,
    /// The query as it was received.
    pub(crate) query: &'a str,
    /// The header `Authorization`.
    pub(crate) authorization: &'a str,
}

/// Largest difference by which a timestamp may be ahead of the server, in seconds.
const AHEAD: i64 = 600;

const REQUIRED: [&str; 6] = [
    "oauth_consumer_key",
    "oauth_signature",
    "oauth_signature_method",
    "oauth_nonce",
    "oauth_timestamp",
    "oauth_token",
];

/// Checks a signed request, in the order of Commerce: parameters, consumer, nonce, token, signature. The nonce is used up
/// even if the signature is wrong.
pub(crate) fn check(
    config: &MockConfig,
    nonces: &mut HashSet<String>,
    now_s: i64,
    request: Signed<'_>,
) -> Result<(), Problem> {
    let header = header_parameters(request.authorization);
    for name in REQUIRED {
        if header.get(name).is_none_or(String::is_empty) {
            return Err(Problem::missing(name));
        }
    }
    let value = |name: &str| header.get(name).map(String::as_str).unwrap_or_default();
    if value("oauth_signature_method") != "HMAC-SHA256" {
        let message = format!(
            "Signature method {} is not supported",
            value("oauth_signature_method")
        );
        return Err(Problem::plain(400, &message));
    }
    if header
        .get("oauth_version")
        .is_some_and(|version| version != "1.0")
    {
        return Err(Problem::plain(400, "The OAuth version is not supported."));
    }
    if value("oauth_consumer_key") != config.consumer.key {
        return Err(Problem::plain(
            401,
            "A consumer having the specified key does not exist",
        ));
    }
    check_nonce(nonces, now_s, value("oauth_nonce"), value("oauth_timestamp"))?;
    if value("oauth_token") != config.consumer.token {
        return Err(Problem::plain(401, "Specified token does not exist"));
    }
    if config.is_revoked {
        return Err(Problem::plain(401, "Consumer key has expired"));
    }
    let invalid = || Problem::plain(401, "The signature is invalid. Verify and try again.");
    if config.refuses_blanks && request.query.contains("%20") {
        return Err(invalid());
    }
    let expected = signature(config, request, &header);
    (expected == value("oauth_signature"))
        .then_some(())
        .ok_or_else(invalid)
}

fn check_nonce(
    nonces: &mut HashSet<String>,
    now_s: i64,
    nonce: &str,
    timestamp: &str,
) -> Result<(), Problem> {
    let timestamp: i64 = timestamp.parse().unwrap_or_default();
    // An old timestamp passes: Commerce checks only that it is not ahead.
    if timestamp <= 0 || timestamp > now_s + AHEAD {
        return Err(Problem::plain(
            400,
            "The timestamp value in the oauth_timestamp parameter is invalid",
        ));
    }
    if nonces.insert(nonce.to_owned()) {
        Ok(())
    } else {
        Err(nonce_used())
    }
}

/// Returns the answer to a nonce that was used before.
pub(crate) fn nonce_used() -> Problem {
    Problem::plain(401, "The nonce is already being used by the consumer with ID 1.")
}

/// Returns the answer to a nonce that could not be stored because of a deadlock.
pub(crate) fn nonce_failed() -> Problem {
    Problem::plain(401, "An error occurred validating the nonce.")
}

fn header_parameters(authorization: &str) -> BTreeMap<String, String> {
    let parameters = authorization
        .strip_prefix("OAuth ")
        .unwrap_or_default()
        .split(',')
        .filter_map(|part| part.split_once('='));
    parameters
        .map(|(name, value)| (decode(name.trim()), decode(value.trim().trim_matches('"'))))
        .filter(|(name, _)| name != "realm")
        .collect()
}

/// Computes the signature that the request must have.
fn signature(config: &MockConfig, request: Signed<'_>, header: &BTreeMap<String, String>) -> String {
    let mut parameters: BTreeMap<String, String> = header.clone();
    parameters.remove("oauth_signature");
    for part in request.query.split('&') {
        // A part without exactly one `=` is left out, although PHP reads it as a parameter.
        if let [name, value] = part.split('=').collect::<Vec<_>>()[..] {
            parameters.insert(decode(name), decode(value));
        }
    }
    let mut parameters: Vec<(String, String)> = parameters.into_iter().collect();
    if config.release < Release::Newest {
        parameters.sort_by(|(left, _), (right, _)| natural_order(&encode(left), &encode(right)));
    }
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    let base = format!(
        "{}&{}&{}",
        request.method,
        encode(&format!("{}{}", origin(request.origin), request.path)),
        encode(&pairs.join("&"))
    );
    let consumer = &config.consumer;
    let key = format!("{}&{}", encode(&consumer.secret), encode(&consumer.token_secret));
    base64(&hmac(key.as_bytes(), base.as_bytes()))
}

/// Returns the origin in lower case, without the default port.
fn origin(origin: &str) -> String {
    let origin = origin.to_lowercase();
    let default_port = if origin.starts_with("https:") {
        ":443"
    } else {
        ":80"
    };
    origin
        .strip_suffix(default_port)
        .map_or(origin.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed with Python's hmac, hashlib and urllib, from the rules above.
    const QUERY: &str = "searchCriteria%5BfilterGroups%5D%5B0%5D%5Bfilters%5D%5B0%5D%5Bfield%5D=updated_at&\
        searchCriteria%5BfilterGroups%5D%5B0%5D%5Bfilters%5D%5B0%5D%5Bvalue%5D=2026-01-02%2003%3A04%3A05&fields=items%5Bentity_id%5D";

    fn request<'a>(query: &'a str, authorization: &'a str) -> Signed<'a> {
        Signed {
            method: "GET",
            origin: "http://Shop.example:80",
            path: "/rest/all/V1/orders",
            query,
            authorization,
        }
    }

    fn authorization(nonce: &str, timestamp: i64, signature: &str) -> String {
        format!(
            "OAuth oauth_consumer_key=\"mock-consumer-key\",oauth_nonce=\"{nonce}\",oauth_signature=\"{}\",\
             oauth_signature_method=\"HMAC-SHA256\",oauth_timestamp=\"{timestamp}\",oauth_token=\"mock-access-token\"",
            encode(signature)
        )
    }

    #[test]
    fn a_signature_computed_elsewhere_is_accepted_once() {
        let config = MockConfig::default();
        let header = authorization(
            "n1",
            1_700_000_000,
            "NgdOdo8K9rbl+uy0bca2DrtJTzYC2fmKWoSbQYueoLw=",
        );
        let mut nonces = HashSet::new();
        let mut check = |query| check(&config, &mut nonces, 1_700_000_000, request(query, &header));
        assert_eq!(check(QUERY), Ok(()));
        assert_eq!(check(QUERY), Err(nonce_used()));
    }

    #[test]
    fn other_bytes_another_clock_and_another_method_are_refused() {
        let config = MockConfig::default();
        let refusal = |query: &str, timestamp: i64, signature: &str| {
            let header = authorization("n1", timestamp, signature);
            check(
                &config,
                &mut HashSet::new(),
                1_700_000_000,
                request(query, &header),
            )
            .unwrap_err()
            .status
        };
        assert_eq!(
            refusal(
                "fields=items",
                1_700_000_000,
                "NgdOdo8K9rbl+uy0bca2DrtJTzYC2fmKWoSbQYueoLw="
            ),
            401
        );
        assert_eq!(
            refusal(
                QUERY,
                1_700_000_601,
                "NgdOdo8K9rbl+uy0bca2DrtJTzYC2fmKWoSbQYueoLw="
            ),
            400
        );
        assert_eq!(
            refusal(QUERY, 1_600_000_000, "AAAA"),
            401,
            "an old timestamp is not the reason"
        );
    }

    #[test]
    fn a_part_without_a_value_is_not_signed() {
        let config = MockConfig::default();
        let header = BTreeMap::new();
        let signed = |query| signature(&config, request(query, ""), &header);
        assert_eq!(signed("a=1&searchCriteria"), signed("a=1"));
        assert_eq!(signed("a=1&b=x=y"), signed("a=1"));
        assert_ne!(signed("a=1&b="), signed("a=1"));
    }

    #[test]
    fn ten_filters_are_sorted_differently_by_old_releases() {
        let signed = |release, query| {
            let config = MockConfig {
                release,
                ..MockConfig::default()
            };
            signature(&config, request(query, ""), &BTreeMap::new())
        };
        let (few, many) = ("a%5B2%5D=1&a%5B9%5D=1", "a%5B2%5D=1&a%5B10%5D=1");
        assert_eq!(signed(Release::V2_4_8, few), signed(Release::Newest, few));
        assert_ne!(signed(Release::V2_4_8, many), signed(Release::Newest, many));
    }
}
