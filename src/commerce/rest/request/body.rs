//! Sending of one request, and reading of its answer with a bound on its size.

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use chrono::DateTime;
use reqwest::RequestBuilder;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

use crate::commerce::rest::request::answer::Failure;
use crate::tls;
use orderfeed_model::clock::UtcMillis;

/// Largest answer. A page of orders has about 10 KB per order.
const LARGEST: usize = 32 << 20;

/// An answer, or the part of it that arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    /// The server's clock.
    pub(crate) date: Option<UtcMillis>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) is_complete: bool,
}

/// The reason why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SendError {
    /// Neither answer nor end of the body within the time limit.
    TimedOut,
    /// The certificate of the server is not trusted.
    Certificate(String),
    /// The answer is larger than any page should be.
    TooLarge,
    Connection(String),
}

impl SendError {
    /// Returns the failure; `peer` is the name of the server in messages.
    pub(crate) fn into_failure(self, peer: &str) -> Failure {
        match self {
            // Perhaps for one order of the page, so a smaller page may succeed.
            Self::TimedOut => Failure::TooSlow {
                reason: format!("{peer} did not answer within the time limit"),
            },
            Self::TooLarge => Failure::TooSlow {
                reason: format!("the answer of {peer} has more than {LARGEST} bytes"),
            },
            Self::Certificate(cause) => Failure::Refused {
                message: format!("the certificate of {peer} is not trusted: {cause}"),
                remedy: "check source.rest.url and the clock, and set source.rest.ca_file for an authority of your own"
                    .to_owned(),
            },
            Self::Connection(cause) => Failure::Busy {
                reason: format!("{peer} cannot be reached: {cause}"),
                after: None,
            },
        }
    }
}

/// Sends a request and reads the whole answer.
pub(crate) async fn send(request: RequestBuilder) -> Result<RawAnswer, SendError> {
    let mut response = request.send().await.map_err(of_error)?;
    let text = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
    let date = text(DATE).and_then(http_date);
    let mut answer = RawAnswer {
        status: response.status().as_u16(),
        retry_after: text(RETRY_AFTER).and_then(|value| retry_after(value, date)),
        date,
        headers: response.headers().clone(),
        ..RawAnswer::default()
    };
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if answer.body.len() + chunk.len() > LARGEST => return Err(SendError::TooLarge),
            Ok(Some(chunk)) => answer.body.extend_from_slice(&chunk),
            Ok(None) => {
                answer.is_complete = true;
                return Ok(answer);
            }
            Err(error) if error.is_timeout() => return Err(SendError::TimedOut),
            // The status decides what a truncated answer means.
            Err(_) => return Ok(answer),
        }
    }
}

fn of_error(error: reqwest::Error) -> SendError {
    // A timeout of the connection is an unreachable server, not a slow page.
    if error.is_timeout() && !error.is_connect() {
        return SendError::TimedOut;
    }
    let error = error.without_url();
    match tls::is_certificate_error(&error) {
        true => SendError::Certificate(with_causes(&error)),
        false => SendError::Connection(with_causes(&error)),
    }
}

/// Returns an error with its causes, which `Display` leaves out.
fn with_causes(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(next) = cause {
        // Writing into a String cannot fail.
        let _ = write!(text, ": {next}");
        cause = next.source();
    }
    text
}

fn http_date(text: &str) -> Option<UtcMillis> {
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some(UtcMillis(date.timestamp_millis()))
}

/// Parses a number of seconds, or a date, which is compared with the server's own clock.
fn retry_after(text: &str, date: Option<UtcMillis>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let wait = http_date(text)?.millis_since(date?);
    Some(Duration::from_millis(u64::try_from(wait).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_given_in_seconds_or_as_a_date() {
        let now = http_date("Sun, 22 Nov 2026 07:00:00 GMT");
        assert_eq!(retry_after("7", None), Some(Duration::from_secs(7)));
        assert_eq!(
            retry_after("Sun, 22 Nov 2026 07:00:30 GMT", now),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            retry_after("Sun, 22 Nov 2026 06:00:00 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!(retry_after("soon", now), None);
    }
}
