//! The page that shows more about each kind of problem.

use crate::ops::status::problem::{ProblemKind, StatusProblem};
use crate::web::parts::link;

/// Returns the page that shows more about a problem.
pub(super) fn link_of(problem: &StatusProblem) -> String {
    let website = problem.subject.as_deref().unwrap_or_default();
    let log = |code| link("/log", &[("code", code)]);
    match problem.kind {
        ProblemKind::EventsParked => link("/failed", &[("website", website)]),
        ProblemKind::IndexSuspended | ProblemKind::ChangesLate | ProblemKind::OrdersUnreadable => {
            "/indexers".to_owned()
        }
        ProblemKind::JobStopped => "/schedules".to_owned(),
        ProblemKind::FirstSyncMissed => "/history".to_owned(),
        // Its settings, with the button that tests the connection.
        ProblemKind::WebsiteOff | ProblemKind::DeliveryHalted => link("/connector", &[("website", website)]),
        ProblemKind::DeliveryFailing | ProblemKind::EventsLate => log("OF06"),
        ProblemKind::DeliveryPaused => "#websites".to_owned(),
        ProblemKind::OutboxFull | ProblemKind::DiskNearlyFull => log("OF05"),
        ProblemKind::SourceUnreadable
        | ProblemKind::ChangesMissed
        | ProblemKind::CaptureGap
        | ProblemKind::ConnectionExposed => log("OF03"),
        ProblemKind::DaemonNotRunning => "/log".to_owned(),
    }
}

/// Returns the name of the page that [`link_of`] leads to.
pub(super) const fn target(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::EventsParked => "Show the failed events",
        ProblemKind::IndexSuspended | ProblemKind::ChangesLate | ProblemKind::OrdersUnreadable => {
            "Show the index"
        }
        ProblemKind::JobStopped => "Show the schedules",
        ProblemKind::FirstSyncMissed => "Show the order history",
        ProblemKind::WebsiteOff | ProblemKind::DeliveryHalted => "Show the connector",
        ProblemKind::DeliveryPaused => "Show the websites",
        _ => "Show the log",
    }
}
