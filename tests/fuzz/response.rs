//! Any answer to any request becomes a decision: accepted only for a 2xx, split only with more than one event,
//! refused only for a single event, and with a text that is bounded and cannot forge a log line.

use orderfeed::delivery::limits::retry_after;
use orderfeed::delivery::rules::{
    Accepted, Decision, EdgeRefusal, Halt, RequestShape, Response, RetryLater, Split, classify,
};
use orderfeed_model::clock::UtcMillis;

use super::feed::Feed;

/// Statuses with a special meaning. Any other number is tried as well.
const STATUSES: [u16; 24] = [
    200, 202, 204, 207, 299, 300, 301, 302, 307, 308, 400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500,
    502, 503, 504,
];
/// Longest text taken from an answer, in bytes: 300 characters.
const MOST_TEXT: usize = 1200;

pub fn check(data: &[u8]) {
    let mut feed = Feed::new(data);
    let status = match feed.byte() {
        0xff => feed.number() as u16,
        byte => STATUSES[usize::from(byte) % STATUSES.len()],
    };
    let shape = RequestShape {
        batches: 1 + feed.below(3),
        events: 1 + feed.below(101),
        failed_before: feed.byte() % 2 == 1,
        attempts: u32::from(feed.byte()),
    };
    let header = feed.text();
    let response = Response {
        status,
        retry_after: retry_after::parse(&header, UtcMillis(1_795_330_800_000)),
        body: feed.remainder(),
    };
    let decision = classify(&response, &shape);
    assert_eq!(
        decision,
        classify(&response, &shape),
        "the same answer, the same decision"
    );
    let yes = (200..300).contains(&status);
    let delivered = matches!(decision, Decision::Delivered(_));
    // An error object has one of these fields, whose names may be escaped.
    let body = String::from_utf8_lossy(response.body);
    let names_error = ["type", "status", "\\u"].iter().any(|part| body.contains(part));
    assert!(yes || !delivered, "{status}");
    assert!(delivered || !yes || names_error, "{status}");
    match decision {
        Decision::Delivered(accepted) => yes_is_sound(&accepted, &shape),
        Decision::Split(split, refused) => {
            assert!(shape.events > 1, "a single event cannot be split");
            if let Split::Bytes { max: Some(max) } = split {
                assert!(max >= 1024, "nothing could be sent within {max} bytes");
            }
            words_are_bounded(&refused);
        }
        Decision::Park(refused) => {
            assert_eq!(shape.events, 1, "only a single event may be refused");
            words_are_bounded(&refused);
        }
        Decision::Retry(retry) => pause_is_bounded(&retry),
        Decision::Reauthenticate(halt) | Decision::Halt(halt) => halt_is_told(&halt),
    }
}

fn yes_is_sound(accepted: &Accepted, shape: &RequestShape) {
    assert!(
        accepted.suppressed.iter().all(|event| *event < shape.events),
        "only what was sent"
    );
    assert!(
        accepted.suppressed.is_sorted_by(|one, next| one < next),
        "each once"
    );
    accepted.warnings.iter().for_each(|(_, note)| plain(note));
}

fn words_are_bounded(refused: &EdgeRefusal) {
    [&refused.code, &refused.title, &refused.detail]
        .into_iter()
        .for_each(|text| plain(text));
    assert!(!refused.code.is_empty());
}

fn pause_is_bounded(retry: &RetryLater) {
    assert!(
        retry
            .after
            .is_none_or(|after| !after.is_zero() && after <= retry_after::LONGEST)
    );
    plain(&retry.code);
}

fn halt_is_told(halt: &Halt) {
    plain(&halt.code);
    plain(&halt.reason);
    assert!(!halt.remedy.is_empty() && !halt.code.is_empty() && !halt.reason.is_empty());
}

fn plain(text: &str) {
    assert!(text.len() <= MOST_TEXT, "{} bytes", text.len());
    assert!(
        !text.chars().any(char::is_control),
        "{text:?} could forge a line of the log"
    );
}
