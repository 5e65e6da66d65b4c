//! The login page, login and logout.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{Router, get, post};
use url::form_urlencoded;

use crate::daemon::admin::access::guard::{LOGIN, error};
use crate::daemon::admin::access::{Access, LoginResult, Reader, cookie};
use crate::daemon::admin::form::{Form, own_path};
use crate::ops::sentence::human_duration;
use crate::web::{Frame, login_page};

/// Returns the routes. They need the extensions of the guard.
pub(crate) fn routes() -> Router<Arc<Access>> {
    Router::new()
        .route(LOGIN, get(form).post(log_in))
        .route("/logout", post(log_out))
}

async fn form(Extension(frame): Extension<Frame>, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let next = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "next")
        .map_or_else(|| own_path(""), |(_, path)| own_path(&path));
    match frame.is_operator() {
        true => see_other(&next),
        false => Html(login_page(&frame, None, &next)).into_response(),
    }
}

async fn log_in(
    State(access): State<Arc<Access>>,
    Extension(frame): Extension<Frame>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let form = match Form::read(&headers, body).await {
        Ok(form) => form,
        Err((status, text)) => return error(&frame, status, text),
    };
    let next = form.next();
    // As it was typed: a password may begin or end with a space.
    let password = form.raw("password").unwrap_or_default().to_owned();
    match access.log_in(password).await {
        LoginResult::Session(token) => {
            let is_secure = headers
                .get("x-forwarded-proto")
                .is_some_and(|scheme| scheme == "https");
            let mut response = see_other(&next);
            if let Some(cookie) = cookie::begin(&token, is_secure) {
                response.headers_mut().insert(SET_COOKIE, cookie);
            }
            response
        }
        LoginResult::Wrong => refused(&frame, StatusCode::FORBIDDEN, "The password is wrong.", &next),
        LoginResult::NotSetUp => refused(&frame, StatusCode::FORBIDDEN, "No password is set.", &next),
        LoginResult::Wait(pause) => wait(&frame, pause, &next),
    }
}

fn wait(frame: &Frame, pause: Duration, next: &str) -> Response {
    // Rounded up, so that the next attempt is not too early.
    let seconds = pause.as_secs() + 1;
    let shown = human_duration(i64::try_from(seconds * 1000).unwrap_or(i64::MAX));
    let text = format!("There were too many attempts. Try again in {shown}.");
    let mut response = refused(frame, StatusCode::TOO_MANY_REQUESTS, &text, next);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn refused(frame: &Frame, status: StatusCode, text: &str, next: &str) -> Response {
    (status, Html(login_page(frame, Some(text), next))).into_response()
}

async fn log_out(State(access): State<Arc<Access>>, Extension(reader): Extension<Reader>) -> Response {
    access.log_out(&reader);
    let mut response = see_other("/");
    response.headers_mut().insert(SET_COOKIE, cookie::end());
    response
}

/// Redirects to a page of this host, with GET.
pub(crate) fn see_other(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}
