//! The frame of a request, which the check of the session adds to the request. Without one, the viewer is anonymous.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::daemon::admin::views::data::ViewData;
use crate::web::{Frame, Login, Viewer};

/// Extracts the frame.
pub(crate) struct Framed(pub(crate) Frame);

impl FromRequestParts<Arc<ViewData>> for Framed {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, data: &Arc<ViewData>) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<Frame>().cloned();
        Ok(Self(known.unwrap_or_else(|| anonymous(parts, data))))
    }
}

fn anonymous(parts: &Parts, data: &ViewData) -> Frame {
    Frame {
        viewer: Viewer::Anonymous,
        now: data.clock.now(),
        path: parts
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned(),
        notice: None,
        login: Login::NotSetUp,
        may_edit: false,
    }
}
