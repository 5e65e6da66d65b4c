//! Runs the request of an action and logs its outcome.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::daemon::admin::actions::context::Actions;
use crate::daemon::admin::actions::outcome;
use crate::daemon::admin::actions::plan::Plan;
use crate::ops::sentence::sentence;

/// Longest wait for an outcome. Afterwards the action continues without the page.
const PATIENCE: Duration = Duration::from_secs(2);

/// The end of an action, as far as the page waits for it.
pub(crate) enum Ended {
    Done(String),
    Failed(String),
    /// Too many others are running.
    Busy,
}

impl Actions {
    /// Runs a plan. It continues if the client disconnects, and ends with the daemon.
    pub(super) async fn run(&self, name: &str, plan: Plan, who: &str) -> Ended {
        let Ok(slot) = Arc::clone(&self.running).try_acquire_owned() else {
            return Ended::Busy;
        };
        let (requests, stop) = (Arc::clone(&self.requests), self.stop.clone());
        let (name, who) = (name.to_owned(), who.to_owned());
        let working = tokio::spawn(async move {
            let _slot = slot;
            // Without a reader: the pages show the progress that is in the store.
            let (replies, _) = mpsc::channel(1);
            let result = tokio::select! {
                () = stop.cancelled() => Err("the daemon is stopping; its next start continues the work".to_owned()),
                result = Box::pin(requests.handle(&plan.request, replies)) => result.map_err(|error| sentence(&error)),
            };
            let entry = Entry {
                action: &name,
                who: &who,
                selection: &plan.selection,
            };
            match result {
                Ok(done) => {
                    let text = outcome::sentence(&plan.request, &done);
                    entry.log_done(outcome::number(&done), &text);
                    Ended::Done(text)
                }
                Err(text) => {
                    entry.log_failed(&text);
                    Ended::Failed(text)
                }
            }
        });
        match timeout(PATIENCE, working).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(crash)) => Ended::Failed(format!("The action crashed: {crash}.")),
            Err(_) => Ended::Done("It has begun and continues; its outcome will be in the log.".to_owned()),
        }
    }
}

/// The part of a log line that all actions share.
pub(super) struct Entry<'a> {
    pub(super) action: &'a str,
    pub(super) who: &'a str,
    pub(super) selection: &'a str,
}

impl Entry<'_> {
    pub(super) fn log_done(&self, count: u64, outcome: &str) {
        tracing::info!(
            log_code = "OF09-01",
            action = self.action,
            who = self.who,
            selection = self.selection,
            count,
            outcome,
            "An operator acted on the web pages",
        );
    }

    pub(super) fn log_failed(&self, error: &str) {
        tracing::warn!(
            log_code = "OF09-02",
            action = self.action,
            who = self.who,
            selection = self.selection,
            error,
            "An action on the web pages failed",
        );
    }
}
