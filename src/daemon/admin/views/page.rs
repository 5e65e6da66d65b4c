//! The answers of the pages' handlers.

use axum::http::StatusCode;
use axum::response::Html;

use crate::store::StoreError;
use crate::web::{Frame, error_page};

/// A page with its status.
pub(super) type Page = (StatusCode, Html<String>);

/// Returns a page that was found.
pub(super) fn found(html: String) -> Page {
    (StatusCode::OK, Html(html))
}

/// Returns a refusal as a page.
pub(super) fn refused(frame: &Frame, status: StatusCode, text: &str) -> Page {
    (status, Html(error_page(frame, status.as_u16(), text)))
}

/// Returns the page for a store that cannot be read.
pub(super) fn unreadable(frame: &Frame, error: &StoreError) -> Page {
    let text = format!("The store cannot be read: {error}");
    refused(frame, StatusCode::SERVICE_UNAVAILABLE, &text)
}
