//! Requests to the journal of a registration.

use std::time::Duration;

use reqwest::Client;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, LINK};
use serde_json::Value;
use url::Url;

use crate::commerce::rest::request::answer::Failure;
use crate::commerce::rest::request::body::{self, RawAnswer};
use crate::commerce::rest::request::client::http_client;
use crate::commerce::rest::request::credentials::{bearer, insert};
use crate::commerce::rest::request::ims::ImsTokens;
use crate::commerce::source::SourceError;
use crate::config::Config;

/// The journal of one registration.
#[derive(Debug)]
pub(crate) struct JournalClient {
    http: Client,
    url: Url,
    tokens: ImsTokens,
    organization: String,
}

/// An answer of the journal.
#[derive(Debug, PartialEq)]
pub(super) enum JournalPage {
    Events {
        events: Vec<Value>,
        next: String,
    },
    /// No event after the position. `after` is the pause that the journal asks for.
    End {
        next: Option<String>,
        after: Option<Duration>,
    },
    /// The journal no longer holds the position.
    Gone,
}

impl JournalClient {
    /// Creates the client if a journal is configured. Connects to nothing.
    pub(crate) fn new(config: &Config) -> Result<Option<Self>, SourceError> {
        let journal = &config.source.rest.journal;
        let Some(url) = journal.url.clone() else {
            return Ok(None);
        };
        Ok(Some(Self {
            http: http_client(&config.source.rest, None, &[&url, &journal.token_url])?,
            url,
            tokens: ImsTokens::new(
                journal.token_url.clone(),
                journal.client_id.clone(),
                journal.client_secret.clone(),
                journal.scopes.clone(),
            ),
            organization: config.services_connector.organization_id.as_str().to_owned(),
        }))
    }

    /// Returns the events after a position, which is a link of an earlier answer; without one, the end of the journal.
    pub(super) async fn page(&self, position: Option<&str>) -> Result<JournalPage, Failure> {
        let url = self.address(position);
        let token = self.tokens.get(&self.http).await?;
        let mut headers = HeaderMap::new();
        insert(&mut headers, AUTHORIZATION, &bearer(&token))?;
        insert(
            &mut headers,
            HeaderName::from_static("x-api-key"),
            self.tokens.client_id(),
        )?;
        insert(
            &mut headers,
            HeaderName::from_static("x-ims-org-id"),
            &self.organization,
        )?;
        let request = self
            .http
            .get(url)
            .headers(headers)
            .header(ACCEPT, "application/json");
        let answer = body::send(request)
            .await
            .map_err(|error| error.into_failure("the journal"))?;
        if answer.status == 401 {
            self.tokens.reject(&token).await;
        }
        read(&answer)
    }

    /// Returns the address of a position. A link of another host is not followed: the token belongs to this one.
    fn address(&self, position: Option<&str>) -> Url {
        let position = position.filter(|position| !position.is_empty());
        let linked = position.and_then(|link| self.url.join(link).ok());
        let same_host = |url: &Url| url.origin() == self.url.origin();
        linked.filter(same_host).unwrap_or_else(|| {
            let mut url = self.url.clone();
            url.query_pairs_mut().append_pair("latest", "true");
            url
        })
    }
}

fn read(answer: &RawAnswer) -> Result<JournalPage, Failure> {
    let next = answer
        .headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(next_link);
    match answer.status {
        200 => {
            let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
            let events = body
                .as_ref()
                .and_then(|body| body.get("events"))
                .and_then(Value::as_array);
            match (events, next) {
                (Some(events), Some(next)) => Ok(JournalPage::Events {
                    events: events.clone(),
                    next,
                }),
                _ => Err(busy("the journal's answer has no events or no next link")),
            }
        }
        204 => Ok(JournalPage::End {
            next,
            after: answer.retry_after,
        }),
        410 => Ok(JournalPage::Gone),
        status => Err(busy(&format!("the journal answered with status {status}"))),
    }
}

fn busy(reason: &str) -> Failure {
    Failure::Busy {
        reason: reason.to_owned(),
        after: None,
    }
}

/// Returns the target of `rel="next"` in a `Link` header.
fn next_link(header: &str) -> Option<String> {
    header.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters
            .split(';')
            .any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"));
        is_next.then(|| target.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn answer(status: u16, link: &str, body: &str) -> RawAnswer {
        let mut headers = HeaderMap::new();
        headers.insert(LINK, HeaderValue::from_str(link).unwrap());
        RawAnswer {
            status,
            headers,
            body: body.as_bytes().to_vec(),
            ..RawAnswer::default()
        }
    }

    #[test]
    fn the_next_link_is_found_among_others() {
        let link = r#"</events/x?count=5>; rel="count", </events/x?since=p1>; rel="next""#;
        assert_eq!(next_link(link).as_deref(), Some("/events/x?since=p1"));
        assert_eq!(next_link("</events/x>; rel=\"events\""), None);
    }

    #[test]
    fn each_status_has_its_meaning() {
        let next = r#"</events/x?since=p1>; rel="next""#;
        let events = read(&answer(200, next, r#"{"events":[{"position":"p1","event":{}}]}"#)).unwrap();
        assert!(
            matches!(events, JournalPage::Events { events, next } if events.len() == 1 && next.ends_with("p1"))
        );
        assert!(matches!(
            read(&answer(204, next, "")).unwrap(),
            JournalPage::End { next: Some(_), .. }
        ));
        assert_eq!(read(&answer(410, next, "")).unwrap(), JournalPage::Gone);
        assert!(read(&answer(500, next, "")).is_err());
    }
}
