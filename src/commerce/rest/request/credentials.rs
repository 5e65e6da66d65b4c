//! The credentials of requests to the shop.

use reqwest::Client;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::commerce::rest::request::answer::Failure;
use crate::commerce::rest::request::ims::ImsTokens;
use crate::commerce::rest::request::query::Query;
use crate::commerce::rest::request::sign::{OauthKeys, Stamp};

/// The way in which requests are authenticated.
#[derive(Debug)]
pub(crate) enum Credentials {
    /// The four strings of an integration; each request is signed.
    Oauth(OauthKeys),
    /// The access token of an integration.
    Bearer(SecretString),
    /// Adobe Commerce as a Cloud Service.
    Ims { tokens: ImsTokens, organization: String },
}

impl Credentials {
    /// Returns the headers of a request at `now`, in milliseconds of the server's clock, and the token if it is one that can
    /// be replaced.
    pub(crate) async fn headers(
        &self,
        http: &Client,
        url: &Url,
        query: &Query,
        now: i64,
    ) -> Result<(HeaderMap, Option<SecretString>), Failure> {
        let mut headers = HeaderMap::new();
        match self {
            Self::Oauth(keys) => {
                // The highest 64 bits are random as well: a nonce is refused if any consumer used it before.
                let nonce = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
                let stamp = Stamp {
                    nonce,
                    timestamp: now.div_euclid(1000),
                };
                insert(
                    &mut headers,
                    AUTHORIZATION,
                    &keys.authorization(url, query.pairs(), &stamp),
                )?;
                Ok((headers, None))
            }
            Self::Bearer(token) => {
                insert(&mut headers, AUTHORIZATION, &bearer(token))?;
                Ok((headers, None))
            }
            Self::Ims { tokens, organization } => {
                let token = tokens.get(http).await?;
                insert(&mut headers, AUTHORIZATION, &bearer(&token))?;
                insert(
                    &mut headers,
                    HeaderName::from_static("x-api-key"),
                    tokens.client_id(),
                )?;
                insert(
                    &mut headers,
                    HeaderName::from_static("x-gw-ims-org-id"),
                    organization,
                )?;
                // The cloud service has no store code in its address.
                insert(&mut headers, HeaderName::from_static("store"), "all")?;
                Ok((headers, Some(token)))
            }
        }
    }

    /// Drops a token that the shop refused. Returns true if another one can be fetched.
    pub(crate) async fn reject(&self, token: Option<&SecretString>) -> bool {
        match (self, token) {
            (Self::Ims { tokens, .. }, Some(token)) => {
                tokens.reject(token).await;
                true
            }
            _ => false,
        }
    }
}

/// Returns the value of the header for a token.
pub(crate) fn bearer(token: &SecretString) -> String {
    format!("Bearer {}", token.expose_secret())
}

/// Inserts a header that no log shows.
pub(crate) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), Failure> {
    let mut value = HeaderValue::from_str(value).map_err(|_| Failure::Refused {
        message: "a credential of source.rest has characters that no header may have".to_owned(),
        remedy: "copy it again, without spaces and line breaks".to_owned(),
    })?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}
