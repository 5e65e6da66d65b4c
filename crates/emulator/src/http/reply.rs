//! Answers, and the ways to send them: whole, slowly, compressed, padded, or cut in the middle.

use std::convert::Infallible;
use std::io;
use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
};
use hyper::{Response, StatusCode};
use serde_json::Value;

/// A response body of any kind.
pub(crate) type ReplyBody = UnsyncBoxBody<Bytes, io::Error>;

/// An answer, independent of the way it is sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The body's content type.
    pub(crate) content_type: Option<String>,
    pub(crate) body: Bytes,
    pub(crate) retry_after: Option<String>,
    pub(crate) location: Option<String>,
    /// Value of `x-request-id`. Only answers of the edge have one.
    pub(crate) request_id: Option<String>,
    /// Closes the connection after this answer.
    pub(crate) close: bool,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            content_type: Some("application/json".to_owned()),
            body: Bytes::from(body.to_string()),
            ..Self::default()
        }
    }

    pub(crate) fn plain(status: u16, text: &str) -> Self {
        Self {
            status,
            content_type: Some("text/plain".to_owned()),
            body: Bytes::copy_from_slice(text.as_bytes()),
            ..Self::default()
        }
    }

    /// Creates an RFC 7807 problem. Only the edge answers with one, so it has a request id.
    pub(crate) fn problem(status: u16, request_id: &str, body: &Value) -> Self {
        Self {
            content_type: Some("application/problem+json".to_owned()),
            request_id: Some(request_id.to_owned()),
            ..Self::json(status, body)
        }
    }

    /// Creates a text/plain answer with the status's own phrase.
    pub(crate) fn phrase(status: u16) -> Self {
        let phrase = StatusCode::from_u16(status)
            .ok()
            .and_then(|code| code.canonical_reason());
        Self::plain(status, phrase.unwrap_or("Unknown status"))
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }
}

/// The way an answer is sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Travel {
    pub(crate) gzip: bool,
    /// Limit in bytes per second.
    pub(crate) slow_bps: Option<u64>,
    /// Cuts the connection after half of the body.
    pub(crate) cut: bool,
    /// Replaces the body by this many filler bytes.
    pub(crate) filler: Option<u64>,
}

/// Makes the HTTP response.
pub(crate) fn respond(answer: Answer, travel: Travel) -> Response<ReplyBody> {
    let mut response = Response::new(Full::default().map_err(never).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let mut set = |name, value: Option<&str>| {
        if let Some(value) = value.and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(name, value);
        }
    };
    set(CONTENT_TYPE, answer.content_type.as_deref());
    set(RETRY_AFTER, answer.retry_after.as_deref());
    set(LOCATION, answer.location.as_deref());
    set(CONNECTION, answer.close.then_some("close"));
    if let Some(id) = &answer.request_id {
        set(hyper::header::HeaderName::from_static("x-request-id"), Some(id));
        set(
            hyper::header::HeaderName::from_static("x-adobe-edge"),
            Some("or2;35"),
        );
    }
    let data = if travel.gzip {
        set(CONTENT_ENCODING, Some("gzip"));
        gzip(&answer.body)
    } else {
        answer.body
    };
    let length = travel.filler.unwrap_or(data.len() as u64);
    if !matches!(answer.status, 204 | 304) {
        set(CONTENT_LENGTH, Some(&length.to_string()));
    }
    *response.body_mut() = body(data, travel);
    response
}

fn body(data: Bytes, travel: Travel) -> ReplyBody {
    match travel {
        Travel { cut: true, .. } => torn(data),
        Travel {
            filler: Some(bytes), ..
        } => filler(bytes),
        Travel {
            slow_bps: Some(bps), ..
        } => slow(data, bps),
        _ => Full::new(data).map_err(never).boxed_unsync(),
    }
}

fn never(impossible: Infallible) -> io::Error {
    match impossible {}
}

/// Compresses a body with gzip.
fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to a vector cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default().into()
}

/// Sends half of the body, waits until it has left, and fails, which makes hyper drop the connection.
fn torn(data: Bytes) -> ReplyBody {
    let frames = stream::unfold(Some(data), |rest| async move {
        let data = rest?;
        if data.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Some((Err(io::Error::other("torn off by the fault script")), None));
        }
        Some((Ok(Frame::data(data.slice(..data.len() / 2))), Some(Bytes::new())))
    });
    BodyExt::boxed_unsync(StreamBody::new(frames))
}

/// Returns a body of `bytes` times `x`, in pieces, so that it is never in memory as a whole.
fn filler(bytes: u64) -> ReplyBody {
    const PIECE: u64 = 65_536;
    static PIECE_BYTES: [u8; PIECE as usize] = [b'x'; PIECE as usize];
    let frames = stream::unfold(bytes, |left| async move {
        let now = left.min(PIECE);
        let piece = Bytes::from_static(&PIECE_BYTES[..usize::try_from(now).unwrap_or(0)]);
        (now > 0).then(|| (Ok(Frame::data(piece)), left - now))
    });
    BodyExt::boxed_unsync(StreamBody::new(frames))
}

/// Splits the body into pieces that take a tenth of a second each.
fn slow(data: Bytes, bps: u64) -> ReplyBody {
    let piece = usize::try_from((bps / 10).max(1)).unwrap_or(usize::MAX);
    let pause = Duration::from_secs_f64(piece as f64 / bps.max(1) as f64);
    let frames = stream::unfold(data, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let now = left.split_to(piece.min(left.len()));
        Some((Ok(Frame::data(now)), left))
    });
    BodyExt::boxed_unsync(StreamBody::new(frames))
}
