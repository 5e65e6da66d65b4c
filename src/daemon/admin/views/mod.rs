//! The web pages: the data that each page reads, and their routes. [`crate::web`] renders them.
//!
//! | module | content |
//! |---|---|
//! | [`data`] | the sources that all of them read |
//! | [`state`] | overview, index, schedules, order history, reports |
//! | [`failed`], [`order`], [`connector`] | parked events, one order, the connector pages |
//! | [`rates`] | rates of the last day, cached |
//! | [`framed`], [`query`], [`page`] | the frame of a request, its parameters, the answer |

mod connector;
pub(crate) mod data;
mod failed;
pub(crate) mod framed;
mod order;
mod page;
mod query;
pub(crate) mod rates;
mod state;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::routing::{Router, get};

use crate::daemon::admin::views::data::ViewData;
use crate::daemon::admin::views::framed::Framed;
use crate::daemon::admin::views::page::{Page, found, refused};
use crate::daemon::admin::views::query::Query;
use crate::store;
use crate::web;
use crate::web::about::{About, about_page};
use crate::web::log::{LogFilter, log_page, runbook, runbook_page};

/// Returns the routes of the pages that show something. Those of the actions are beside the session's.
pub(super) fn routes() -> Router<Arc<ViewData>> {
    Router::new()
        .route("/", get(state::overview))
        .route("/indexers", get(state::indexers))
        .route("/schedules", get(state::schedules))
        .route("/history", get(state::history))
        .route("/reports", get(state::reports))
        .route("/failed", get(failed::list))
        .route("/failed/{key}", get(failed::event))
        .route("/orders", get(order::find))
        .route("/orders/{number}", get(order::order))
        .route("/connector", get(connector::connector))
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

async fn log(State(data): State<Arc<ViewData>>, Framed(frame): Framed, query: Query) -> Page {
    let filter = LogFilter {
        level: query.text("level"),
        code: query.get("code").to_uppercase(),
    };
    let mut lines = data.sources.recent.lines();
    if !frame.is_operator() {
        // Fields name orders and their events; messages name neither.
        lines.iter_mut().for_each(|line| line.fields.clear());
    }
    found(log_page(&frame, &lines, &filter))
}

async fn one_code(Path(code): Path<String>, Framed(frame): Framed) -> Page {
    match runbook(&code) {
        Some(text) => found(runbook_page(&frame, &text)),
        None => refused(&frame, StatusCode::NOT_FOUND, "The catalogue has no such code."),
    }
}

async fn about(State(data): State<Arc<ViewData>>, Framed(frame): Framed) -> Page {
    let config_path = data.sources.config_path.as_ref();
    let store = data.config.borrow().store.path.display().to_string();
    found(about_page(
        &frame,
        &About {
            sqlite: store::sqlite_version(),
            started_at: data.vitals.started_at(),
            store,
            config: config_path.map_or_else(String::new, |path| path.display().to_string()),
        },
    ))
}
