//! `[edge]`: the edge's URL and the OAuth client that authenticates requests to it.

use std::path::PathBuf;

use secrecy::SecretString;
use url::{Host, Url};

use crate::config::fields::{
    Below, Derived, Field, FilePath, OrEmpty, Parse, Secret, SecretUrl, any_text, table,
};
use crate::config::problem::quoted;
use crate::config::reader::ConfigReader;
use crate::config::values::{HttpProxy, InvalidValue, choices};

table! {
    /// `[edge]`: the Edge Network, or another host with its API.
    #[derive(Clone, Debug)]
    pub struct Edge {
        /// Scheme, host and port; requests go to `/ee/v2/collect` below it.
        pub url: Url = WebUrl,
        pub auth: EdgeAuth = Parse(str::parse),
        /// Certificate authorities for the edge and for the token URL, instead of the built-in ones.
        pub ca_file: Option<PathBuf> = FilePath,
        /// The proxy to both.
        pub proxy: Option<HttpProxy> = SecretUrl(HttpProxy::parse),
        /// Hosts that are reached without it, separated by commas.
        pub no_proxy: String = OrEmpty(any_text),
        pub oauth: OAuth = Below,
    }
}

choices! {
    /// Authentication of requests to the edge.
    pub enum EdgeAuth {
        /// OAuth server-to-server, which `server.adobedc.net` requires.
        Oauth = "oauth",
        /// No token: an emulator, or a host that does not authenticate.
        None = "none",
    }
}

table! {
    /// `[edge.oauth]`: the OAuth server-to-server client.
    #[derive(Clone, Debug)]
    pub struct OAuth {
        pub token_url: Url = WebUrl,
        /// The OAuth client; also sent to the edge as `x-api-key`. Empty only where `auth` is none.
        pub client_id: String = OrEmpty(parse_client_id),
        /// Empty only where `auth` is none.
        pub client_secret: SecretString = Secret,
        /// The file, or the line of a file, that holds the secret; for messages.
        pub client_secret_place: String = Derived,
        /// The scopes to request, separated by commas.
        pub scopes: String = Parse(any_text),
    }
}

impl Edge {
    pub(super) fn check(&self, reader: &mut ConfigReader<'_>) {
        if self.url.path() != "/" || self.url.query().is_some() || self.url.fragment().is_some() {
            let message = "holds a path or a query; expected scheme, host and port only, because \"/ee/v2/collect\" is added";
            reader.problem("edge.url", message);
        }
        match self.auth {
            EdgeAuth::Oauth if reader.text("edge.oauth.client_id").is_none() => {
                let expected =
                    "the client id of your OAuth server-to-server credential, because edge.auth = \"oauth\"";
                reader.missing("edge.oauth.client_id", expected);
            }
            EdgeAuth::None if !is_loopback(&self.url) => {
                let message = "is \"none\", but server.adobedc.net and its like refuse requests without a token; \
                               set \"oauth\" unless your host does not authenticate";
                reader.warn("edge.auth", message);
            }
            _ => {}
        }
    }
}

fn parse_client_id(text: &str) -> Result<String, InvalidValue> {
    match text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => Err(InvalidValue::new(
            "is not a client id",
            "letters and digits without spaces",
        )),
    }
}

/// An https URL, or http to loopback, without credentials.
struct WebUrl;

impl Field<Url> for WebUrl {
    fn read(&self, path: &str, reader: &mut ConfigReader<'_>) -> Url {
        match reader.text(path).map(|text| (text, parse_web_url(text))) {
            Some((_, Ok(url))) => return url,
            // A misplaced password or token must not be quoted: it may follow an "@" or be part of the query.
            Some((text, Err(invalid))) if text.contains('@') => {
                reader.problem(path, format!("(not shown, it holds an \"@\") {invalid}"));
            }
            Some((text, Err(invalid))) => {
                let shown = quoted(text.split(['?', '#']).next().unwrap_or_default());
                reader.problem(path, format!("{shown} {invalid}"));
            }
            None => {}
        }
        Parse(parse_web_url).fallback(path, reader)
    }
}

fn parse_web_url(text: &str) -> Result<Url, InvalidValue> {
    let expected = "a url such as https://server.adobedc.net; http only to loopback";
    let url = Url::parse(text).map_err(|_| InvalidValue::new("is not a url", expected))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidValue::new(
            "holds credentials",
            "a url without them; they belong in [edge.oauth]",
        ));
    }
    match url.scheme() {
        "https" if url.has_host() => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(InvalidValue::new(
            "would send events and tokens unencrypted",
            expected,
        )),
        _ => Err(InvalidValue::new("is not an https url", expected)),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
