//! The web pages: the data that each page reads, and their routes. [`crate::web`] renders them.
//!
//! | module | content |
//! |---|---|
//! | [`framed`] | the frame of a request |

pub(super) mod framed;

use std::sync::Arc;

use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{Router, get};

use crate::daemon::admin::pages::Pages;
use crate::web;

/// Returns the routes of the pages that show something. Those of the actions are beside the session's.
pub(super) fn routes() -> Router<Arc<Pages>> {
    Router::new()
        .route(
            "/style.css",
            get(async || asset("text/css; charset=utf-8", web::STYLE)),
        )
        .route(
            "/app.js",
            get(async || asset("text/javascript; charset=utf-8", web::SCRIPT)),
        )
        .route("/icon.svg", get(async || asset("image/svg+xml", web::ICON)))
}

fn asset(kind: &'static str, text: &'static str) -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, kind)], text)
}
