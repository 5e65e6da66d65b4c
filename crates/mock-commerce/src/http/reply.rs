//! Answers, and the ways to send them: whole, with a stall, cut, or with a wrong encoding.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, LINK, LOCATION,
    RETRY_AFTER,
};
use hyper::{Response, StatusCode};

use crate::faults::Effect;
use crate::problem::{Problem, ProblemBody};
use orderfeed_model::clock::UtcMillis;

/// A response body of any kind.
pub(crate) type ReplyBody = UnsyncBoxBody<Bytes, io::Error>;

/// An answer, independent of the way it is sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) is_html: bool,
    pub(crate) body: String,
    pub(crate) retry_after: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) link: Option<String>,
}

impl Answer {
    /// Creates a page of the shop.
    pub(crate) fn page(body: &str) -> Self {
        Self {
            is_html: true,
            ..Self::json(200, body.to_owned())
        }
    }

    pub(crate) fn json(status: u16, body: String) -> Self {
        Self {
            status,
            body,
            ..Self::default()
        }
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let (is_html, body) = match problem.body {
            ProblemBody::Json(body) => (false, body.to_text()),
            ProblemBody::Html(body) => (true, body),
            ProblemBody::Silence => (true, String::new()),
        };
        Self {
            status: problem.status,
            is_html,
            body,
            ..Self::default()
        }
    }
}

/// Makes the HTTP response, with the server's time.
pub(crate) fn respond(answer: Answer, effect: Option<&Effect>, now: UtcMillis) -> Response<ReplyBody> {
    let mut response = Response::new(Full::default().map_err(never).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: Option<&str>| {
        if let Some(value) = value.and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(name, value);
        }
    };
    let content_type = match answer.is_html {
        true => "text/html; charset=UTF-8",
        false => "application/json; charset=utf-8",
    };
    set(CONTENT_TYPE, Some(content_type));
    set(RETRY_AFTER, answer.retry_after.as_deref());
    set(LOCATION, answer.location.as_deref());
    set(LINK, answer.link.as_deref());
    set(DATE, Some(&now.http_date()));
    let whole = Bytes::from(answer.body);
    let half = whole.len() / 2;
    let (length, body) = match effect {
        Some(Effect::CutJson) => (half, plain(whole.slice(..half))),
        Some(Effect::CutConnection) => (whole.len(), torn(whole)),
        Some(Effect::Stall(pause)) => (whole.len(), stalled(whole, *pause)),
        Some(Effect::BadGzip) => {
            set(CONTENT_ENCODING, Some("gzip"));
            (whole.len(), plain(whole))
        }
        _ => (whole.len(), plain(whole)),
    };
    if answer.status != 204 {
        set(CONTENT_LENGTH, Some(&length.to_string()));
    }
    *response.body_mut() = body;
    response
}

fn plain(data: Bytes) -> ReplyBody {
    Full::new(data).map_err(never).boxed_unsync()
}

fn never(impossible: Infallible) -> io::Error {
    match impossible {}
}

/// Sends half of the body, and the other half after a pause.
fn stalled(data: Bytes, pause: Duration) -> ReplyBody {
    let half = data.len() / 2;
    let pieces = [(Duration::ZERO, data.slice(..half)), (pause, data.slice(half..))];
    let frames = stream::unfold(pieces.into_iter(), |mut left| async move {
        let (pause, piece) = left.next()?;
        tokio::time::sleep(pause).await;
        Some((Ok(Frame::data(piece)), left))
    });
    BodyExt::boxed_unsync(StreamBody::new(frames))
}

/// Sends half of the body, waits until it has left, and fails, which makes hyper drop the connection.
fn torn(data: Bytes) -> ReplyBody {
    let frames = stream::unfold(Some(data), |rest| async move {
        let data = rest?;
        if data.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Some((Err(io::Error::other("cut by a fault")), None));
        }
        Some((Ok(Frame::data(data.slice(..data.len() / 2))), Some(Bytes::new())))
    });
    BodyExt::boxed_unsync(StreamBody::new(frames))
}
