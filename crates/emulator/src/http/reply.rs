//! Answers, and how they travel: whole, slowly, compressed, endless, or torn off in the middle.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
};
use hyper::{Response, StatusCode};
use serde_json::Value;

use crate::http::gzip::gzip_stored;

/// A response body of any kind.
pub(crate) type ReplyBody = UnsyncBoxBody<Bytes, io::Error>;

/// What is answered, before it is known how it travels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body's content type.
    pub(crate) content_type: Option<String>,
    /// The body.
    pub(crate) body: Bytes,
    /// `Retry-After`, word for word.
    pub(crate) retry_after: Option<String>,
    /// `Location`.
    pub(crate) location: Option<String>,
    /// The id for `x-request-id`; marks an answer of the edge.
    pub(crate) request_id: Option<String>,
    /// Close the connection after this answer.
    pub(crate) close: bool,
}

impl Answer {
    /// A JSON body.
    pub(crate) fn json(status: u16, content_type: &str, body: &Value) -> Self {
        Self {
            status,
            content_type: Some(content_type.to_owned()),
            body: Bytes::from(body.to_string()),
            ..Self::default()
        }
    }

    /// A text/plain body.
    pub(crate) fn plain(status: u16, text: &str) -> Self {
        Self {
            status,
            content_type: Some("text/plain".to_owned()),
            body: Bytes::copy_from_slice(text.as_bytes()),
            ..Self::default()
        }
    }

    /// The status's own phrase as text/plain.
    pub(crate) fn phrase(status: u16) -> Self {
        let phrase = StatusCode::from_u16(status)
            .ok()
            .and_then(|code| code.canonical_reason());
        Self::plain(status, phrase.unwrap_or("Unknown status"))
    }

    /// No body.
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }
}

/// How an answer travels.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Travel {
    /// Compressed.
    pub(crate) gzip: bool,
    /// This many bytes a second.
    pub(crate) slow_bps: Option<u64>,
    /// Torn off after half of the body.
    pub(crate) cut: bool,
    /// With this many bytes of filler as the body.
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
        Bytes::from(gzip_stored(&answer.body))
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

/// Half of the body, a moment for it to leave, and then an error, which makes hyper drop the connection.
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

/// `bytes` of `x`, in pieces, so that nobody holds them all.
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

/// The body in pieces of a tenth of a second, at least one byte each.
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
