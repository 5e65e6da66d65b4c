//! The action `test-connection`.

use axum::http::StatusCode;
use axum::response::Response;

use crate::daemon::admin::access::guard::error;
use crate::daemon::admin::actions::context::{Actions, Sent, busy, result};
use crate::daemon::admin::actions::run::Entry;
use crate::delivery::connection_report::ConnectionReport;
use crate::delivery::connection_test::{CheckVerdict, ConnectionCheck};
use crate::ops::command_line::CommandLine;
use crate::ops::sentence::with_causes;
use crate::web::ActionResult;

impl Actions {
    pub(super) async fn test_connection(&self, sent: &Sent<'_>) -> Response {
        let website = sent.form.value("website");
        let config = self.access.config();
        if website.is_some_and(|code| !config.websites.contains_key(code)) {
            return error(
                sent.frame,
                StatusCode::BAD_REQUEST,
                "This website is not configured.",
            );
        }
        let Ok(_turn) = self.checks.try_acquire() else {
            return busy(sent.frame);
        };
        let selection = website.map_or_else(String::new, |code| format!("website={code}"));
        let entry = Entry {
            action: sent.name,
            who: sent.frame.operator(),
            selection: &selection,
        };
        // Without the pauses in the store, the test would send requests that a peer asked not to send.
        let pauses = match self.store.read(|reader| reader.pauses()).await {
            Ok(pauses) => pauses,
            Err(cause) => {
                entry.log_failed(&cause.to_string());
                return error(sent.frame, StatusCode::SERVICE_UNAVAILABLE, &cause.to_string());
            }
        };
        match ConnectionReport::collect(config, website, pauses, self.clock.clone()).await {
            Ok(report) => {
                entry.log_done(report.websites.len() as u64, report.sentence());
                let command = CommandLine::new("test-connection").option("--website", website);
                result(sent.frame, &shown(&report, command.text(), sent.form.next()))
            }
            Err(cause) => {
                let text = with_causes(&cause);
                entry.log_failed(&text);
                error(sent.frame, StatusCode::SERVICE_UNAVAILABLE, &text)
            }
        }
    }
}

fn shown(report: &ConnectionReport, command: String, back: String) -> ActionResult {
    let mut lines = vec![format!("Edge {}", report.edge)];
    lines.extend(report.shared.iter().flat_map(check));
    for website in &report.websites {
        lines.push(format!("Website {}", website.code));
        lines.extend(website.checks.iter().flat_map(check));
    }
    lines.extend(report.notes.iter().map(|note| format!("Note: {note}")));
    lines.push(format!("Verdict: {}", report.sentence()));
    ActionResult {
        title: "Connection test".to_owned(),
        lines,
        command,
        back,
        failed: report.verdict > CheckVerdict::Ok,
    }
}

/// Returns the lines of a check: its verdict, what support needs after a failure, and the remedy.
fn check(check: &ConnectionCheck) -> Vec<String> {
    let mut lines = vec![format!(
        "{}: {}: {}",
        check.name,
        check.verdict.word(),
        check.detail
    )];
    let answer = check.answer();
    if check.verdict != CheckVerdict::Ok && !answer.is_empty() {
        lines.push(answer);
    }
    lines.extend(check.remedy.iter().map(|remedy| format!("Remedy: {remedy}")));
    lines
}
