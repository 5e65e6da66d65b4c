//! The state and the answers that all actions share.

use std::fmt;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::daemon::admin::access::guard::error;
use crate::daemon::admin::access::login::see_other;
use crate::daemon::admin::access::{Access, Reader};
use crate::daemon::admin::actions::editor::Editor;
use crate::daemon::admin::form::Form;
use crate::daemon::requests::Requests;
use crate::store::Store;
use crate::web::{ActionResult, Frame, result_page};
use orderfeed_model::clock::Clock;

/// Most actions at the same time, those that run in the background included.
const MAX_ACTIONS: usize = 16;
/// Most counts and connection tests at the same time: each of them reads the source or waits for the edge.
const MAX_CHECKS: usize = 2;

pub(crate) struct Actions {
    pub(super) access: Arc<Access>,
    pub(super) requests: Arc<Requests>,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) stop: CancellationToken,
    pub(super) running: Arc<Semaphore>,
    pub(super) checks: Semaphore,
    /// `None` if this process cannot read its configuration again.
    pub(super) editor: Option<Editor>,
}

impl fmt::Debug for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actions").finish_non_exhaustive()
    }
}

/// A form that was sent by an operator.
pub(super) struct Sent<'a> {
    pub(super) name: &'a str,
    pub(super) form: &'a Form,
    pub(super) reader: &'a Reader,
    pub(super) frame: &'a Frame,
}

impl Actions {
    pub(crate) fn new(
        access: Arc<Access>,
        requests: Arc<Requests>,
        store: Store,
        clock: Clock,
        stop: CancellationToken,
        editor: Option<Editor>,
    ) -> Arc<Self> {
        Arc::new(Self {
            access,
            requests,
            store,
            clock,
            stop,
            running: Arc::new(Semaphore::new(MAX_ACTIONS)),
            checks: Semaphore::new(MAX_CHECKS),
            editor,
        })
    }

    /// Leads back to the page of the form, which shows the outcome.
    pub(super) fn back(&self, sent: &Sent<'_>, text: String, failed: bool) -> Response {
        self.access.notify(sent.reader, text, failed);
        see_other(&sent.form.next())
    }
}

pub(super) fn busy(frame: &Frame) -> Response {
    let text = "Other actions are still running. Try again in a moment.";
    error(frame, StatusCode::SERVICE_UNAVAILABLE, text)
}

/// Returns a page with the lines of an outcome.
pub(super) fn result(frame: &Frame, result: &ActionResult) -> Response {
    Html(result_page(frame, result)).into_response()
}
