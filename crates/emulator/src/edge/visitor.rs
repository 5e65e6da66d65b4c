//! The visitor behind a request of the Web SDK: identity and consent, which the SDK keeps in cookies of the shop's
//! domain and sends along.
//!
//! A page sends them as `meta.state.entries`. If the edge's host name belongs to the shop's domain, the browser sends
//! them as a `Cookie` header instead. An answer returns them as `state:store`; the SDK writes what it finds there.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::edge::scan::{Identity, Text};
use crate::http::request::{Door, Inbound};
use crate::ledger::Consent;

/// Decimal digits of an ECID.
const ECID_LENGTH: usize = 38;
/// Start of an identity cookie's bytes: field 1, of 38 bytes.
const COOKIE_START: [u8; 2] = [0x0a, ECID_LENGTH as u8];
/// Lifetimes of the cookies, in seconds: 395 days, half an hour, 180 days.
const IDENTITY_AGE: u32 = 34_128_000;
const CLUSTER_AGE: u32 = 1_800;
const CONSENT_AGE: u32 = 15_552_000;
/// The edge region that every answer names.
pub(crate) const REGION: &str = "or2";

/// A browser with its identity at the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Visitor {
    pub(crate) ecid: String,
    /// True if this answer assigns the ECID.
    pub(crate) is_new: bool,
    /// `None` until the visitor has decided.
    pub(crate) consent: Option<Consent>,
    /// Prefix of the cookies' names, which holds the organization.
    prefix: String,
    /// Cookies that other sites may send need HTTPS.
    is_secure: bool,
}

impl Visitor {
    /// Returns the visitor of a request from a page. `None` for other clients: browsers name the page's origin, and a
    /// script cannot prevent it.
    pub(crate) fn of(inbound: &Inbound<'_>, org: &str) -> Option<Self> {
        if inbound.door != Door::Edge || !inbound.route.is_for_pages() {
            return None;
        }
        let origin = inbound.header("origin")?;
        let prefix = format!("kndctr_{}_", org.replace('@', "_"));
        let body = serde_json::from_slice(&inbound.body).unwrap_or_default();
        let cookies = Cookies {
            entries: entries(&body),
            header: inbound.header("cookie").unwrap_or_default(),
        };
        let value = |name: &str| cookies.get(&format!("{prefix}{name}"));
        let known = value("identity").and_then(|cookie| decode(&cookie));
        let consent = value("consent").as_deref().and_then(consent_of);
        Some(Self {
            is_new: known.is_none(),
            ecid: known.unwrap_or_else(new_ecid),
            consent,
            prefix,
            is_secure: origin.starts_with("https:"),
        })
    }

    /// Returns the identity that applies to events without one of their own.
    pub(crate) fn identity(&self) -> Identity<'_> {
        Identity {
            namespace: Cow::Borrowed("ECID"),
            id: Text::Here(Cow::Borrowed(&self.ecid)),
            primary: false,
        }
    }

    /// Builds the handles `identity:result` and `state:store`. `decided` is the choice that the request transmitted.
    pub(crate) fn handles(&self, decided: Option<Consent>) -> [Value; 2] {
        let mut stored = Vec::new();
        if self.is_new {
            stored.push(self.cookie("identity", &encode(&self.ecid), IDENTITY_AGE));
        }
        stored.push(self.cookie("cluster", REGION, CLUSTER_AGE));
        match decided {
            Some(Consent::In) => stored.push(self.cookie("consent", "general=in", CONSENT_AGE)),
            Some(Consent::Out) => stored.push(self.cookie("consent", "general=out", CONSENT_AGE)),
            Some(Consent::Pending) | None => {}
        }
        [
            json!({ "type": "identity:result",
                "payload": [{ "id": self.ecid, "namespace": { "code": "ECID" } }] }),
            json!({ "type": "state:store", "payload": stored }),
        ]
    }

    fn cookie(&self, name: &str, value: &str, max_age: u32) -> Value {
        // Browsers refuse `SameSite=None` on pages that are not secure.
        let same_site = if self.is_secure { "None" } else { "Lax" };
        json!({ "key": format!("{}{name}", self.prefix), "value": value, "maxAge": max_age,
            "attrs": { "SameSite": same_site } })
    }
}

/// The cookies of a request, from both places.
struct Cookies<'a> {
    entries: &'a [Value],
    header: &'a str,
}

impl Cookies<'_> {
    fn get(&self, name: &str) -> Option<String> {
        let entry = self.entries.iter().find(|entry| entry["key"] == name);
        let sent = entry.and_then(|entry| entry["value"].as_str()).map(str::to_owned);
        sent.or_else(|| self.in_header(name))
    }

    /// Returns a cookie of the header. The SDK writes values percent-encoded.
    fn in_header(&self, name: &str) -> Option<String> {
        let pairs = self
            .header
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
        // A plus sign stands for itself in a cookie.
        let escaped = format!("v={}", value.replace('+', "%2B"));
        let decoded = form_urlencoded::parse(escaped.as_bytes()).next()?;
        Some(decoded.1.into_owned())
    }
}

fn entries(body: &Value) -> &[Value] {
    body["meta"]["state"]["entries"]
        .as_array()
        .map_or(&[], Vec::as_slice)
}

fn consent_of(cookie: &str) -> Option<Consent> {
    match cookie {
        "general=in" => Some(Consent::In),
        "general=out" => Some(Consent::Out),
        _ => None,
    }
}

/// Makes up an ECID. The first digit is not 0, as in Adobe's.
fn new_ecid() -> String {
    let digits = (1..ECID_LENGTH).map(|_| fastrand::digit(10));
    std::iter::once('1').chain(digits).collect()
}

fn encode(ecid: &str) -> String {
    BASE64_STANDARD.encode([&COOKIE_START, ecid.as_bytes()].concat())
}

/// Reads the ECID of an identity cookie. Both alphabets of Base64 occur.
fn decode(cookie: &str) -> Option<String> {
    let text = cookie.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    let ecid = bytes.strip_prefix(&COOKIE_START)?.get(..ECID_LENGTH)?;
    let is_ecid = ecid.iter().all(u8::is_ascii_digit);
    is_ecid.then(|| String::from_utf8(ecid.to_vec()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_cookie_holds_the_ecid() {
        let ecid = new_ecid();
        assert_eq!(ecid.len(), 38);
        assert_eq!(decode(&encode(&ecid)), Some(ecid));
        for broken in ["", "x", "CiY", &encode("12")] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }

    #[test]
    fn cookies_come_from_the_state_of_the_page_or_from_the_header() {
        let body = json!({ "meta": { "state": { "entries": [{ "key": "a", "value": "1" }] } } });
        let cookies = Cookies {
            entries: entries(&body),
            header: "a=2; b=general%3Din; c=x+y%2Bz; d",
        };
        assert_eq!(cookies.get("a").as_deref(), Some("1"));
        assert_eq!(cookies.get("b").as_deref(), Some("general=in"));
        assert_eq!(cookies.get("c").as_deref(), Some("x+y+z"));
        assert_eq!(cookies.get("d"), None);
    }
}
