//! Access tokens of Adobe's identity service (IMS), OAuth server-to-server: for Commerce as a Cloud Service, and for the
//! journal of I/O Events.

use std::time::Duration;

use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::{Url, form_urlencoded};

use crate::commerce::rest::request::answer::Failure;
use crate::commerce::rest::request::body::{self, RawAnswer};

/// Longest life of a token, whatever IMS reports.
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);
/// A token is renewed when this share of its life is over, in tenths.
const RENEWED_AT: u32 = 8;

/// An OAuth client and its current token.
#[derive(Debug)]
pub(crate) struct ImsTokens {
    url: Url,
    client_id: String,
    client_secret: SecretString,
    scopes: String,
    current: Mutex<Option<HeldToken>>,
}

#[derive(Clone, Debug)]
struct HeldToken {
    token: SecretString,
    renew_at: Instant,
}

#[derive(Deserialize)]
struct Grant {
    access_token: String,
    expires_in: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Denial {
    error: String,
    error_description: String,
}

impl ImsTokens {
    pub(crate) fn new(url: Url, client_id: String, client_secret: SecretString, scopes: String) -> Self {
        Self {
            url,
            client_id,
            client_secret,
            scopes,
            current: Mutex::default(),
        }
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Returns a valid token; fetches one if there is none. One caller fetches, the others wait for it.
    pub(crate) async fn get(&self, http: &Client) -> Result<SecretString, Failure> {
        let mut current = self.current.lock().await;
        if let Some(held) = current.as_ref().filter(|held| Instant::now() < held.renew_at) {
            return Ok(held.token.clone());
        }
        let held = self.fetch(http).await?;
        Ok(current.insert(held).token.clone())
    }

    /// Drops a token that was refused, unless another one has replaced it.
    pub(crate) async fn reject(&self, refused: &SecretString) {
        let mut current = self.current.lock().await;
        let is_current = |held: &HeldToken| held.token.expose_secret() == refused.expose_secret();
        if current.as_ref().is_some_and(is_current) {
            *current = None;
        }
    }

    async fn fetch(&self, http: &Client) -> Result<HeldToken, Failure> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.client_secret.expose_secret())
            .append_pair("scope", &self.scopes)
            .finish();
        let request = http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(form);
        let asked = Instant::now();
        let answer = body::send(request)
            .await
            .map_err(|error| error.into_failure("the token service"))?;
        let grant = read_grant(&answer)?;
        let life = Duration::from_secs(grant.expires_in.unwrap_or_default()).min(LONGEST_LIFE);
        Ok(HeldToken {
            token: grant.access_token.into(),
            renew_at: asked + life / 10 * RENEWED_AT,
        })
    }
}

fn read_grant(answer: &RawAnswer) -> Result<Grant, Failure> {
    if (200..300).contains(&answer.status)
        && let Ok(grant) = serde_json::from_slice::<Grant>(&answer.body)
        && !grant.access_token.is_empty()
    {
        return Ok(grant);
    }
    let status = answer.status;
    if matches!(status, 400 | 401 | 403) {
        let denial: Denial = serde_json::from_slice(&answer.body).unwrap_or_default();
        return Err(Failure::Refused {
            message: format!(
                "the token service refuses the client (status {status}): {} {}",
                denial.error, denial.error_description
            ),
            remedy: "check client_id, client_secret and scopes of source.rest.ims or source.rest.journal"
                .to_owned(),
        });
    }
    Err(Failure::Busy {
        reason: format!("the token service answered with status {status}"),
        after: answer.retry_after,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> RawAnswer {
        RawAnswer {
            status,
            body: body.as_bytes().to_vec(),
            ..RawAnswer::default()
        }
    }

    #[test]
    fn a_grant_is_distinguished_from_a_denial_and_from_an_outage() {
        let grant = read_grant(&answer(200, r#"{"access_token":"t","expires_in":86399}"#))
            .ok()
            .unwrap();
        assert_eq!(
            (grant.access_token.as_str(), grant.expires_in),
            ("t", Some(86_399))
        );
        let denied = read_grant(&answer(400, r#"{"error":"invalid_client"}"#))
            .err()
            .unwrap();
        assert!(matches!(denied, Failure::Refused { message, .. } if message.contains("invalid_client")));
        for outage in [answer(503, "<html>"), answer(200, "{}")] {
            assert!(matches!(read_grant(&outage).err().unwrap(), Failure::Busy { .. }));
        }
    }
}
