//! The headers `Retry-After` (seconds or a date) and `Date`. Pure.
//!
//! According to Adobe the edge sends seconds only; gateways in front of it send either form.

use std::time::Duration;

use chrono::NaiveDateTime;
use reqwest::header::{DATE, HeaderMap};

use orderfeed_model::clock::UtcMillis;

/// Longest pause that a peer can ask for.
pub const LONGEST: Duration = Duration::from_secs(3600);

/// Returns the pause that a `Retry-After` header asks for at `now`, at most [`LONGEST`]. A date that has passed asks for
/// no pause. Returns `None` for anything but a number of seconds or an HTTP date, and for negative numbers.
pub fn parse(header: &str, now: UtcMillis) -> Option<Duration> {
    let text = header.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large for u64 is still a request to wait.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let at = http_date(text)?;
    let millis = u64::try_from(at.millis_since(now)).unwrap_or(0);
    Some(Duration::from_millis(millis).min(LONGEST))
}

/// Returns the time at the peer when it answered, from its `Date` header.
pub fn date(headers: &HeaderMap) -> Option<UtcMillis> {
    http_date(headers.get(DATE)?.to_str().ok()?.trim())
}

/// Parses the three forms of RFC 9110, §5.6.7; all are in GMT.
fn http_date(text: &str) -> Option<UtcMillis> {
    let text = text.strip_suffix("GMT").map_or(text, str::trim_end);
    [
        "%a, %d %b %Y %H:%M:%S",
        "%A, %d-%b-%y %H:%M:%S",
        "%a %b %e %H:%M:%S %Y",
    ]
    .into_iter()
    .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
    .map(|at| UtcMillis(at.and_utc().timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seconds_and_dates_are_understood_and_everything_else_is_ignored() {
        let now = UtcMillis::parse_rfc3339("2026-11-22T07:00:00Z").unwrap();
        let cases = [
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("0", Some(0)),
            ("3601", Some(3600)),
            ("99999999999999999999999", Some(3600)),
            ("Sun, 22 Nov 2026 07:10:00 GMT", Some(600)),
            ("Sunday, 22-Nov-26 07:10:00 GMT", Some(600)),
            ("Sun Nov 22 07:10:00 2026", Some(600)),
            ("Sun, 22 Nov 2026 06:00:00 GMT", Some(0)),
            ("Tue, 22 Dec 2026 06:00:00 GMT", Some(3600)),
            ("-5", None),
            ("1.5", None),
            ("abc", None),
            ("", None),
        ];
        for (header, seconds) in cases {
            assert_eq!(parse(header, now), seconds.map(Duration::from_secs), "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics_or_asks_for_more_than_an_hour(header in ".{0,40}", now: i64) {
            prop_assert!(parse(&header, UtcMillis(now)).is_none_or(|pause| pause <= LONGEST));
        }
    }
}
