//! The web pages: the data that each page reads, and their routes. [`crate::web`] renders them.
//!
//! | module | content |
//! |---|---|
//! | [`framed`], [`query`] | the frame of a request, the parameters of its address |

pub(super) mod framed;
mod query;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::response::Html;
use axum::routing::{Router, get};

use crate::daemon::admin::pages::Pages;
use crate::daemon::admin::views::framed::Framed;
use crate::daemon::admin::views::query::Query;
use crate::store;
use crate::web;
use crate::web::about::{About, about_page};
use crate::web::log::{LogFilter, log_page, runbook, runbook_page};
use crate::web::{Frame, error_page};

/// A page with its status.
type Page = (StatusCode, Html<String>);

/// Returns the routes of the pages that show something. Those of the actions are beside the session's.
pub(super) fn routes() -> Router<Arc<Pages>> {
    Router::new()
        .route("/log", get(log))
        .route("/log/{code}", get(one_code))
        .route("/about", get(about))
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

/// Returns a page that was found.
fn found(html: String) -> Page {
    (StatusCode::OK, Html(html))
}

/// Returns a refusal as a page.
fn refused(frame: &Frame, status: StatusCode, text: &str) -> Page {
    (status, Html(error_page(frame, status.as_u16(), text)))
}

async fn log(State(pages): State<Arc<Pages>>, Framed(frame): Framed, query: Query) -> Page {
    let filter = LogFilter {
        level: query.text("level"),
        code: query.get("code").to_uppercase(),
    };
    found(log_page(&frame, &pages.sources.recent.lines(), &filter))
}

async fn one_code(Path(code): Path<String>, Framed(frame): Framed) -> Page {
    match runbook(&code) {
        Some(text) => found(runbook_page(&frame, &text)),
        None => refused(&frame, StatusCode::NOT_FOUND, "The catalogue has no such code."),
    }
}

async fn about(State(pages): State<Arc<Pages>>, Framed(frame): Framed) -> Page {
    let config_path = pages.sources.config_path.as_ref();
    let store = pages.liveness.config.borrow().store.path.display().to_string();
    found(about_page(
        &frame,
        &About {
            sqlite: store::sqlite_version(),
            started_at: pages.liveness.vitals.started_at(),
            store,
            config: config_path.map_or_else(String::new, |path| path.display().to_string()),
        },
    ))
}
