//! Any `Retry-After` and any `Date` at any time: no pause, or one of at most an hour. Whole seconds are always
//! accepted.

use std::time::Duration;

use orderfeed::delivery::limits::retry_after::{LONGEST, date, parse};
use orderfeed_model::clock::UtcMillis;
use reqwest::header::{DATE, HeaderMap, HeaderValue};

use super::feed::Feed;

pub fn check(data: &[u8]) {
    let mut feed = Feed::new(data);
    let now = match feed.byte() % 4 {
        0 => UtcMillis(feed.number()),
        _ => UtcMillis(1_795_330_800_000 + feed.number() % 4_000_000_000_000),
    };
    let raw = feed.remainder();
    let text = String::from_utf8_lossy(raw);
    let pause = parse(&text, now);
    assert!(pause.is_none_or(|pause| pause <= LONGEST));
    let digits = text.trim();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = digits
            .parse()
            .map_or(LONGEST, |seconds| LONGEST.min(Duration::from_secs(seconds)));
        assert_eq!(pause, Some(seconds), "{text:?}");
    }
    if let Some(pause) = pause {
        // The same header never requests a longer pause later.
        let later = parse(&text, now.plus_millis(1000));
        assert!(later.is_some_and(|later| later <= pause), "{text:?} at {now:?}");
    }
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(raw) {
        headers.insert(DATE, value);
        if let Some(at) = date(&headers) {
            assert!(at.millis_since(now) != 0 || at == now);
        }
    }
}
