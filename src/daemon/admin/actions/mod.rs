//! The actions of the web pages: `POST /actions/NAME`. They run the requests of the command line, and each is logged with who,
//! what and how many.
//!
//! A form becomes a plan ([`plan`]). If the plan is bulk or cannot be undone, the answer is a question with the count
//! ([`question`]), whose form has the field `confirm`. Otherwise the request runs, and the answer leads back to the page.
//! Work that takes longer continues after the answer; its outcome is in the log.
//!
//! | module | content |
//! |---|---|
//! | [`plan`], [`selected`] | request, selected events and command line of each action; pure |
//! | [`question`] | counts before the confirmation |
//! | [`run`] | runs a request, logs its outcome |
//! | [`outcome`] | outcomes as sentences; pure |
//! | [`connection`] | the connection test |
//! | [`settings`], [`editor`] | saves settings |
//! | [`context`] | what all actions use, and the answers that they share |

mod connection;
mod context;
pub(crate) mod editor;
mod outcome;
mod plan;
mod question;
mod run;
mod selected;
mod settings;

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{Router, post};

pub(crate) use crate::daemon::admin::actions::context::Actions;

use crate::daemon::admin::access::Reader;
use crate::daemon::admin::access::guard::error;
use crate::daemon::admin::actions::context::{Sent, busy};
use crate::daemon::admin::actions::plan::plan;
use crate::daemon::admin::actions::run::Ended;
use crate::daemon::admin::form::Form;
use crate::web::{Frame, confirm_page};

/// Returns the route. It needs the extensions of the guard, which admits operators alone.
pub(crate) fn routes() -> Router<Arc<Actions>> {
    Router::new().route("/actions/{name}", post(act))
}

async fn act(
    State(actions): State<Arc<Actions>>,
    Path(name): Path<String>,
    Extension(reader): Extension<Reader>,
    Extension(frame): Extension<Frame>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let form = match Form::read(&headers, body).await {
        Ok(form) => form,
        Err((status, text)) => return error(&frame, status, text),
    };
    let sent = Sent {
        name: &name,
        form: &form,
        reader: &reader,
        frame: &frame,
    };
    match name.as_str() {
        "test-connection" => actions.test_connection(&sent).await,
        "settings-save" => actions.save_settings(&sent).await,
        _ => actions.handle(&sent).await,
    }
}

impl Actions {
    async fn handle(&self, sent: &Sent<'_>) -> Response {
        let (frame, form) = (sent.frame, sent.form);
        let plan = match plan(sent.name, form, frame.operator(), self.clock.now()) {
            None => return error(frame, StatusCode::NOT_FOUND, "There is no such action."),
            Some(Err(text)) => return error(frame, StatusCode::BAD_REQUEST, &text),
            Some(Ok(plan)) => plan,
        };
        if !form.is_confirmed() {
            let Ok(_turn) = self.checks.try_acquire() else {
                return busy(frame);
            };
            match question::ask(&plan, &self.requests, &self.store).await {
                Err(text) => return self.back(sent, text, true),
                Ok(Some(mut asked)) => {
                    asked.action = format!("/actions/{}", sent.name);
                    asked.back = form.next();
                    return Html(confirm_page(frame, &asked)).into_response();
                }
                Ok(None) => {}
            }
        }
        match self.run(sent.name, plan, frame.operator()).await {
            Ended::Done(text) => self.back(sent, text, false),
            Ended::Failed(text) => self.back(sent, text, true),
            Ended::Busy => busy(frame),
        }
    }
}
