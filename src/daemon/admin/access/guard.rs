//! The steps that every request for a web page passes: the host check, the viewer, the origin of changes, the headers of the
//! answer.
//! The request's [`Reader`] and [`Frame`] are in its extensions afterwards.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};

use crate::daemon::admin::access::origin::RequestOrigin;
use crate::daemon::admin::access::{Access, Peer, Reader, hosts};
use crate::web::{Frame, error_page};

/// Only this host's own style sheet and script; nothing inline, nothing foreign, and no page may frame these.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 4] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
];

/// The path of the login, which is allowed without one.
pub(crate) const LOGIN: &str = "/login";

pub(crate) async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let mut response = admit(&access, request, next).await;
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn admit(access: &Access, mut request: Request, next: Next) -> Response {
    let names = &access.config().admin.hosts;
    if !hosts::is_accepted(request.headers(), request.uri(), names) {
        return (StatusCode::MISDIRECTED_REQUEST, hosts::REFUSAL).into_response();
    }
    let peer = request.extensions().get().copied().unwrap_or(Peer::Network);
    let reader = access.reader(peer, request.headers());
    let path = request.uri().path_and_query();
    let path = path.map_or("/", |path| path.as_str());
    let shows_notice = request.method() == Method::GET && is_page(request.headers());
    let frame = access.frame(&reader, path, shows_notice);
    if is_change(request.method())
        && let Err(refusal) = admit_change(&reader, &request)
    {
        return error(&frame, StatusCode::FORBIDDEN, refusal);
    }
    request.extensions_mut().insert(reader);
    request.extensions_mut().insert(frame);
    next.run(request).await
}

fn is_change(method: &Method) -> bool {
    *method != Method::GET && *method != Method::HEAD
}

/// Returns true for a page that a person sees as a whole. A script's part of a page, an image or a style sheet must not use up
/// the notice.
fn is_page(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-dest")
        .is_none_or(|destination| destination == "document")
}

fn admit_change(reader: &Reader, request: &Request) -> Result<(), &'static str> {
    let is_login = request.uri().path() == LOGIN;
    match RequestOrigin::of(request.headers()) {
        RequestOrigin::Foreign => Err(
            "The request comes from a page of another site. Open this page itself, and repeat the action there.",
        ),
        _ if reader.operator.is_some() || is_login => Ok(()),
        RequestOrigin::Own | RequestOrigin::Program => Err("Actions need a login, or the Unix socket."),
    }
}

/// Returns the page of a refusal or failure.
pub(crate) fn error(frame: &Frame, status: StatusCode, text: &str) -> Response {
    (status, Html(error_page(frame, status.as_u16(), text))).into_response()
}
