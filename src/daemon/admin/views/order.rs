//! The page of an order.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use crate::config::Config;
use crate::daemon::admin::views::data::ViewData;
use crate::daemon::admin::views::framed::Framed;
use crate::daemon::admin::views::page::{Page, found, refused, unreadable};
use crate::daemon::admin::views::query::Query;
use crate::daemon::explain;
use crate::ops::explain::Explanation;
use crate::store::{Store, StoreError};
use crate::web::Frame;
use crate::web::order::{find_order_page, order_page};
use crate::web::parts::order_link;
use orderfeed_model::clock::UtcMillis;

const LONGEST_NUMBER: usize = 64;

/// Leads from the search field to the order's own address.
pub(super) async fn find(Framed(frame): Framed, query: Query) -> Response {
    let number = query.get("number");
    match number.is_empty() {
        true => found(find_order_page(&frame)).into_response(),
        false => Redirect::to(&order_link(number)).into_response(),
    }
}

pub(super) async fn order(
    State(data): State<Arc<ViewData>>,
    Framed(frame): Framed,
    Path(number): Path<String>,
) -> Page {
    if !frame.is_operator() {
        return forbidden(&frame);
    }
    let number = number.trim().to_owned();
    if number.is_empty() || number.chars().count() > LONGEST_NUMBER {
        return refused(&frame, StatusCode::NOT_FOUND, "This is not an order number.");
    }
    let config = data.config.borrow().clone();
    match explained(&data.store, config, number, frame.now).await {
        Ok(explanation) => found(order_page(&frame, &explanation)),
        Err(error) => unreadable(&frame, &error),
    }
}

fn forbidden(frame: &Frame) -> Page {
    let text = "Orders are personal data, so their pages are shown to operators only.";
    refused(frame, StatusCode::FORBIDDEN, text)
}

async fn explained(
    store: &Store,
    config: Arc<Config>,
    number: String,
    now: UtcMillis,
) -> Result<Explanation, StoreError> {
    let wanted = number.clone();
    let known = store.read(move |reader| reader.orders_by_number(&wanted)).await?;
    let request = explain::ask(&config, number, known, now).await;
    // A second read, so that no snapshot of the store is held while the source is read.
    store
        .read(move |reader| Explanation::read(reader, &config.store.path, &request))
        .await
}
