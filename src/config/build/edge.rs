//! `[edge]`: https, or http to loopback; complete OAuth credentials where they are used.

use secrecy::SecretString;
use url::{Host, Url};

use crate::config::model::{Edge, EdgeAuth, OAuth};
use crate::config::problem::quoted;
use crate::config::reader::Reader;
use crate::config::values::Unfit;

pub(crate) fn edge(reader: &mut Reader<'_>) -> Edge {
    let defaults = Edge::default();
    let url = web_url(reader, "edge.url").unwrap_or(defaults.url);
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        let expected = "scheme, host and port only, because \"/ee/v2/collect\" is added";
        reader.problem(
            "edge.url",
            format!("holds a path or a query; expected {expected}"),
        );
    }
    let auth = reader.choice("edge.auth", EdgeAuth::default());
    if auth == EdgeAuth::None && !is_loopback(&url) {
        let message = "is \"none\", but server.adobedc.net and its like refuse requests without a token; \
                       set \"oauth\" unless your host does not authenticate";
        reader.warn("edge.auth", message.into());
    }
    Edge {
        url,
        auth,
        oauth: oauth(reader, auth),
        ca_file: reader.path("edge.ca_file"),
    }
}

fn oauth(reader: &mut Reader<'_>, auth: EdgeAuth) -> OAuth {
    let defaults = OAuth::default();
    let client_id = reader.text_or("edge.oauth.client_id", String::new());
    if auth == EdgeAuth::Oauth && client_id.is_empty() {
        let expected =
            "the client id of your OAuth server-to-server credential, because edge.auth = \"oauth\"";
        reader.missing("edge.oauth.client_id", expected);
    }
    if !client_id.bytes().all(|b| b.is_ascii_graphic()) {
        let message = format!(
            "{} is not a client id; expected letters and digits without spaces",
            quoted(&client_id)
        );
        reader.problem("edge.oauth.client_id", message);
    }
    OAuth {
        token_url: web_url(reader, "edge.oauth.token_url").unwrap_or(defaults.token_url),
        client_id,
        client_secret: SecretString::default(),
        scopes: reader.text_or("edge.oauth.scopes", defaults.scopes),
    }
}

/// An https url, or http to loopback, without credentials. One that holds credentials is not quoted.
fn web_url(reader: &mut Reader<'_>, key: &str) -> Option<Url> {
    let text = reader.text(key)?;
    let message = match parse_web_url(text) {
        Ok(url) => return Some(url),
        Err(unfit) if text.contains('@') => format!("(not shown, it holds an \"@\") {unfit}"),
        // A query may hold a token, so it is not quoted either.
        Err(unfit) => format!(
            "{} {unfit}",
            quoted(text.split(['?', '#']).next().unwrap_or_default())
        ),
    };
    reader.problem(key, message);
    None
}

fn parse_web_url(text: &str) -> Result<Url, Unfit> {
    let expected = "a url such as https://server.adobedc.net; http only to loopback";
    let url = Url::parse(text).map_err(|_| Unfit::new("is not a url", expected))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Unfit::new(
            "holds credentials",
            "a url without them; they belong in [edge.oauth]",
        ));
    }
    match url.scheme() {
        "https" if url.has_host() => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(Unfit::new("would send events and tokens unencrypted", expected)),
        _ => Err(Unfit::new("is not an https url", expected)),
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
