//! Where events go and how to be let in.

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

use crate::config::values::Choice;

/// `[edge]`.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Scheme, host and port of the Edge Network; requests go to `/ee/v2/collect` below it. Plain http only to
    /// loopback.
    pub url: Url,
    /// Whether requests carry an access token.
    pub auth: EdgeAuth,
    /// The OAuth server-to-server client; in force where `auth` is [`EdgeAuth::Oauth`].
    pub oauth: OAuth,
    /// A PEM file with the certificate authorities to trust instead of the built-in ones, for the edge and the
    /// token url.
    pub ca_file: Option<PathBuf>,
}

/// Whether requests to the edge are authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EdgeAuth {
    /// OAuth server-to-server: what `server.adobedc.net` requires.
    #[default]
    Oauth,
    /// No token: an emulator, or a host that does not authenticate.
    None,
}

/// `[edge.oauth]`.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// Adobe's token endpoint; https, or http to loopback.
    pub token_url: Url,
    /// The OAuth client; also sent to the edge as `x-api-key`. Empty only where `auth` is none.
    pub client_id: String,
    /// The client's secret. Empty only where `auth` is none.
    pub client_secret: SecretString,
    /// Scopes to ask for, separated by commas.
    pub scopes: String,
}

impl Default for Edge {
    fn default() -> Self {
        Self {
            url: known_url("https://server.adobedc.net"),
            auth: EdgeAuth::default(),
            oauth: OAuth::default(),
            ca_file: None,
        }
    }
}

impl Default for OAuth {
    fn default() -> Self {
        Self {
            token_url: known_url("https://ims-na1.adobelogin.com/ims/token/v3"),
            client_id: String::new(),
            client_secret: SecretString::default(),
            scopes: "openid,AdobeID,read_organizations,additional_info.projectedProductContext,session"
                .into(),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "the argument is a constant of this file, parsed by every test run"
)]
fn known_url(text: &'static str) -> Url {
    Url::parse(text).expect("a constant URL")
}

impl Choice for EdgeAuth {
    const NAMES: &'static [(&'static str, Self)] = &[("oauth", Self::Oauth), ("none", Self::None)];
}
