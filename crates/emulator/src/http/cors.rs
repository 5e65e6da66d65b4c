//! Cross-origin headers (CORS), without which a browser hides an answer from the page that asked for it.
//!
//! The Web SDK sends credentials, so the origin is named: browsers refuse `*` for such requests.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue, ORIGIN, VARY,
};
use hyper::{HeaderMap, Response};

use crate::http::reply::{Answer, ReplyBody, Travel, respond};

/// Headers of an answer that scripts may read besides the usual ones.
const EXPOSED: &str = "x-adobe-edge, x-request-id, retry-after";

/// Adds the headers that let the page at the request's origin read the answer. A request without an origin does not
/// come from a page on another host and needs none.
pub(crate) fn allow(request: &HeaderMap, response: &mut Response<ReplyBody>) {
    let Some(origin) = request.get(ORIGIN) else { return };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.insert(VARY, HeaderValue::from_static("Origin"));
}

/// Builds the answer to a preflight request (`OPTIONS`).
pub(crate) fn preflight(request: &HeaderMap) -> Response<ReplyBody> {
    let mut response = respond(Answer::empty(204), Travel::default());
    allow(request, &mut response);
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("POST, OPTIONS"),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if let Some(wanted) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    response
}
